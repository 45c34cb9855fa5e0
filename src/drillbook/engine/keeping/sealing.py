"""The seal of one run: its intent before anything is broken, its bundle after all else.

The rule: a run that must be sealed and cannot be has proven nothing, and says why.
"""

from __future__ import annotations

from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing import bundle
from drillbook.evidence.sealing.key_source import NO_KEY
from drillbook.evidence.sealing.open_run import OpenRun
from drillbook.evidence.sealing.rescan import LeakError
from drillbook.evidence.sealing.sealer import Sealer
from drillbook.model.record import SignatureRecord, SignatureState


class RunSeal:
    """What seals one run. The run's file in .drillbook/ is there until the run is sealed."""

    def __init__(self, sealer: Sealer, run: OpenRun, folder: Path) -> None:
        self._sealer, self._open, self._folder = sealer, run, folder
        self._intent: str | None = None
        self._ended = False

    def declare(self) -> None:
        """Sign the intent and put it on disk: only then may anything be broken. Raises DrillbookError."""
        if self._sealer.signs and self._intent is None:
            self._intent = self._sealer.intent(self._folder)

    def signature(self) -> SignatureRecord:
        """The signature for the record of an ended run. A run that broke nothing declares itself now."""
        try:
            self.declare()
        except DrillbookError as error:
            return unsigned(self._sealer.redactor.text(str(error)))
        return signature_of(self._sealer)

    def close(self) -> str | None:
        """Seal what there is. Returns why that was not possible, once; a second call does nothing."""
        if self._ended:
            return None
        self._ended = True
        try:
            self._sealer.seal(self._folder, self._intent)
        except LeakError as error:
            self._void(str(error))
            self._open.done()
            return str(error)
        except DrillbookError as error:
            bundle.take_away(self._folder)
            self._open.let_be()
            return f"the evidence is not sealed, and the next run tries again: {self._sealer.redactor.text(str(error))}"
        self._open.done()
        return None

    def _void(self, reason: str) -> None:
        """Declare the run void, so that nobody looks for a run that never closed.

        If that cannot be signed either, it stays such a run.
        """
        if self._sealer.signs:
            try:
                self._sealer.void(self._open.stream, self._open.run_id, reason)
            except DrillbookError:
                return


def unsigned(reason: str) -> SignatureRecord:
    """Nobody signs, and why."""
    return SignatureRecord(SignatureState.UNSIGNED, None, reason)


def signature_of(sealer: Sealer) -> SignatureRecord:
    """Who signs, in the form of a record."""
    if sealer.source is None:
        return unsigned(NO_KEY)
    try:
        return SignatureRecord(SignatureState.SIGNED, sealer.key.keyid, sealer.source.exposed())
    except DrillbookError as error:
        return unsigned(str(error))
