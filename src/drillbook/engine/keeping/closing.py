"""Closes and seals what dead drills left: their records, and their runs in the ledger.

The rule: a sealed run stays as it is. What is put back later is another entry of the ledger. A process without the key
for a signed run closes its record, and leaves the seal to one that has the key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drillbook.engine.keeping.dead_drill import ReportWriter, close_dead_run
from drillbook.engine.keeping.sealing import signature_of, unsigned
from drillbook.errors import DrillbookError
from drillbook.evidence.reader import RecordError, read_record
from drillbook.evidence.sealing import bundle, open_run
from drillbook.evidence.sealing.ledger import ledger_path, of_run
from drillbook.evidence.sealing.open_run import OpenRun
from drillbook.evidence.sealing.rescan import LeakError
from drillbook.evidence.sealing.sealer import Sealer
from drillbook.evidence.sealing.statements import ATTESTATIONS, SUMS, Kind
from drillbook.model.record import SwitchState
from drillbook.safety.journal import EntryState
from drillbook.safety.undo import Undone


@dataclass(frozen=True, slots=True)
class Closing:
    """Who closes, and what is known. The caller holds the environment's lock."""

    root: Path
    kept: Path
    stream: str
    sealer: Sealer
    known: Mapping[str, EntryState]
    switches: Mapping[str, SwitchState]
    by: str
    write_report: ReportWriter | None
    say: Callable[[str], None]

    def close(self, undone: Sequence[Undone], dead: Collection[str]) -> None:
        """Close the runs that the undone entries and the dead (evidence folders) name, and those that nobody sealed."""
        alive = open_run.under_way(self.kept)  # at their end: the lock of the environment is already free
        runs = {run.folder: run for run in open_run.left_by_the_dead(self.kept, self.stream)}
        for folder in sorted({one.entry.evidence for one in undone} | set(dead) | runs.keys()):
            of_folder = [one for one in undone if one.entry.evidence == folder]
            run = runs.get(folder)
            if folder in alive:
                self.say(f"{folder}: its drill is about to seal it: that its faults were put back is not in it")
                continue
            try:
                problem = self._one(self.root / folder, of_folder, run)
            except DrillbookError as error:
                problem = str(error)
            if run is not None:
                run.let_be()
            if problem is not None:
                self.say(f"{folder}: {problem}")

    def _one(self, folder: Path, undone: Sequence[Undone], run: OpenRun | None) -> str | None:
        if run is not None and of_run(ledger_path(folder.parent, self.stream), run.run_id).closed is not None:
            run.done()  # killed between its last entry and its end
            run = None
        if run is None and (folder / ATTESTATIONS).exists():
            return self._restored(folder, undone)
        if run is not None:
            bundle.take_away(folder)  # it died just before its last entry: nobody may take the folder for a sealed one
        sealer = self.sealer.of(folder, signed=run is None or run.signs)
        could_not = run is not None and run.signs and not sealer.signs
        signature = None
        if could_not:
            signature = unsigned("the drill died, and who closed its record had no key")
        elif run is not None:
            signature = signature_of(sealer)
        problem = close_dead_run(
            folder, undone, self.known, self.switches, self.by, write_report=self.write_report, signature=signature
        )
        if problem is not None:
            return problem
        if run is None:
            if (folder / SUMS).exists():
                bundle.write_sums(folder, bundle.sums_of(folder))
            return None
        if could_not:
            return "the run is not sealed: 'drillbook restore' does it with the key (drillbook_key)"
        return self._sealed(sealer, folder, run)

    def _sealed(self, sealer: Sealer, folder: Path, run: OpenRun) -> str | None:
        if not (folder / "content").is_dir():
            run.done()
            return "the evidence of a run that was never sealed is gone"
        try:
            sealer.seal(folder, by=self.by)
        except LeakError as error:
            if sealer.signs:
                sealer.void(self.stream, run.run_id, str(error))
            run.done()
            return str(error)
        run.done()
        return None

    def _restored(self, folder: Path, undone: Sequence[Undone]) -> str | None:
        """The run is already sealed and stays so; the ledger says what was put back after it."""
        if not undone:
            return None
        if not self.sealer.signs:
            return "its evidence is sealed: that its faults were put back is not in it"
        try:
            run_id = read_record(folder).run_id
        except RecordError as error:
            return str(error)
        problems = [one.problem for one in undone if one.problem]
        about = {
            "run_id": run_id,
            "by": self.by,
            "faults": [one.entry.fault for one in undone],
            "problem": self.sealer.redactor.text(problems[0]) if problems else None,
        }
        self.sealer.of(folder).ledger(self.stream).append(Kind.RESTORED, about)
        return None
