"""Writes the record as the drill goes, redacted, so that a killed drill leaves what it knew.

The rule: nothing unredacted is ever written below evidence/. At every instant drill.json is a whole JSON document: a
new file is written, then renamed over the old one. It is synced when something was broken, put right or decided, but
not at each step, because that was most of a step's cost. A process that dies loses nothing by this. A machine that
loses its power may lose the steps since the last sync, or on some file systems the document.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drillbook.errors import DrillbookError, EvidenceError
from drillbook.evidence.files import write_atomically
from drillbook.evidence.machine_paths import without_machine
from drillbook.evidence.record_text import Writing
from drillbook.evidence.redaction import Redactor
from drillbook.model.record import Record, to_plain

__interrupt_after__ = "call"  # safety/signals never interrupts a call of this module: it would leave half of a file

Listener = Callable[[Mapping[str, Any]], None]


class Recorder:
    """The one writer of a drill's evidence folder, and the one source of its live events."""

    def __init__(
        self, folder: Path, record: Record, redactor: Redactor, listener: Listener, root: Path | None = None
    ) -> None:
        """`root` is the drill repository: its path is taken out of playbooks' messages."""
        self.folder, self.record = folder, record
        self._root = root
        self._writing = Writing(redactor)
        self._redactor, self._listener = redactor, listener
        self._content = folder / "content"
        self.writes: list[tuple[float, float]] = []
        """The spans in which it was writing, in time.monotonic()."""
        try:
            self._content.mkdir(parents=True)
        except OSError as error:
            raise DrillbookError(
                f"{folder}: the evidence folder cannot be made ({error.strerror}): "
                "Drillbook breaks nothing without evidence"
            ) from error
        self.save(synced=False)  # nothing is broken yet

    def save(self, *, synced: bool = True) -> None:
        """Write drill.json as it is now."""
        with self._timed():
            text = self._writing.text(self.record)
            if self._root is not None:
                text = without_machine(text, self._root)
            write_atomically(self._content / "drill.json", text, synced=synced)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began_s = time.monotonic()
        yield
        self.writes.append((began_s, time.monotonic()))

    def append(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows to an NDJSON file below content/."""
        with self._timed():
            lines = "".join(json.dumps(self._redactor.data(to_plain(row)), sort_keys=True) + "\n" for row in rows)
            if not lines:
                return
            try:
                with (self._content / name).open("a", encoding="utf-8") as handle:
                    handle.write(lines)
            except OSError as error:
                raise EvidenceError(f"{self._content / name}: evidence cannot be written: {error.strerror}") from error

    def redact(self, text: str) -> str:
        """The text without any known secret."""
        return self._redactor.text(text)

    def tell(self, event: str, **details: Any) -> None:
        """Show an event on the terminal; it is not kept."""
        self._listener(self._redactor.data({"event": event, **to_plain(details)}))
