"""Decides whether a drill may begin, gathers what is known before the first step, and starts the record.

The rule: what would be refused later is refused now, before anything is broken.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from drillbook.engine.drill import Drill
from drillbook.engine.failures import NotRestored
from drillbook.engine.keeping.artefacts import StepFiles
from drillbook.engine.keeping.clock_state import clock_state
from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.engine.keeping.sealing import RunSeal
from drillbook.engine.session import DrillSession
from drillbook.engine.under_way import UnderWay, refuse_loss
from drillbook.errors import GuardError
from drillbook.evidence.files import folder_name
from drillbook.evidence.history import attempts, passed_drills
from drillbook.evidence.provenance import engine, git_state, harness
from drillbook.evidence.sealing import open_run
from drillbook.evidence.writer import Recorder
from drillbook.model import paths
from drillbook.model.control import Control, ControlKind
from drillbook.model.control_rules.waits import Measured, wait_of
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase, StepKind
from drillbook.model.record import (
    ArtefactRecord,
    ControlRecord,
    EnvironmentRecord,
    FeatureRecord,
    PrerequisiteRecord,
    Record,
    ScenarioRecord,
    StepRecord,
)
from drillbook.model.scenario import Scenario
from drillbook.model.tags import SELF_HEALING, SELF_HEALING_OFF
from drillbook.model.time_limits import TimeLimits
from drillbook.model.times.clock import Anchor, rfc3339
from drillbook.model.verdict import RESTORE, FindingKind, Verdict
from drillbook.safety.abort_condition import AbortGuard, conditions, refuse_unhealthy
from drillbook.safety.data_loss import changes
from drillbook.safety.environment_lock import EnvironmentLock, Holder
from drillbook.safety.permission import permit
from drillbook.safety.signals import Shield
from drillbook.target.inventory.settings import Endpoint, EnvironmentKind
from drillbook.target.probing.prerequisites import refuse_too_few, verify
from drillbook.target.probing.prober import Prober

NamedActs = Callable[[], Iterable[str]]
"""Gives the playbooks that the steps of a scenario are known to name before they run, relative to the root."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What is known about a drill that may begin."""

    scenario: Scenario
    objectives: Objectives
    watched: tuple[Endpoint, ...]
    """The endpoints whose failure stops the drill."""
    measured: Measured | None
    """In a control: what the drill itself needed; None when no drill of it has passed yet."""
    artefacts: tuple[ArtefactRecord, ...] = ()
    """The files that are known to take part."""


def ask_leave(session: DrillSession, scenario: Scenario, acts: NamedActs, steps: StepFiles = tuple) -> Leave:
    """Check that this drill may begin in this environment. Raises DrillbookError."""
    session.check_key()
    inventory = session.inventory
    where = inventory.where("drillbook_environment.kind")
    permit(inventory.environment, session.allow_production, scenario.tags, where)
    refuse_too_few(inventory, session.people)
    watched = conditions(scenario.tags, inventory.endpoints, inventory.where("drillbook_endpoints"))
    objectives = Objectives.of(scenario.tags)
    healers = scenario.tag_values(SELF_HEALING_OFF) if SELF_HEALING in scenario.tags else ()
    for healer in healers:
        refuse_loss(session, scenario, objectives, changes(StepKind.FAULT, healer))
    named = tuple(acts())
    refuse_loss(session, scenario, objectives, named)
    measured = _measured(session, scenario)
    artefacts = tuple(session.artefacts.known(scenario, steps(), named))
    return Leave(scenario, objectives, watched, measured, artefacts)


def _measured(session: DrillSession, scenario: Scenario) -> Measured | None:
    """How long the drill itself needed. Raises GuardError when its control could not show anything."""
    control = scenario.control
    if control is None:
        return None
    healing_off = scenario.tag_values(SELF_HEALING_OFF)
    if control.kind is ControlKind.NO_RECOVERY and SELF_HEALING in scenario.tags and not healing_off:
        raise GuardError(
            f"{scenario.place}: the scenario is @{SELF_HEALING}: it may also recover without its recovery, so this "
            f"control shows nothing: name the fault that switches the self-healing off with @{SELF_HEALING_OFF}:NAME "
            "(a folder below playbooks/faults)"
        )
    record = _same_drill(session, scenario, control)
    return Measured.of(record) if record is not None else None


def _same_drill(session: DrillSession, scenario: Scenario, control: Control) -> Record | None:
    """The last passed drill of this control's scenario: the same row of the same text with the same files, in the same
    place.

    Raises GuardError when only another version of them has passed: its times say nothing about this one. In a proof the
    drill itself runs beside the control, and the control takes the times that the feature states.
    """
    version = _version(session, scenario)
    here = session.inventory.environment
    other: tuple[Record, str] | None = None
    for record in passed_drills(session.evidence_root, scenario.feature_path, scenario.name):
        there = record.environment
        if there.kind != here.kind or (there.name != here.name and here.kind is not EnvironmentKind.LAB):
            continue
        changed = scenario.feature_path if record.feature.sha256 != version else session.artefacts.changed_since(record)
        if changed is not None:
            other = other or (record, changed)
        elif record.feature.line == scenario.line:
            return record
    if other is not None and not session.proves:
        raise GuardError(
            f"{scenario.place}: the drill last passed with another version of {other[1]} ({other[0].started_at}): its "
            f"times do not fit the control {control}. Run the drill as it is now, then its controls, or both with "
            "'drillbook prove'"
        )
    return None


def _version(session: DrillSession, scenario: Scenario) -> str:
    return hashlib.sha256((session.root / scenario.feature_path).read_bytes()).hexdigest()


def restore_leftovers(session: DrillSession, dead: Holder | None) -> None:
    """Undo what earlier drills left. Raises NotRestored when that fails: no drill starts over an open fault."""
    failed = [one for one in session.restore_leftovers(dead) if one.why_open]
    if failed:
        raise NotRestored(
            f"NOT_RESTORED: an earlier drill left the fault {failed[0].entry.fault!r} and it cannot be undone: "
            f"{failed[0].why_open}. No drill starts over it: put right what keeps the undo, then {RESTORE}"
        )


def new_record(session: DrillSession, leave: Leave, run_id: str, anchor: Anchor) -> Record:
    """The record of a drill that begins now."""
    scenario, environment = leave.scenario, session.inventory.environment
    return Record(
        run_id=run_id,
        title=scenario.name,
        feature=FeatureRecord(
            name=scenario.feature_name,
            path=scenario.feature_path,
            line=scenario.line,
            sha256=_version(session, scenario),
        ),
        scenario=ScenarioRecord(
            name=scenario.name,
            rule=scenario.rule_name,
            description=scenario.description,
            tags=sorted(scenario.tags),
            runbooks=list(scenario.tag_values("runbook")),
        ),
        environment=EnvironmentRecord(environment.name, environment.kind.value),
        inventory=session.inventory_name,
        harness=harness(),
        git=git_state(session.root),
        engine=engine(),
        artefacts=list(leave.artefacts),
        clock=clock_state(),
        population=session.population(),
        attempts=[]
        if scenario.control is not None
        else attempts(session.evidence_root, scenario.feature_path, scenario.name),
        process=os.getpid(),
        started_at=rfc3339(anchor.wall),
        objectives=leave.objectives,
        control=_control_record(leave),
        steps=[
            StepRecord(number, step.keyword, step.text, step.line, phase)
            for number, (step, phase) in enumerate(zip(scenario.steps, scenario.phases, strict=True), start=1)
        ],
    )


def _control_record(leave: Leave) -> ControlRecord | None:
    control, measured = leave.scenario.control, leave.measured
    if control is None:
        return None
    as_stated = "as the feature states: no drill of it has passed yet"
    return ControlRecord(
        name=str(control),
        kind=control.kind,
        task=control.task,
        waits=as_stated if measured is None else str(wait_of(control.kind)),
        times_from=None if measured is None else measured.run_id,
    )


# ---- the parts of a drill that has begun --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begun:
    """The parts of a drill that has begun."""

    lock: EnvironmentLock
    shield: Shield
    under_way: UnderWay
    drill: Drill


def start(
    session: DrillSession, leave: Leave, run_id: str, lock: EnvironmentLock, note: Callable[[str], None]
) -> Begun:
    """Put the record on disk and start the prober. Raises DrillbookError; a record that exists is closed then."""
    inventory = session.inventory
    shield = Shield(note)
    abort = AbortGuard(leave.watched, shield)
    refuse_unhealthy(leave.watched, session.redactor.text)
    log = _new_log(session, leave, run_id, verify(inventory, session.people, session.redactor.text))
    prober: Prober | None = None
    seal: RunSeal | None = None
    try:
        place = paths.located(log.folder, session.root)
        lock.name_evidence(place)
        kept, stream = paths.kept(session.root), inventory.environment.name
        run = open_run.begin(kept, run_id, place, stream, signs=session.sealer.signs)
        seal = RunSeal(session.sealer, run, log.folder)
        prober = Prober(inventory.endpoints)
        abort.watch(prober)
        prober.start()
        session.sealer.get_ready()
        under_way = UnderWay(
            session=session,
            scenario=leave.scenario,
            objectives=leave.objectives,
            run_id=run_id,
            log=log,
            prober=prober,
            abort=abort,
            settled_s=log.anchor.mono_s,
            limits=TimeLimits.of(leave.scenario.tags, leave.objectives.rto_s, session.time_limits),
            measured=leave.measured,
            seal=seal,
        )
        under_way.name_what_is_shown()
        return Begun(lock, shield, under_way, Drill(under_way))
    except BaseException as error:
        if prober is not None:
            prober.stop()
        # once the lock is free, nobody comes back for the record
        sentence = f"the drill did not begin: {str(error) or type(error).__name__}"
        log.record.signature = None if seal is None else seal.signature()
        judge_anew(log, Phase.BASELINE, FindingKind.ABORTED, sentence)
        not_sealed = None if seal is None else seal.close()
        if not_sealed is not None:
            log.tell("note", text=not_sealed)
        raise


def _new_log(session: DrillSession, leave: Leave, run_id: str, prerequisites: list[PrerequisiteRecord]) -> DrillLog:
    control, anchor = leave.scenario.control, Anchor()
    record = new_record(session, leave, run_id, anchor)
    record.people, record.prerequisites = list(session.people), prerequisites
    title = record.title if control is None else f"{control} {record.title}"
    folder = session.evidence_root / folder_name(anchor.wall, session.redactor.text(title), run_id)
    recorder = Recorder(folder, record, session.redactor, session.listener, session.root)
    return DrillLog(anchor, record, recorder, leave.objectives, control)


def judge_anew(log: DrillLog, phase: Phase, kind: FindingKind, sentence: str) -> Verdict:
    """Judge again with this finding against the drill, and write the verdict where the record can be written."""
    log.find(phase, kind, sentence)
    verdict = log.judge(restored=True)
    try:
        log.amend(verdict)
    except Exception as error:  # noqa: BLE001 - pytest's hooks call this, and an error there ends the session
        log.tell("note", text=f"the verdict {verdict.outcome} is not in the record: {error}")
    return verdict
