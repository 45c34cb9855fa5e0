"""Plans a scenario: which playbooks it would run, where and with what, without touching anything.

The rule: nothing is left out silently. Each of these is a problem with file and line, and the scenario counts as not
planned: a missing playbook or undo, a pattern that matches no host, an unknown endpoint, a step that cannot be planned.
Only steps that are known to be harmless are executed (`harmless`), with a drill that only keeps their calls.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.evidence.history import drills
from drillbook.model import paths
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase, PlannedStep, StepKind
from drillbook.model.scenario import Scenario
from drillbook.model.tags import accepted_loss
from drillbook.model.verdict import Outcome
from drillbook.model.work_balance import PREFIX_VARIABLE
from drillbook.repository.obstacles import of_playbook
from drillbook.repository.plan.handlers import handlers
from drillbook.repository.plan.plan import History, Intent, PlanProblem, PlaybookPlan, ScenarioPlan, StepPlan
from drillbook.repository.plan.scenario_facts import StepFacts, collect
from drillbook.repository.preflight import ScenarioRun
from drillbook.repository.step_definitions import Definition
from drillbook.safety.data_loss import changes, first_destroyer, refusal
from drillbook.safety.permission import permit
from drillbook.target.ansible.listing import Listed, Listings, PlayPlan
from drillbook.target.ansible.selection import ALL, Selection
from drillbook.target.ansible.yaml_lines import UnreadableError, load, mappings
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.settings import EnvironmentKind

_ADDS_HOSTS = re.compile(r"\b(?:add_host|group_by):")

# ------------------------------------------------------------------ a scenario


@dataclass
class Planner:
    """Plans scenarios of one session. It resolves the inventory once, and lists each playbook once."""

    session: DrillSession
    _inventory: Inventory | str | None = None
    _listings: Listings | None = None

    def inventory(self) -> Inventory | str:
        """The inventory, or why there is none."""
        if self._inventory is None:
            try:
                self._inventory = self.session.inventory
            except DrillbookError as error:
                self._inventory = str(error)
        return self._inventory

    def plan(self, scenario: Scenario, run: ScenarioRun) -> ScenarioPlan:
        """The plan of the scenario."""
        return _Scenario(self, scenario, run).plan()

    def listed(self, playbook: Path, variables: Mapping[str, object], selection: Selection) -> Listed:
        """Ansible's list of a playbook. Raises PlaybookError."""
        inventory = self.inventory()
        assert isinstance(inventory, Inventory)
        if self._listings is None:
            session = self.session
            self._listings = Listings(
                session.root, inventory.path, session.redactor, session.pass_env, inventory.further
            )
        return self._listings.of(playbook, variables, selection)


@dataclass
class _Scenario:
    planner: Planner
    scenario: Scenario
    run: ScenarioRun
    problems: list[PlanProblem] = field(default_factory=list)

    def plan(self) -> ScenarioPlan:
        scenario, session = self.scenario, self.planner.session
        inventory = self.planner.inventory()
        resolved = inventory if isinstance(inventory, Inventory) else None
        objectives = Objectives.of(scenario.tags)
        leftovers: tuple[str, ...] = ()
        needs: tuple[str, ...] = ()
        cleanup: PlaybookPlan | None = None
        steps: list[StepPlan] = []
        if not scenario.is_drill:
            steps = [
                self._ordinary(step, found) for step, found in zip(scenario.steps, self.run.definitions, strict=True)
            ]
        else:
            if resolved is None:
                self._wrong(scenario.line, f"hosts and tasks cannot be planned: {inventory}")
            else:
                leftovers, needs = self._left_open(), self._needs(resolved)
            # problems are redacted with all else that a plan shows
            facts = collect(scenario, self.run, resolved, session.root, str)
            steps = [
                self._step(planned, step, resolved) for planned, step in zip(scenario.steps, facts.steps, strict=True)
            ]
            if (session.root / paths.WORK_CLEANUP).is_file() and facts.may_submit_work:
                cleanup = self._playbook("cleanup", paths.WORK_CLEANUP, {PREFIX_VARIABLE: "drill-"})
            for phase, first in facts.unlooked():
                self._wrong(first.line, f"{_LOOKING[phase]}: no step of this phase hands a check to the drill")
        return ScenarioPlan(
            feature=scenario.feature_name,
            scenario=scenario.name,
            path=scenario.feature_path,
            line=scenario.line,
            inventory=session.inventory_name,
            environment=resolved.environment.name if resolved else None,
            kind=resolved.environment.kind.value if resolved else None,
            rto_s=objectives.rto_s,
            severity=objectives.severity,
            history=History() if resolved is None else history(session, scenario),
            steps=tuple(steps),
            cleanup=cleanup,
            leftovers=leftovers,
            needs=needs,
            problems=tuple(dict.fromkeys(self.problems)),
        )

    def _ordinary(self, step: PlannedStep, definition: Definition) -> StepPlan:
        return StepPlan(step.keyword, step.text, step.line, definition.location, None)

    def _left_open(self) -> tuple[str, ...]:
        """The faults that the drill would undo first."""
        try:
            return tuple(entry.fault for entry in self.planner.session.journal.open_entries())
        except DrillbookError as error:
            self._wrong(self.scenario.line, str(error))
            return ()

    def _needs(self, inventory: Inventory) -> tuple[str, ...]:
        """The permission that the drill needs. The plan touches nothing, and is made without it."""
        environment, given = inventory.environment, self.planner.session.allow_production
        try:
            permit(environment, environment.name, self.scenario.tags)
        except DrillbookError as error:
            self._wrong(self.scenario.line, str(error))
        needed = environment.kind is EnvironmentKind.PRODUCTION and given != environment.name
        return (f"--allow-production {environment.name}",) if needed else ()

    def _step(self, planned: PlannedStep, step: StepFacts, inventory: Inventory | None) -> StepPlan:
        if step.error is not None:
            self._wrong(step.line, f"'{step.text}' cannot be planned: {step.error}")
        if step.acts and not step.executed:
            sentence = f"{step.uncertain}; a step of this kind only says which playbook is run"
            self._wrong(step.line, f"'{step.text}' cannot be planned: {sentence}")
        elif step.acts and step.uncertain is not None:
            sentence = f"it depends on what only the drill will know ({step.uncertain})"
            self._wrong(step.line, f"'{step.text}' cannot be planned: {sentence}")
        elif step.does_nothing:
            self._wrong(step.line, f"'{step.text}' does not call {step.missing_call} ({step.location})")
        if inventory is not None:
            self._look_for_what_it_reads(step, inventory)
        why = "known only in the drill" if step.executed else "not executed for the plan"
        return StepPlan(
            planned.keyword,
            planned.text,
            step.line,
            step.location,
            step.phase,
            playbooks=(
                *(play for intent in step.intents for play in self._playbooks(intent, step)),
                *(play for message in step.messages for play in self._message(message, step)),
            ),
            checks=step.checks,
            notes=(*step.notes, *(["nobody does anything"] if step.left_alone else [])),
            unknown=f"{why}: {step.uncertain}" if step.uncertain is not None else None,
        )

    def _look_for_what_it_reads(self, step: StepFacts, inventory: Inventory) -> None:
        name = self.planner.session.inventory_name
        for source in step.not_sampled(inventory):
            known = ", ".join(sorted(inventory.endpoints)) or "none"
            sentence = f"looks at the endpoint '{source}', which {name} does not sample (endpoints: {known})"
            self._wrong(step.line, f"'{step.text}' {sentence}")
        if step.cannot_submit(inventory):
            self._wrong(step.line, f"'{step.text}' submits work, and {name} has no drillbook_work")

    def _playbooks(self, intent: Intent, step: StepFacts) -> list[PlaybookPlan]:
        if accepted_loss(self.scenario.tags) is None:
            found = first_destroyer(self.planner.session.root, changes(intent.kind, intent.name))
            if found is not None:
                where = f"{self.scenario.feature_path}:{self.scenario.line}"
                self._add(found.path, found.line, refusal(found.what, self.scenario.name, where))
        root, said = self.planner.session.root, f"'{step.text}'"
        if intent.kind is StepKind.RECOVERY:
            if not (root / intent.playbook).is_file():
                self._wrong(
                    step.line,
                    f"{said} names a recovery that is not there: no {intent.playbook}{self._other(intent.playbook)}",
                )
                return []
            return [self._playbook("recovery", intent.playbook, intent.variables, intent.selection)]
        plans = []
        for purpose, part in (("fault", paths.INJECT), ("undo", paths.UNDO), ("switch", paths.SWITCH)):
            playbook = paths.fault(intent.name, part)
            if (root / playbook).is_file():
                plans.append(self._playbook(purpose, playbook, intent.variables))
            elif part != paths.SWITCH or self._other(playbook):  # only the dead man's switch may be missing
                missing = f"{playbook}, which is not there{self._other(playbook)}"
                self._wrong(step.line, f"{said} needs {missing}: a fault has inject.yml and undo.yml")
        return plans

    def _other(self, playbook: str) -> str:
        return paths.misnamed(self.planner.session.root, playbook)

    def _message(self, name: str, step: StepFacts) -> list[PlaybookPlan]:
        playbook = paths.message(name)
        if not (self.planner.session.root / playbook).is_file():
            self._wrong(
                step.line, f"'{step.text}' names a message that is not there: no {playbook}{self._other(playbook)}"
            )
            return []
        return [self._playbook("communication", playbook, {})]

    def _playbook(
        self, purpose: str, playbook: str, variables: Mapping[str, object], selection: Selection = ALL
    ) -> PlaybookPlan:
        session = self.planner.session
        session.redactor.learn(variables)
        hidden: dict[str, object] = session.redactor.data(dict(variables))
        listed = Listed()
        inventory = self.planner.inventory()
        su_asks = isinstance(inventory, Inventory) and inventory.su_asks
        if isinstance(inventory, Inventory):
            path = session.root / playbook
            try:
                listed = self.planner.listed(path, variables, selection)
            except DrillbookError as error:
                self._add(playbook, 1, f"cannot be planned: {error}")
            else:
                self._matches(playbook, path, listed.plays)
        with suppress(DrillbookError):  # an ansible.cfg that cannot be read: Ansible's own words say so
            for where, each in of_playbook(session.root, playbook, variables.keys(), su_asks=su_asks):
                self._add(where, each.line, each.sentence)
        notified = tuple(map(session.redactor.text, handlers(session.root, playbook)))
        return PlaybookPlan(purpose, playbook, hidden, listed.plays, bool(listed.plays), notified, listed.warnings)

    def _matches(self, playbook: str, path: Path, plays: tuple[PlayPlan, ...]) -> None:
        if not plays:
            self._add(playbook, 1, "there is no play in it")
        adds_hosts = _ADDS_HOSTS.search(path.read_text(encoding="utf-8", errors="replace"))
        for number, play in enumerate(plays):
            # a playbook that makes a group as it runs is listed with NO HOST: nothing more can be known before
            if not play.hosts and not adds_hosts:
                line = _line_of_play(path, number, len(plays))
                self._add(
                    playbook,
                    line,
                    f'the pattern "{play.pattern}" of the play "{play.name}" matches no host of '
                    f"{self.planner.session.inventory_name}",
                )

    def _wrong(self, line: int, message: str) -> None:
        self._add(self.scenario.feature_path, line, message)

    def _add(self, path: str, line: int, message: str) -> None:
        self.problems.append(PlanProblem(path, line, message))


_LOOKING = {
    Phase.BASELINE: "the baseline is not looked at",
    Phase.SYMPTOMS: "no symptom is looked at",
    Phase.CRITERIA: "no success criterion is looked at",
}


def _line_of_play(path: Path, number: int, count: int) -> int:
    """Where the play begins, if the file itself holds all of its plays; else 1."""
    try:
        plays = mappings(load(path.read_text(encoding="utf-8", errors="replace")))
    except UnreadableError:
        return 1
    return plays[number].line if len(plays) == count else 1


# ------------------------------------------------------------------ how long it took


def history(session: DrillSession, scenario: Scenario) -> History:
    """How long the passed drills of a scenario took in the session's environment, from the records in its evidence.

    Only drills with the same steps count, so that each row of an outline has its own.
    """
    unreadable: list[str] = []
    here = session.inventory.environment
    steps = [(step.keyword, session.redactor.text(step.text)) for step in scenario.steps]
    took = [
        record.duration_s
        for record in drills(session.evidence_root, scenario.feature_path, scenario.name, unreadable.append)
        if record.outcome is Outcome.PASSED
        and record.duration_s is not None
        and (record.environment.name, record.environment.kind) == (here.name, here.kind)
        and [(step.keyword, step.text) for step in record.steps] == steps
    ]
    if not took:
        return History(unreadable=tuple(unreadable))
    return History(len(took), statistics.median(took), min(took), max(took), tuple(unreadable))
