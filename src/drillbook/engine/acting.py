"""What a step does to the target: break it, recover it, tell people. Each act is a playbook, and is measured.

The rule: no fault without its undo on disk first. To withhold acts, a control gives the steps `Withheld` instead of
`Acting`: no code here asks which control runs.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drillbook.engine import incident_messages
from drillbook.engine.keeping.switch_record import record_switches
from drillbook.engine.under_way import UnderWay, refuse_loss
from drillbook.errors import DrillbookError
from drillbook.model import paths
from drillbook.model.control import ControlKind
from drillbook.model.phases import Phase, StepKind
from drillbook.model.record import SECOND_RECOVERY
from drillbook.model.tags import NOT_REPEATABLE, SELF_HEALING_OFF
from drillbook.model.times.timeline import Event, Moment
from drillbook.model.verdict import FindingKind
from drillbook.safety.data_loss import changes
from drillbook.safety.journal import EntryState
from drillbook.target.ansible.result import PlayResult, TaskResult, TaskStatus
from drillbook.target.ansible.selection import ALL, Selection


class Acts(Protocol):
    """The acts of a step. The variables are those of the playbook."""

    def inject(self, name: str, variables: Mapping[str, object]) -> PlayResult | None:
        """Break something."""

    def recover(self, name: str, variables: Mapping[str, object], selection: Selection) -> PlayResult | None:
        """Run the team's procedure."""

    def announce(self, name: str, variables: Mapping[str, object]) -> PlayResult | None:
        """Tell people."""

    def leave_alone(self) -> None:
        """Leave the system to itself."""


@dataclass(frozen=True, slots=True)
class Acting:
    """The acts of a step that runs as written."""

    drill: UnderWay

    # ------------------------------------------------------------------ faults

    def inject(self, name: str, variables: Mapping[str, object]) -> PlayResult:
        """Run inject.yml of the fault and mark when it happened. Raises DrillFailure when it did not."""
        drill = self.drill
        drill.step_of("inject", Phase.FAULT)
        control = drill.scenario.control
        if control is not None and control.kind is ControlKind.NO_RECOVERY and drill.incident_s is None:
            for healer in drill.scenario.tag_values(SELF_HEALING_OFF):
                self._break(healer, {})
                drill.log.note(f"the self-healing is switched off: {healer!r}")
        result, change = self._break(name, variables)
        # it happened at some instant of the task that changed something; the time counts from that task's begin
        spent_s = change.ended_s - change.started_s
        drill.log.mark(Event.FAULT_INJECTED, Moment(change.started_s, spent_s, f"{result.playbook}: {change.task}"))
        drill.open_incident(change.started_s)
        return result

    def _break(self, name: str, variables: Mapping[str, object]) -> tuple[PlayResult, TaskResult]:
        """Run a fault, with its undo on disk first; returns the task that changed something first."""
        drill = self.drill
        session, log = drill.session, drill.log
        inject, undo = paths.fault(name), paths.fault(name, paths.UNDO)
        for path in (inject, undo, paths.fault(name, paths.SWITCH)):
            there, other = (session.root / path).is_file(), paths.misnamed(session.root, path)
            # a fault may lack a switch, but its switch must never be one that nobody would find
            if not there and (path in (inject, undo) or other):
                raise DrillbookError(f"no {path}{other}: a fault is a folder with inject.yml and undo.yml")
        refuse_loss(session, drill.scenario, drill.objectives, changes(StepKind.FAULT, name))
        if not session.guardian.ensure():
            log.note("the guardian had died: another one stands by")
        if not drill.prober.looked(drill.settled_s):  # every endpoint must have a value from before the fault
            raise self._not_injected(name, "there are endpoints that were not looked at once before it")
        drill.declare()
        entry = uuid.uuid4().hex
        record = log.fault(name, variables, entry)
        planned = session.journal.plan(
            entry,
            run_id=drill.run_id,
            fault=name,
            variables=variables,
            inventory=session.inventory_name,
            undo_playbook=undo,
            evidence=paths.located(log.folder, session.root),
            switch_playbook=session.switches.playbook(name),
            undo_timeout_s=drill.limits.undo_s,
        )
        unarmed = session.switches.arm(planned)
        record_switches(session.switches, log)
        if unarmed is not None:
            raise self._not_injected(name, unarmed)
        hosts: list[str] = []

        def begins_on(host: str) -> None:
            # on disk while the fault runs: a process that finds this one dead knows where to look
            hosts.append(host)
            session.journal.mark(entry, EntryState.PLANNED, hosts=hosts)

        result = drill.play(session.root / inject, variables, "fault", on_host=begins_on)
        session.journal.mark(entry, EntryState.INJECTED, hosts=result.touched)
        problem = result.why_not_clean(must_change=True)
        if problem is not None:
            raise self._not_injected(name, problem)
        record.took_effect = True
        assert result.first_change is not None
        return result, result.first_change

    def _not_injected(self, name: str, why: str) -> AssertionError:
        return self.drill.fail(Phase.FAULT, FindingKind.FAILED, f"the fault {name!r} did not happen: {why}")

    # ------------------------------------------------------------------ recoveries

    def recover(self, name: str, variables: Mapping[str, object], selection: Selection = ALL) -> PlayResult:
        """Run the recovery's playbook. Raises DrillFailure when it did not run clean."""
        drill = self.drill
        drill.step_of("recover", Phase.RECOVERY)
        log, scenario = drill.log, drill.scenario
        path = _recovery(drill, name)
        log.opened_s = time.monotonic()
        log.mark(Event.RECOVERY_STARTED, Moment(log.opened_s, 0.0, f"recovery/{name}"))
        without = scenario.control.task if scenario.control is not None else None
        if selection != ALL:
            log.note(f"the recovery {name!r} is run with {selection}")
        result = drill.play(path, variables, "recovery", selection=selection, without=without)
        drill.left_out_seen |= any(task.path == without and task.status is TaskStatus.SKIPPED for task in result.tasks)
        # without one of its tasks it may change nothing: the criteria say whether the task is missed
        problem = result.why_not_clean(must_change=without is None)
        if problem is not None and without is not None:
            raise drill.fail(Phase.RECOVERY, FindingKind.MISSED, f"without {without}: {problem}")
        if problem is not None:
            sentence = f"the recovery {name!r} did not run clean: {problem}"
            raise drill.fail(Phase.RECOVERY, FindingKind.FAILED, sentence)
        self._recovered(Moment(result.ended_s, 0.0, f"recovery/{name}"))
        drill.recoveries.append((name, path, variables, selection))
        if scenario.control is not None and scenario.control.kind is ControlKind.RECOVERY_TWICE:
            self.recover_again(name, path, variables, selection)
        return result

    def recover_again(self, name: str, path: Path, variables: Mapping[str, object], selection: Selection) -> None:
        """Run a recovery once more. Raises DrillFailure (BETRAYED) when it changed something or did not run clean."""
        drill = self.drill
        result = drill.play(path, variables, SECOND_RECOVERY, selection=selection)
        change, problem = result.first_change, result.why_not_clean()
        sentence = None
        if change is not None and NOT_REPEATABLE not in drill.scenario.tags:
            sentence = f"changed something again: {change.task!r} on {change.host} ({change.path})"
        elif problem is not None:
            sentence = f"did not run clean: {problem}"
        if sentence is not None:
            said = f"the second run of the recovery {name!r} {sentence}"
            raise drill.fail(drill.log.phase, FindingKind.BETRAYED, said)

    def leave_alone(self) -> None:
        """Nobody acts: the recovery begins and ends now."""
        self.drill.step_of("leave_alone", Phase.RECOVERY)
        now = Moment(time.monotonic(), 0.0, "nobody acted")
        self.drill.log.opened_s = now.at_s
        self.drill.log.mark(Event.RECOVERY_STARTED, now)
        self._recovered(now)

    def _recovered(self, moment: Moment) -> None:
        log = self.drill.log
        if log.step is not None:
            log.recovered_steps.add(log.step.number)
        log.mark(Event.RECOVERY_FINISHED, moment, again=True)

    # ------------------------------------------------------------------ messages

    def announce(self, name: str, variables: Mapping[str, object]) -> PlayResult:
        """Run the message's playbook with what was measured. Raises DrillFailure when it was not sent cleanly."""
        drill = self.drill
        step = drill.step_of("announce", Phase.RECOVERY)
        path = _message(drill, name)
        drill.announced_s[name] = time.monotonic()
        given = {incident_messages.VARIABLE: incident_messages.incident(drill), **variables}
        result = drill.play(path, given, "communication")
        problem = result.why_not_clean(must_change=True)
        if problem is not None:
            raise drill.fail(Phase.RECOVERY, FindingKind.FAILED, f"the message {name!r} was not sent: {problem}")
        drill.log.told_steps.add(step.number)
        return result


@dataclass(frozen=True, slots=True)
class Withheld:
    """The acts of a step whose playbook a control withholds: it is checked as usual and noted, but not run."""

    drill: UnderWay

    def inject(self, name: str, _variables: Mapping[str, object]) -> None:
        """The incident opens now, although nothing is broken."""
        self.drill.step_of("inject", Phase.FAULT)
        self.drill.declare()
        self.drill.log.note(f"withheld: the fault {name!r}")
        self.drill.open_incident(time.monotonic())

    def recover(self, name: str, _variables: Mapping[str, object], _selection: Selection = ALL) -> None:
        """The steps look at the criteria from now on, although nobody recovers."""
        self.drill.step_of("recover", Phase.RECOVERY)
        _recovery(self.drill, name)
        self.drill.log.opened_s = time.monotonic()
        self.drill.log.note(f"withheld: the recovery {name!r}")

    def announce(self, name: str, _variables: Mapping[str, object]) -> None:
        """Nobody is told."""
        self.drill.step_of("announce", Phase.RECOVERY)
        _message(self.drill, name)
        self.drill.log.note(f"withheld: the message {name!r}")

    def leave_alone(self) -> None:
        """The steps look at the criteria from now on."""
        self.drill.step_of("leave_alone", Phase.RECOVERY)
        self.drill.log.opened_s = time.monotonic()


def _recovery(drill: UnderWay, name: str) -> Path:
    """The playbook of a recovery that may run here. Raises DrillbookError, and GuardError when it destroys data."""
    path = drill.session.root / paths.recovery(name)
    if not path.is_file():
        other = paths.misnamed(drill.session.root, paths.recovery(name))
        raise DrillbookError(f"no {paths.recovery(name)}{other}: the step names a recovery that is not there")
    refuse_loss(drill.session, drill.scenario, drill.objectives, changes(StepKind.RECOVERY, name))
    return path


def _message(drill: UnderWay, name: str) -> Path:
    """The playbook of a message. Raises DrillbookError when there is none."""
    playbook = paths.message(name)
    if not (drill.session.root / playbook).is_file():
        raise DrillbookError(f"no {playbook}: the step names a message that is not there")
    return drill.session.root / playbook
