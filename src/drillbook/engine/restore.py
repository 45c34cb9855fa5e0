"""Puts everything back: undo, look whether the baseline holds again, balance the work, clean it up.

The rule: each of the four is tried whatever became of the others, and each error becomes a finding. An undo that
something interrupted is started once more. A fault that could not be written down is put back all the same: that speaks
against what the drill has shown, not against the restore.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from drillbook.checks import Check, Observation
from drillbook.engine.cleanup import clean_up, record
from drillbook.engine.failures import sentence_of
from drillbook.engine.keeping.switch_record import record_switches
from drillbook.engine.stability import look_again
from drillbook.engine.under_way import UnderWay
from drillbook.errors import CouldNotLookError
from drillbook.model.phases import Phase
from drillbook.model.record import UndoState
from drillbook.model.times.sample import Sample
from drillbook.model.times.timeline import Event, Moment
from drillbook.model.verdict import FindingKind
from drillbook.model.work_balance import Account
from drillbook.safety.data_loss import required
from drillbook.safety.undo import Undone, undo_all
from drillbook.target.probing.waiting import watch

LOSS_WINDOW_S = 5.0
"""Accepted loss must stay the same for this many seconds.

Jobs that still wait in a queue look lost, too, so any number is reached for a moment while they are worked off.
"""


@dataclass(frozen=True, slots=True)
class Restore:
    """The restore of one drill."""

    drill: UnderWay
    may_be_whole: bool = False
    """In a control that leaves out the destroying task: losing nothing is right, too."""

    def run(self) -> None:
        """Put everything back."""
        log = self.drill.log
        log.step = None
        self._keep(lambda: log.phase_started(Phase.RESTORE, time.monotonic()))
        if not self._each("the undo", self._undo):
            self._each("the second try of the undo", self._undo)
        if log.record.faults:
            self._each("the look at the baseline", self._baseline_again)
        self._each("the balance of the work", self._balance)
        self._each("the cleanup of the work", self._clean_up)
        now = Moment(time.monotonic(), 0.0, "end of the restore")
        log.record.phases[-1].ended_s = log.at(now.at_s)
        if log.judge(restored=True).restored.holds:
            self._keep(lambda: log.mark(Event.RESTORED, now))

    def _keep(self, write: Callable[[], object]) -> None:
        """Write into the record, or tell the terminal."""
        log = self.drill.log
        try:
            write()
        except Exception as error:  # noqa: BLE001 - a full disk, a closed terminal: what is put back stays so
            sentence = sentence_of(error)
            if sentence not in {finding.sentence for finding in log.findings}:
                log.find(Phase.CRITERIA, FindingKind.UNKNOWN, sentence)

    def _each(self, what: str, work: Callable[[], object]) -> bool:
        """Whether it came to its end."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - signals are held; all else must end as NOT_RESTORED, with its reason
            self.drill.log.find(Phase.RESTORE, FindingKind.UNKNOWN, f"{what} failed: {type(error).__name__}: {error}")
            return False
        return True

    def _undo(self) -> None:
        session, log = self.drill.session, self.drill.log
        journal = session.journal
        by_entry = {fault.entry: fault for fault in log.record.faults}

        def tell(undone: Undone) -> None:
            fault = by_entry[undone.entry.id]
            fault.undo = UndoState.FAILED if undone.problem else UndoState.GONE
            fault.undo_problem = undone.problem
            if undone.problem:
                log.find(
                    Phase.RESTORE, FindingKind.FAILED, f"the fault {fault.name!r} was not undone: {undone.problem}"
                )
            elif undone.unnoted:
                log.find(Phase.CRITERIA, FindingKind.UNKNOWN, f"the fault {fault.name!r}: {undone.unnoted}")
            result = undone.result
            if result is not None:
                self._keep(lambda: log.play(result, "undo", undone.entry.variables))
            self._keep(lambda: log.tell("undo", fault=fault.name, problem=undone.problem))
            self._keep(log.save)

        planned = {entry.id for entry in journal.entries()}
        for fault in log.record.faults:
            if fault.entry not in planned:
                # stopped before the undo was on disk, and so before the fault
                fault.undo = UndoState.NEVER_HAPPENED
        of_drill = [entry for entry in journal.open_entries() if entry.run_id == self.drill.run_id]
        entries = [entry for entry in of_drill if not entry.cleans_up]
        undo_all(journal, entries, session.run_undo, tell)
        self._keep(lambda: record_switches(session.switches, log))

    def _clean_up(self) -> None:
        for one in clean_up(self.drill):
            self._keep(partial(record, self.drill, one))

    def _baseline_again(self) -> None:
        since_s, log = time.monotonic(), self.drill.log
        for kept in self.drill.baseline:
            step = kept.record.step
            against = look_again(
                log, self.drill.prober, kept.check, step, since_s=since_s, within_s=self.drill.limits.baseline_s
            )
            if against is not None:
                kind, why = against
                said = "does not hold again" if kind is FindingKind.FAILED else "could not be checked again"
                log.find(Phase.RESTORE, kind, f"the baseline {said}: {why}")

    def _balance(self) -> None:
        """Stop the work and account for all of it, whatever the steps asked."""
        load, log = self.drill.load, self.drill.log
        # without a fault the recovery had nothing to do, and so destroyed nothing
        accepted = self.drill.objectives.accepted_lost if log.record.faults else None
        right, demand = required(accepted, may_be_whole=self.may_be_whole)
        if load is None:
            if accepted is not None:
                sentence = f"nobody counted what was lost, since no work was submitted; required: {demand}"
                log.find(Phase.CRITERIA, FindingKind.UNKNOWN, sentence)
            return
        accounts: list[Account] = []
        counted: list[bool] = []

        def look() -> Account:
            accounts.append(load.balance())
            return accounts[-1]

        def sound(sample: Sample) -> Observation:
            account = sample.value
            counted.append(isinstance(account, Account))
            if not isinstance(account, Account):
                return Observation(met=False, observed=str(sample.error), required=demand)
            return Observation(any(map(account.sound_but_for, right)), str(account), demand)

        check = Check("the final balance of the work", look, sound)
        length_s = LOSS_WINDOW_S if accepted else 0.0
        fault = log.moments.get(Event.FAULT_INJECTED)
        try:
            load.stop()
            now = time.monotonic()
            watched = watch(
                self.drill.prober, check, since_s=now, until_s=now + load.completed_within_s, length_s=length_s
            )
            if watched.found is not None:  # a loss that was seen stays one
                load.refuse_pause(fault.at_s if fault is not None else 0.0)
        except CouldNotLookError as error:
            # nothing is left broken: only the system's own database could not be read
            log.find(Phase.CRITERIA, FindingKind.UNKNOWN, str(error))
            watched = None
        if accounts:
            log.balance(load, accounts[-1], accepted)
        if watched is not None and watched.found is None:
            assert watched.last is not None
            kind = FindingKind.FAILED if counted[-1] else FindingKind.UNKNOWN
            log.find(Phase.CRITERIA, kind, f"{check.name}: {watched.last.observed}; required: {demand}")
