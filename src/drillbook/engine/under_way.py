"""What a drill that has begun knows: its parts, and the results of its steps so far.

The rule: acting, looking and the life of a drill share this and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.checks import Check
from drillbook.engine.failures import DrillFailure, kind_of, sentence_of
from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.engine.keeping.sealing import RunSeal
from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError, GuardError
from drillbook.evidence.secret_forms import MIN_LENGTH
from drillbook.model import paths
from drillbook.model.control_rules.waits import Measured
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import CheckRecord, StepRecord
from drillbook.model.scenario import Scenario
from drillbook.model.time_limits import TimeLimits
from drillbook.model.times.timeline import Moment
from drillbook.model.times.windows import Found
from drillbook.model.verdict import FindingKind
from drillbook.safety.abort_condition import AbortGuard
from drillbook.safety.data_loss import first_destroyer, refusal
from drillbook.target.ansible.result import PlayResult
from drillbook.target.ansible.selection import ALL, Selection
from drillbook.target.probing.load import Load
from drillbook.target.probing.prober import Prober

DEFAULT_LIMITS = TimeLimits()


@dataclass(slots=True)
class Kept:
    """A check that was met once, and must be met again (baseline) or stay met (criteria)."""

    check: Check
    record: CheckRecord
    found: Found
    until_s: float
    bounded: bool
    """It was met by then, but nobody looked before: neither the prober nor, before it asked, the step."""
    dated: bool = False
    """What the check saw has a moment of its own, as a message that arrived: it does not happen again."""

    @property
    def moment(self) -> Moment:
        """When it was met."""
        return Moment(self.found.at_s, self.found.uncertainty_s, self.check.name, self.bounded)


@dataclass(slots=True)
class UnderWay:
    """A drill under way. Instants are of `time.monotonic()`."""

    session: DrillSession
    scenario: Scenario
    objectives: Objectives
    run_id: str
    log: DrillLog
    prober: Prober
    abort: AbortGuard
    settled_s: float
    """From here on the system counts as settled: values before the fault are read from here on."""
    limits: TimeLimits = DEFAULT_LIMITS
    measured: Measured | None = None
    """In a control: what the drill itself needed."""
    load: Load | None = None
    incident_s: float | None = None
    """When this incident's fault happened; None before the first."""
    baseline: list[Kept] = field(default_factory=list)
    criteria: list[Kept] = field(default_factory=list)
    recoveries: list[tuple[str, Path, Mapping[str, object], Selection]] = field(default_factory=list)
    """The name, playbook, variables and selection of each recovery that ran clean."""
    announced_s: dict[str, float] = field(default_factory=dict)
    seal: RunSeal | None = None
    """What seals its evidence."""
    left_out_seen: bool = False
    """Whether the task that a control leaves out was part of a recovery."""
    _incident_phase: int = -1
    _told: BaseException | None = None

    def declare(self) -> None:
        """Sign the intent, before anything is broken or noted to be undone. Raises DrillbookError."""
        if self.seal is not None:
            self.seal.declare()

    @property
    def opened_s(self) -> float:
        """The event that opened the phase: the fault, the recovery's start, or the step's own begin."""
        looks = self.log.phase in (Phase.SYMPTOMS, Phase.CRITERIA)
        return self.log.opened_s if looks else self.log.step_began_s

    def open_incident(self, at_s: float) -> None:
        """Something was broken at this instant.

        Further faults of the same phase belong to the incident of the first one.
        """
        phase = len(self.log.record.phases)
        if self._incident_phase != phase:
            self._incident_phase, self.log.opened_s = phase, at_s
        self.incident_s = self.log.opened_s

    def step_of(self, call: str, phase: Phase) -> StepRecord:
        """The current step, which must be of this phase. Raises DrillbookError."""
        step = self.log.step
        if step is None or step.phase is not phase:
            where = f"'{step.keyword} {step.text}'" if step is not None else "a hook or fixture"
            raise DrillbookError(f"drill.{call}() belongs in a @{phase} step, and {where} is none")
        return step

    def play(
        self,
        path: Path,
        variables: Mapping[str, object],
        purpose: str,
        *,
        selection: Selection = ALL,
        on_host: Callable[[str], None] | None = None,
        without: str | None = None,
    ) -> PlayResult:
        """Run a playbook and keep its result. Raises PlaybookError, and what `on_host` raises."""
        self.session.artefacts.add(self.log.record, paths.relative(path, self.session.root))
        result = self.session.playbooks.run(
            path,
            variables,
            timeout_s=self.limits.play_s,
            selection=selection,
            without=without,
            on_task=lambda task: self.log.tell("detail", text=task),
            on_host=on_host,
        )
        self.log.play(result, purpose, variables)
        self.name_what_is_shown()
        return result

    def name_what_is_shown(self) -> None:
        """Note which secrets are too short to be kept out of the record, and tell the terminal once a session."""
        for label in sorted(self.session.redactor.too_short):
            least = f"a value of fewer than {MIN_LENGTH} characters cannot be redacted"
            sentence = f"the value of {label} may appear in the evidence: {least}"
            if sentence not in self.log.record.notes:
                self.log.record.notes.append(sentence)
            if sentence not in self.session.told:
                self.session.told.add(sentence)
                self.log.tell("note", text=sentence)

    def fail(self, phase: Phase, kind: FindingKind, sentence: str) -> DrillFailure:
        """Keep a finding against the drill; returns the failure to be raised."""
        said = self.log.find(phase, kind, sentence)
        return DrillFailure(f"{self.log.judge(restored=False).outcome}: {said}")

    def tell(self, error: BaseException) -> None:
        """What a step raised becomes a finding, unless it already is one."""
        if isinstance(error, DrillFailure) or error is self._told or self.abort.fired is not None:
            return
        self._told = error
        self.fail(self.log.phase, kind_of(error), sentence_of(error))


def refuse_loss(session: DrillSession, scenario: Scenario, objectives: Objectives, playbooks: Iterable[str]) -> None:
    """Refuse to destroy data in a scenario that does not say how much may be lost. Raises GuardError."""
    if objectives.accepted_lost is not None:
        return
    found = first_destroyer(session.root, playbooks)
    if found is not None:
        raise GuardError(refusal(found, scenario.name, scenario.place))
