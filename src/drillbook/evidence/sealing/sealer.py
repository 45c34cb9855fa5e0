"""Seals what a run left: SHA256SUMS, and with a key the statements about it and its entries in the ledger.

The rule is the order. An intent is on disk before anything is broken. SHA256SUMS is the last file of a bundle: whoever
finds it may take the folder away. A bundle is whole on disk before the ledger says that it is sealed. So a death in
between leaves a run that is open in the ledger, and never one that is closed and torn.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.errors import DrillbookError, EvidenceError
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing import bundle, statements
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.ledger import Head, Ledger, of_run
from drillbook.evidence.sealing.rescan import refuse_secrets
from drillbook.evidence.sealing.statements import Kind
from drillbook.evidence.sealing.strict_json import parse_object
from drillbook.model.times.clock import rfc3339, wall_now

if TYPE_CHECKING:
    from drillbook.evidence.sealing.signing import Signing

__interrupt_after__ = "call"  # safety/signals never interrupts a call of this module: it would leave half of a seal


SIGNING = f"{__package__}.signing"


def _import_what_signs() -> None:
    with suppress(Exception):  # whoever opens the key later gets this error
        importlib.import_module(SIGNING)


class Sealer:
    """Seals the runs of one session."""

    def __init__(
        self, evidence_root: Path, source: KeySource | None, redactor: Redactor, say: Callable[[str], object] = str
    ) -> None:
        """`say` gets messages that refuse no seal: a time stamp that could not be had."""
        self._say = say
        self.evidence_root, self.source, self.redactor = evidence_root, source, redactor

    def of(self, folder: Path, *, signed: bool = True) -> Sealer:
        """The sealer for the run of this folder, beside whose folder the ledger lies; without `signed` it
        has no key.
        """
        return Sealer(folder.parent, self.source if signed else None, self.redactor, self._say)

    @property
    def signs(self) -> bool:
        """Whether there is a key."""
        return self.source is not None

    def get_ready(self) -> None:
        """Import the signing libraries in the background: a drill would otherwise spend 0.1 s between its baseline and
        its fault.
        """
        if self.signs:
            threading.Thread(target=_import_what_signs, name="drillbook-signing", daemon=True).start()

    @cached_property
    def key(self) -> Signing:
        """The key, opened when there is something to sign. Raises DrillbookError."""
        if self.source is None:
            raise EvidenceError("there is no key to sign with: name one with drillbook_key")
        # by its name: nobody pays for it before there is something to sign
        signing: Signing = importlib.import_module(SIGNING).opened(self.source)
        return signing

    def ledger(self, stream: str) -> Ledger:
        """The ledger of an environment. Raises DrillbookError when the key cannot be opened."""
        return Ledger(self.evidence_root, stream, self.key)

    # ------------------------------------------------------------------ a drill

    def intent(self, folder: Path) -> str:
        """Sign that the run of this folder is about to begin, and put it on disk; returns the entry's digest."""
        record = _read(folder, statements.RECORD)
        about = {
            "run_id": record["run_id"],
            "folder": folder.name,
            "scenario": f"{record['feature']['path']}::{record['scenario']['name']}",
            "control": (record.get("control") or {}).get("name"),
            "artefacts": statements.artefacts_digest(statements.artefacts_of(record)),
            "inventory": record["inventory"],
        }
        return self.ledger(record["environment"]["name"]).append(Kind.INTENT, about).digest

    def seal(self, folder: Path, intent: str | None = None, by: str | None = None) -> Head | None:
        """Seal the run of this folder; returns the ledger's new head, or None without a key.

        `intent` is the digest of its entry, if known; `by` is who does this for a run whose process died. Raises
        EvidenceError; LeakError when a file holds a known secret.
        """
        refuse_secrets(folder, self.redactor)
        sums = bundle.sums_of(folder)
        if not self.signs:
            bundle.write_sums(folder, sums)
            return None
        record = _read(folder, statements.RECORD)
        intent = intent or self.intent_of(record) or self.intent(folder)
        digest = dict(statements.parse_sums(sums.encode()))[statements.RECORD]
        predicate = statements.drill_predicate(record, intent=intent, record_digest=digest)
        return self._signed(folder, sums, predicate, by, (statements.test_result(record),))

    def intent_of(self, record: Mapping[str, Any]) -> str | None:
        """The digest of a run's intent, according to the ledger."""
        return of_run(self.ledger(record["environment"]["name"]).path, record["run_id"]).intent

    def void(self, stream: str, run_id: str, reason: str) -> None:
        """Sign that a run has ended without sealed evidence. Raises EvidenceError."""
        self.ledger(stream).append(Kind.VOID, {"run_id": run_id, "reason": reason})

    # ------------------------------------------------------------------ a proof

    def seal_proof(self, folder: Path, stream: str) -> Head | None:
        """Seal a folder with content/proof.json; returns the ledger's new head, or None without a key.

        Raises EvidenceError; the ledger says then, as far as it can, that the proof is void.
        """
        refuse_secrets(folder, self.redactor)
        sums = bundle.sums_of(folder)
        if not self.signs:
            bundle.write_sums(folder, sums)
            return None
        about = {
            "run_id": folder.name,
            "folder": folder.name,
            "scenario": _read(folder, statements.PROOF)["scenario"],
            "control": None,
            "artefacts": statements.artefacts_digest([]),
            "inventory": None,
        }
        intent = self.ledger(stream).append(Kind.INTENT, about).digest
        try:
            return self._sealed_proof(folder, stream, sums, intent)
        except DrillbookError as error:
            with suppress(DrillbookError):
                self.void(stream, folder.name, self.redactor.text(str(error)))
            raise

    def _sealed_proof(self, folder: Path, stream: str, sums: str, intent: str) -> Head:
        proof, now = _read(folder, statements.PROOF), rfc3339(wall_now())
        predicate = {
            "run_id": folder.name,
            "started_at": now,
            "ended_at": now,
            "outcome": statements.PROVEN if proof["proven"] else statements.NOT_PROVEN,
            "environment": stream,
            "control": None,
            "intent": intent,
            "record": dict(statements.parse_sums(sums.encode()))[statements.PROOF],
        }
        return self._signed(folder, sums, predicate, None, ())

    def _signed(
        self, folder: Path, sums: str, predicate: Mapping[str, Any], by: str | None, more: tuple[bytes, ...]
    ) -> Head:
        payloads = (*more, statements.recovery_drill(sums, predicate))
        lines = [self.key.sign(payload) for payload in payloads]
        if self.source is not None and self.source.timestamp_url is not None:
            problem = bundle.write_stamp(folder, self.source.timestamp_url, lines[-1])
            if problem is not None:
                self._say(problem)
        bundle.write_attestations(folder, lines)
        bundle.write_sums(folder, sums)
        about = {
            "run_id": predicate["run_id"],
            "folder": folder.name,
            "outcome": predicate["outcome"],
            "sums": statements.sha256(sums.encode()),
            "intent": predicate["intent"],
        }
        kind, more_about = (Kind.SEALED, {}) if by is None else (Kind.ABORTED, {"by": by})
        return self.ledger(str(predicate["environment"])).append(kind, about | more_about)


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = folder / statements.CONTENT / name
    try:
        return parse_object(path.read_bytes())
    except (OSError, DrillbookError) as error:
        raise EvidenceError(f"{path}: it cannot be sealed: {error}") from error
