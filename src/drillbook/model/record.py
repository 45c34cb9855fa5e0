"""The record of one drill: the one truth that every rendering is a function of.

`drill.json` is `Record.as_json()`, redacted. Times in it are seconds since the drill's start (`*_s`, monotonic, to the
millisecond) beside RFC 3339 UTC wall time (`*_at`) for display. Lists stand in the order in which things happened.
The shape is described field by field in docs/evidence.md.
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
    """In a control: the step ran, and the playbook that it names did not."""
    ABSENT = "absent"
    """In a control: what it looks for was not there."""
    PRESENT = "present"
    """In a control: what it looks for was there."""
    LEFT_OUT = "left out"
    """In a control: the step was not run."""


class UndoState(StrEnum):
    """What became of a fault's undo."""

    PENDING = "pending"
    GONE = "gone"
    """The undo's closing assertion has proven the fault gone."""
    FAILED = "failed"
    NEVER_HAPPENED = "never happened"
    """The drill was stopped before the undo was on disk, and so before the fault."""


class SwitchState(StrEnum):
    """What is known of a fault's dead man's switch; FIRED stays, whatever happens to it afterwards."""

    NOT_ARMED = "not armed"
    ARMED = "armed"
    FIRED = "fired"
    DISARMED = "disarmed"


class Purpose(StrEnum):
    """What a playbook was run for."""

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
    """Being met says something: the incident is there, the system is well."""
    BOUND = "bound"
    """Holds in the incident and without it (the API stays alive): never a sign of the incident."""
    COMMUNICATION = "communication"
    """People were told: required, and no sign that the system is well."""


@dataclass(slots=True)
class FeatureRecord:
    """Where the scenario stands: `path` is relative to the root, `sha256` is that of the file."""

    name: str
    path: str
    line: int
    sha256: str


@dataclass(slots=True)
class ScenarioRecord:
    """The scenario as the feature has it. `runbooks` are the clauses that its tags name."""

    name: str
    rule: str | None
    tags: list[str]
    runbooks: list[str]
    description: str = ""


@dataclass(slots=True)
class EnvironmentRecord:
    """The environment, as the inventory states it."""

    name: str
    kind: str


@dataclass(slots=True)
class ControlRecord:
    """As which control the scenario ran.

    `waits` says how its waiting times come about, `times_from` is the run_id of the drill that they were taken from.
    """

    name: str
    kind: ControlKind
    task: str | None
    waits: str
    times_from: str | None


@dataclass(frozen=True, slots=True)
class RepeatRecord:
    """How the control recovery-twice ended, where it was the end of the drill."""

    outcome: Outcome
    reason: str


@dataclass(slots=True)
class PhaseRecord:
    """A phase; `ended_s` is None for the one under way."""

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

    `found_s` is the moment of the sample that met it (for a window: its begin), `uncertainty_s` how much earlier it may
    have been so, `until_s` the end of the window, `deadline_s` the latest moment allowed. `samples` were judged for it.
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
    """What had to be there before anything was broken. `step` is None for what the inventory demands of every drill."""

    name: str
    observed: str
    required: str
    met: bool
    step: int | None = None


@dataclass(slots=True)
class ObservationRecord:
    """What a step saw and nobody judged. `value` is JSON; its floats stay as they are, since they are no times."""

    phase: Phase
    step: int
    subject: str
    value: Any
    unit: str
    at_s: float


@dataclass(slots=True)
class PlayRecord:
    """One run of a playbook, `PlayResult.as_record()` in drill time. `warm`: on an Ansible imported already."""

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
    """A fault and what became of it. `switch` is None for a fault that has no dead man's switch."""

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
    """A named moment. `source` says who saw it (a playbook's task, an endpoint's sample, a message)."""

    event: str
    at: str
    at_s: float
    uncertainty_s: float
    source: str
    bounded: bool = False
    """It was so by then, and perhaps long before."""


@dataclass(slots=True)
class TimesRecord:
    """What an incident review asks for, each in seconds with its uncertainty; None where it was not reached."""

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
    """Of which of the four the seconds are a bound: it took no longer, and nobody looked before."""

    def of(self, name: str) -> tuple[float | None, float | None]:
        """(seconds, their uncertainty) of `detect`, `alert`, `act` or `recover`."""
        return getattr(self, f"{name}_s"), getattr(self, f"{name}_uncertainty_s")


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
    """The balance of the work submitted all through the drill; id lists are cut at 100, `*_count` are whole."""

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
    """How many acknowledged jobs the scenario was to lose, exactly; None when it accepts no loss."""
    answered_otherwise: Mapping[str, int] = field(default_factory=dict)
    """Of the unknown, how many were answered with each of these statuses, which neither accept nor refuse."""


@dataclass(slots=True)
class Record:
    """Everything that is known about one drill; written to disk as it goes."""

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
    control: ControlRecord | None = None
    """None for a drill."""
    repeat: RepeatRecord | None = None
    people: list[str] = field(default_factory=list)
    prerequisites: list[PrerequisiteRecord] = field(default_factory=list)
    ended_at: str | None = None
    duration_s: float | None = None
    outcome: Outcome | None = None
    """None as long as there is no verdict."""
    reason: str | None = None
    axes: dict[str, Axis] = field(default_factory=dict)
    """`valid`, `recovered`, `restored`; empty as long as there is no verdict."""
    times: TimesRecord = field(default_factory=TimesRecord)
    timeline: list[EventRecord] = field(default_factory=list)
    phases: list[PhaseRecord] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    checks: list[CheckRecord] = field(default_factory=list)
    observations: list[ObservationRecord] = field(default_factory=list)
    faults: list[FaultRecord] = field(default_factory=list)
    plays: list[PlayRecord] = field(default_factory=list)
    work: WorkRecord | None = None
    cleanup: UndoState | None = None
    """What became of the cleanup of the work; None when none was to be made."""
    probes: list[ProbeRecord] = field(default_factory=list)
    probe_cpu_ratio: float | None = None
    overhead: Overhead | None = None
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

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
    """Dataclasses, enums, paths and tuples to plain JSON values; floats to the millisecond.

    Sets are sorted, and floats that JSON does not have (nan, inf) become text.
    """
    if value is None or type(value) in _PLAIN:  # most are, and a record is written twice for each step
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
