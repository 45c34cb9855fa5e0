"""Putting everything back: undo, look whether the baseline holds again, balance the work.

The rule: each of the three is tried whatever became of the others, and whatever goes wrong becomes a finding.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from drillbook.checks import Check, Observation
from drillbook.engine.drill_log import Chronicle
from drillbook.engine.session import DrillSession
from drillbook.engine.stability import look_again
from drillbook.errors import CouldNotLookError
from drillbook.model.phases import Phase
from drillbook.model.record import UndoState
from drillbook.model.times.sample import Sample
from drillbook.model.times.timeline import Event, Moment
from drillbook.model.verdict import FindingKind
from drillbook.model.work_balance import Account
from drillbook.safety.data_loss import required
from drillbook.safety.undo import Undone, undo_all
from drillbook.target.probing.load import Load
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import watch

BASELINE_DEADLINE_S = 60.0
LOSS_WINDOW_S = 5.0
"""Seconds for which accepted loss has to be what it is: jobs that still wait in a queue look lost, too, and any number
of them is reached for a moment while they are worked off.
"""


@dataclass(frozen=True, slots=True)
class Restore:
    """The restore of one drill."""

    session: DrillSession
    chronicle: Chronicle
    prober: Prober
    load: Load | None
    accepted_lost: int | None = None
    """How many acknowledged jobs are to be lost; None when the scenario accepts no loss."""
    may_be_whole: bool = False
    """In a control that leaves out what destroys: nothing may be lost as well."""

    def run(self, run_id: str, baseline: Iterable[tuple[int, Check]]) -> None:
        """Put everything back; `baseline` are the checks of the Given steps, each with its step's number."""
        chronicle = self.chronicle
        chronicle.step = None
        self._each("the record", lambda: chronicle.phase_started(Phase.RESTORE, time.monotonic()))
        self._each("the undo", lambda: self._undo(run_id))
        if chronicle.record.faults:
            self._each("the look at the baseline", lambda: self._baseline_again(baseline))
        self._each("the balance of the work", self._balance)
        chronicle.record.phases[-1].ended_s = chronicle.at(time.monotonic())
        now = Moment(time.monotonic(), 0.0, "end of the restore")
        self._each("the record", lambda: chronicle.mark(Event.RESTORED, now))

    def _each(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - signals are held; all else must end as NOT_RESTORED, with its reason
            self.chronicle.find(Phase.RESTORE, FindingKind.UNKNOWN, f"{what} failed: {type(error).__name__}: {error}")

    def _undo(self, run_id: str) -> None:
        journal, chronicle = self.session.journal, self.chronicle
        by_entry = {fault.entry: fault for fault in chronicle.record.faults}

        def tell(undone: Undone) -> None:
            fault = by_entry[undone.entry.id]
            fault.undo = UndoState.FAILED if undone.problem else UndoState.GONE
            fault.undo_problem = undone.problem
            if undone.result is not None:
                chronicle.play(undone.result, "undo", undone.entry.variables)
            if undone.problem:
                chronicle.find(
                    Phase.RESTORE, FindingKind.FAILED, f"the fault {fault.name!r} was not undone: {undone.problem}"
                )
            chronicle.tell("undo", fault=fault.name, problem=undone.problem)
            chronicle.save()

        planned = {entry.id for entry in journal.entries()}
        for fault in chronicle.record.faults:
            if fault.entry not in planned:
                # stopped before the undo was on disk, and so before the fault
                fault.undo = UndoState.NEVER_HAPPENED
        entries = [entry for entry in journal.open_entries() if entry.run_id == run_id]
        undo_all(journal, entries, self.session.run_undo, tell)
        self.session.switches.tell(chronicle)

    def _baseline_again(self, baseline: Iterable[tuple[int, Check]]) -> None:
        since_s = time.monotonic()
        for step, check in baseline:
            against = look_again(
                self.chronicle, self.prober, check, step, since_s=since_s, within_s=BASELINE_DEADLINE_S
            )
            if against is not None:
                kind, why = against
                said = "does not hold again" if kind is FindingKind.FAILED else "could not be looked at again"
                self.chronicle.find(Phase.RESTORE, kind, f"the baseline {said}: {why}")

    def _balance(self) -> None:
        """Stop the work and account for all of it, whatever the steps asked."""
        load = self.load
        # without a fault nothing was recovered from, and so nothing destroyed
        accepted = self.accepted_lost if self.chronicle.record.faults else None
        right, demand = required(accepted, may_be_whole=self.may_be_whole)
        if load is None:
            if accepted is not None:
                sentence = f"nobody counted what was lost, since no work was submitted; required: {demand}"
                self.chronicle.find(Phase.CRITERIA, FindingKind.UNKNOWN, sentence)
            return
        accounts: list[Account] = []

        def look() -> Account:
            accounts.append(load.balance())
            return accounts[-1]

        def sound(sample: Sample) -> Observation:
            account = sample.value
            if not isinstance(account, Account):
                return Observation(met=False, observed=str(sample.error), required=demand)
            return Observation(any(map(account.sound_but_for, right)), str(account), demand)

        check = Check("the final balance of the work", look, sound)
        length_s = LOSS_WINDOW_S if accepted else 0.0
        try:
            load.stop()
            now = time.monotonic()
            watched = watch(self.prober, check, since_s=now, until_s=now + load.completed_within_s, length_s=length_s)
        except CouldNotLookError as error:
            # nothing is left broken by it: the system's books were not to be read
            self.chronicle.find(Phase.CRITERIA, FindingKind.UNKNOWN, str(error))
            watched = None
        if accounts:
            self.chronicle.balance(load, accounts[-1], accepted)
        if watched is not None and watched.found is None:
            assert watched.last is not None
            last = watched.last.observed
            kind = FindingKind.FAILED if last == str(accounts[-1]) else FindingKind.UNKNOWN
            self.chronicle.find(Phase.CRITERIA, kind, f"{check.name}: {last}; required: {demand}")
