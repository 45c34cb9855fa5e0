"""The record of one drill. Every rendering is a function of this record alone.

`drill.json` is `Record.as_json()`, redacted. Times in it are seconds since the drill's start (`*_s`, monotonic, to the
millisecond), beside RFC 3339 UTC wall time (`*_at`) for display. Lists are in the order of events. docs/evidence.md
describes each field.
"""

from __future__ import annotations  # long: the fields of drill.json, one class for each of its lists

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum, StrEnum
from pathlib import PurePath
from typing import Any

from drillbook.model.control import ControlKind
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.times.gaps import Gap
from drillbook.model.times.overhead import Overhead
from drillbook.model.times.profiles import Timings
from drillbook.model.verdict import Axis, Finding, Outcome, Verdict

SCHEMA = "drillbook/drill/1"


class StepStatus(StrEnum):
    """What became of a step."""

    PLANNED = "planned"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    WITHHELD = "withheld"
    """In a control: the step ran, but its playbook did not."""
    ABSENT = "absent"
    """In a control: the step's checks were not met."""
    PRESENT = "present"
    """In a control: the step's checks were met."""
    LEFT_OUT = "left out"
    """In a control: the step did not run."""


class UndoState(StrEnum):
    """What became of a fault's undo."""

    PENDING = "pending"
    GONE = "gone"
    """The undo's closing assertion has proven that the fault is gone."""
    FAILED = "failed"
    NEVER_HAPPENED = "never happened"
    """The drill stopped before it wrote the undo to disk, and so before the fault."""


class SwitchState(StrEnum):
    """What is known of a fault's dead man's switch. FIRED is final."""

    NOT_ARMED = "not armed"
    ARMED = "armed"
    FIRED = "fired"
    DISARMED = "disarmed"


class Purpose(StrEnum):
    """Why a playbook ran."""

    FAULT = "fault"
    RECOVERY = "recovery"
    SECOND_RECOVERY = "second recovery"
    COMMUNICATION = "communication"
    UNDO = "undo"
    SWITCH = "switch"
    CLEANUP = "cleanup"


SECOND_RECOVERY = Purpose.SECOND_RECOVERY


class Role(StrEnum):
    """What a check is for."""

    EVIDENCE = "evidence"
    """A met check is evidence: the incident is there, or the system is well."""
    BOUND = "bound"
    """The check holds with and without the incident (the API stays alive). It is never a sign of the incident."""
    COMMUNICATION = "communication"
    """The check shows that people were told. It is required, but is no sign that the system is well."""


@dataclass(slots=True)
class FeatureRecord:
    """The scenario's file: `path` is relative to the root, `sha256` is the digest of the file."""

    name: str
    path: str
    line: int
    sha256: str


@dataclass(slots=True)
class ScenarioRecord:
    """The scenario as the feature writes it. `runbooks` are the clauses that its tags name."""

    name: str
    rule: str | None
    tags: list[str]
    runbooks: list[str]
    description: str = ""


class ArtefactKind(StrEnum):
    """What a file is to the drills that use it."""

    FEATURE = "feature"
    STEPS = "steps"
    """A step module, the repository's modules that it imports, and each conftest.py that pytest reads for it."""
    PLAYBOOK = "playbook"
    """A playbook, and all that it includes: task files, variables, scripts."""
    ROLE = "role"
    MODULE = "module"
    MODULE_UTIL = "module_util"
    TEMPLATE = "template"
    RUNBOOK = "runbook"
    DECISIONS = "decisions"
    """A decision table."""
    INVENTORY = "inventory"
    """What Ansible reads as the inventory, and ansible.cfg."""


@dataclass(frozen=True, slots=True)
class ArtefactRecord:
    """A file that a drill used: its path from the root, and the digest of its text as git keeps it.

    `clause` is the anchor that a tag names in a runbook, or the scenario's name in a feature; `clause_sha256` is the
    digest of that part alone. Both are None for other files.
    """

    kind: ArtefactKind
    path: str
    sha256: str
    clause: str | None = None
    clause_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """The Drillbook that ran the drill: its version, and one digest of all its sources."""

    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ClockRecord:
    """What the kernel says about the wall clock of the machine that ran the drill.

    If it says nothing, `reason` says why.
    """

    synchronised: bool | None = None
    max_error_s: float | None = None
    estimated_error_s: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOutRecord:
    """A drill or control that the session collected and did not select."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class PopulationRecord:
    """The session's drills and controls: how many were collected, how many were selected, and which were left out.

    `deselected` is cut at 100; `deselected_count` counts all.
    """

    collected: int
    selected: int
    deselected_count: int
    deselected: list[LeftOutRecord]


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An earlier drill of the same scenario; `outcome` is None when it was killed and is not closed yet."""

    run_id: str
    started_at: str
    outcome: Outcome | None
    reason: str | None


@dataclass(slots=True)
class EnvironmentRecord:
    """The environment, as the inventory states it."""

    name: str
    kind: str


@dataclass(slots=True)
class ControlRecord:
    """Which control the scenario ran as.

    `waits` says how its waiting times are derived; `times_from` is the run_id of the drill that they come from.
    """

    name: str
    kind: ControlKind
    task: str | None
    waits: str
    times_from: str | None


@dataclass(frozen=True, slots=True)
class RepeatRecord:
    """How the control recovery-twice ended, when it was the end of the drill."""

    outcome: Outcome
    reason: str


@dataclass(slots=True)
class PhaseRecord:
    """A phase; `ended_s` is None while it runs."""

    phase: Phase
    started_s: float
    ended_s: float | None = None


@dataclass(slots=True)
class StepRecord:
    """A step of the feature."""

    number: int
    keyword: str
    text: str
    line: int
    phase: Phase
    status: StepStatus = StepStatus.PLANNED
    started_s: float | None = None
    duration_s: float | None = None
    error: str | None = None


@dataclass(slots=True)
class CheckRecord:
    """One judgement of one check.

    `found_s` is the moment of the sample that met it (for a window: its begin). `uncertainty_s` is how much earlier it
    may have been met. `until_s` is the end of the window, `deadline_s` the latest moment allowed. `samples` is the
    number of samples judged.
    """

    step: int
    phase: Phase
    name: str
    source: str
    required: str
    observed: str
    met: bool
    found_s: float | None = None
    uncertainty_s: float | None = None
    window_s: float | None = None
    until_s: float | None = None
    since_s: float | None = None
    deadline_s: float | None = None
    samples: int = 0
    breaks: int = 0
    unknown: bool = False
    role: Role = Role.EVIDENCE


@dataclass(slots=True)
class PrerequisiteRecord:
    """Something that had to be there before the fault. `step` is None when the inventory demands it of every drill."""

    name: str
    observed: str
    required: str
    met: bool
    step: int | None = None


@dataclass(slots=True)
class ObservationRecord:
    """What a step saw and nobody judged. `value` is JSON; its floats are not rounded, because they are no times."""

    phase: Phase
    step: int
    subject: str
    value: Any
    unit: str
    at_s: float


@dataclass(slots=True)
class DecisionRecord:
    """What a decision table said, of metrics that were measured. `assumed` are those that the table supplied."""

    phase: Phase
    step: int
    at_s: float
    table: str
    rule: str
    when: list[str]
    source: str
    severity: str
    decision: str
    within_s: float | None
    advice: str
    metrics: Mapping[str, Any]
    assumed: Mapping[str, Any]


@dataclass(slots=True)
class PlayRecord:
    """One run of a playbook: `PlayResult.as_record()` in drill time. `warm`: Ansible was already imported."""

    step: int | None
    purpose: Purpose
    playbook: str
    variables: Mapping[str, Any]
    started_s: float
    ended_s: float
    status: str
    rc: int
    changed: bool
    problems: list[str]
    hosts: Mapping[str, Mapping[str, int]]
    tasks: list[Mapping[str, Any]]
    warm: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FaultRecord:
    """A fault and what became of it. `switch` is None for a fault without a dead man's switch."""

    name: str
    variables: Mapping[str, Any]
    entry: str
    undo: UndoState = UndoState.PENDING
    took_effect: bool = False
    undo_problem: str | None = None
    step: int = 0
    switch: SwitchState | None = None


@dataclass(slots=True)
class EventRecord:
    """A named moment. `source` is what saw it (a playbook's task, an endpoint's sample, a message)."""

    event: str
    at: str
    at_s: float
    uncertainty_s: float
    source: str
    bounded: bool = False
    """Nobody looked before this moment: the event may have happened long before."""


@dataclass(slots=True)
class TimesRecord:
    """The times that an incident review asks for, each in seconds with its uncertainty; None for an event that did not
    happen.
    """

    detect_s: float | None = None
    detect_uncertainty_s: float | None = None
    alert_s: float | None = None
    alert_uncertainty_s: float | None = None
    act_s: float | None = None
    act_uncertainty_s: float | None = None
    recover_s: float | None = None
    recover_uncertainty_s: float | None = None
    rto_s: float | None = None
    rto_clock: str = "fault_injected"
    rto_met: bool | None = None
    bounds: list[str] = field(default_factory=list)
    """The names of the times, of the four, that are only upper bounds, because nobody looked before."""

    def of(self, name: str) -> tuple[float | None, float | None]:
        """(seconds, their uncertainty) of `detect`, `alert`, `act` or `recover`."""
        return getattr(self, f"{name}_s"), getattr(self, f"{name}_uncertainty_s")


class SignatureState(StrEnum):
    """Whether the evidence of a drill is signed."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True)
class SignatureRecord:
    """Who signs the evidence. `reason` says why nobody signs, or what a reader must know about the key."""

    state: SignatureState
    keyid: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class ProbeRecord:
    """The sampling of one endpoint."""

    endpoint: str
    kind: str
    samples: int
    failures: int
    interval_s: float
    timeout_s: float
    gaps: list[Gap] = field(default_factory=list)


@dataclass(slots=True)
class WorkRecord:
    """The balance of the work submitted during the drill. Lists of ids are cut at 100; `*_count` counts all."""

    attempted: int
    acknowledged: int
    refused: int
    unknown: int
    completed: int
    lost_count: int
    duplicated_count: int
    unexpected_count: int
    recovered_count: int
    skipped: int
    lost: list[str]
    duplicated: list[str]
    unexpected: list[str]
    rates: list[Mapping[str, float]]
    accepted_lost: int | None = None
    """The exact number of acknowledged jobs that the scenario accepts to lose; None when it accepts no loss."""
    answered_otherwise: Mapping[str, int] = field(default_factory=dict)
    """Statuses that neither accept nor refuse: how many of the unknown attempts were answered with each."""


@dataclass(slots=True)
class Record:
    """All that is known about one drill. It is written to disk while the drill runs."""

    run_id: str
    title: str
    feature: FeatureRecord
    scenario: ScenarioRecord
    environment: EnvironmentRecord
    inventory: str
    harness: Mapping[str, str]
    git: Mapping[str, Any]
    process: int
    started_at: str
    objectives: Objectives
    engine: EngineRecord | None = None
    """None in records of earlier versions."""
    artefacts: list[ArtefactRecord] = field(default_factory=list)
    """Sorted by path. A file that a play includes without notice is added after the play."""
    clock: ClockRecord | None = None
    """None in records of earlier versions."""
    population: PopulationRecord | None = None
    """None when no session gave it."""
    attempts: list[AttemptRecord] = field(default_factory=list)
    """Earlier drills of the scenario in the same evidence: newest first, back to the last that passed, 10 at most."""
    control: ControlRecord | None = None
    """None for a drill."""
    repeat: RepeatRecord | None = None
    signature: SignatureRecord | None = None
    """None until there is a verdict."""
    people: list[str] = field(default_factory=list)
    prerequisites: list[PrerequisiteRecord] = field(default_factory=list)
    ended_at: str | None = None
    duration_s: float | None = None
    outcome: Outcome | None = None
    """None until there is a verdict."""
    reason: str | None = None
    axes: dict[str, Axis] = field(default_factory=dict)
    """`valid`, `recovered`, `restored`; empty until there is a verdict."""
    times: TimesRecord = field(default_factory=TimesRecord)
    timeline: list[EventRecord] = field(default_factory=list)
    phases: list[PhaseRecord] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    checks: list[CheckRecord] = field(default_factory=list)
    observations: list[ObservationRecord] = field(default_factory=list)
    decisions: list[DecisionRecord] = field(default_factory=list)
    timings: Timings | None = None
    """The windows of the verification; None where no step asked for them."""
    faults: list[FaultRecord] = field(default_factory=list)
    plays: list[PlayRecord] = field(default_factory=list)
    work: WorkRecord | None = None
    cleanup: UndoState | None = None
    """What became of the cleanup of the work; None when the drill needed none."""
    probes: list[ProbeRecord] = field(default_factory=list)
    probe_cpu_ratio: float | None = None
    overhead: Overhead | None = None
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a value is missing, by its place; worked out when the record is written."""

    def close(self, verdict: Verdict, ended_at: str, duration_s: float) -> None:
        """Write the verdict into the record."""
        self.outcome, self.reason = verdict.outcome, verdict.reason
        self.axes = {"valid": verdict.valid, "recovered": verdict.recovered, "restored": verdict.restored}
        self.ended_at, self.duration_s = ended_at, duration_s

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        plain = to_plain(self)
        assert isinstance(plain, dict)
        return {"schema": SCHEMA, **plain}


_PLAIN = (str, int, bool)


def to_plain(value: object) -> Any:
    """Turns dataclasses, enums, paths and tuples into plain JSON values, and rounds floats to the millisecond.

    Sets are sorted. Floats that JSON does not have (nan, inf) become text.
    """
    if value is None or type(value) in _PLAIN:  # most are; the drill writes the record twice for each step
        return value
    if isinstance(value, ObservationRecord):
        return {f.name: value.value if f.name == "value" else to_plain(getattr(value, f.name)) for f in fields(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((to_plain(item) for item in value), key=str)
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else str(value)
    if isinstance(value, PurePath):
        return value.as_posix()
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)
