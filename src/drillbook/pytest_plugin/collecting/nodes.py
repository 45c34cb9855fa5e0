"""pytest's nodes for a feature: the file, its rules, and its scenarios as items that run their steps.

The rule: collection refuses a file with any error, and reports all its errors, so that nothing of it runs. A step runs
with the definition that collection found.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from _pytest._code.code import ExceptionInfo, TerminalRepr, Traceback
from _pytest.python import CallSpec
from pytest_bdd.scenario import _execute_step_function

from drillbook.model.control import REPEATED, Control, ends_its_drill
from drillbook.model.paths import shown
from drillbook.model.scenario import Scenario
from drillbook.model.tags import (
    ABORT_WHEN,
    ACCEPTS_DATA_LOSS,
    NOT_REPEATABLE,
    PRODUCTION_SAFE,
    SELF_HEALING,
    SELF_HEALING_OFF,
    slug,
    tag_values,
)
from drillbook.model.times.default_limits import DEFAULTS_S
from drillbook.pytest_plugin.collecting.failure_repr import (
    StepMark,
    own_frames,
    sentence_of,
    sentence_repr,
    trail,
    with_trail,
)
from drillbook.pytest_plugin.collecting.refusal import FeatureRefused
from drillbook.pytest_plugin.collecting.tag_markers import apply_tag
from drillbook.pytest_plugin.named import REQUIRE_DRILLS, REQUIRE_RTO
from drillbook.pytest_plugin.options import asked_controls
from drillbook.repository.feature_file import Problem, node_name, read_feature
from drillbook.repository.preflight import ScenarioRun, runs_of
from drillbook.repository.scenario_text import digest_of
from drillbook.repository.step_definitions import Definitions, visible_definitions
from drillbook.repository.step_modules import UnloadedModule

try:
    from _pytest.nodeid import coerce_node_id
except ImportError:  # before pytest 9.2, where a node id is a text
    coerce_node_id = str  # type: ignore[assignment]

unloaded_key = pytest.StashKey[list[UnloadedModule]]()
"""The step modules of the session that could not be imported."""
_refused_first_key = pytest.StashKey[str]()
_definitions_key = pytest.StashKey[dict[pytest.Collector | None, Definitions]]()


_OF_DRILLS = frozenset(
    {"rto", "rto-from", ABORT_WHEN, ACCEPTS_DATA_LOSS, NOT_REPEATABLE, PRODUCTION_SAFE, SELF_HEALING, SELF_HEALING_OFF}
    | DEFAULTS_S.keys()
)
"""The tags that say something of a drill alone."""
NO_DRILL = (
    "the scenario has the tag @{} but is not a drill, because none of its steps is a fault or a recovery, and "
    "drillbook_require asks for drills: define its step with @fault, or remove the tag"
)


class FeatureFile(pytest.Module):
    """A `.feature` file. It is a Module, so that a module-scoped fixture lives as long as the feature."""

    def _getobj(self) -> types.ModuleType:
        module = types.ModuleType(self.path.stem)
        module.__file__ = str(self.path)
        return module

    @property
    def feature_path(self) -> str:
        """Relative to the rootdir, with `/`."""
        return shown(self.path, self.config.rootpath)

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        unloaded = self.config.stash.get(unloaded_key, None)
        if unloaded:
            raise self._unloaded(unloaded)
        text = read_feature(self.path)
        if text.feature is None:
            raise FeatureRefused.of(self.feature_path, text.problems)
        runs, problems = runs_of(text, _definitions(self))
        if REQUIRE_RTO in self.config.getini("drillbook_require"):
            problems += [
                Problem(run.row.line, "the drill has no @rto, and drillbook_require asks for one")
                for run in runs
                if run.phases and not tag_values(run.row.tags, "rto")
            ]
        if REQUIRE_DRILLS in self.config.getini("drillbook_require"):
            problems += [Problem(run.row.line, NO_DRILL.format(tag)) for run in runs if (tag := _tag_of_a_drill(run))]
        if problems:
            raise FeatureRefused.of(self.feature_path, problems)
        self.obj.__doc__ = f"{text.feature.name}\n\n{text.feature.description}".strip()
        self.extra_keyword_matches.add(text.feature.name)
        rules: dict[int, RuleNode] = {}
        for run in runs:
            rule = run.text.rule
            if rule is None:
                yield from _items(self, run)
            elif id(rule) in rules:
                rules[id(rule)].runs.append(run)
            else:
                rules[id(rule)] = RuleNode.from_run(self, run)
        yield from rules.values()

    def _unloaded(self, unloaded: list[UnloadedModule]) -> FeatureRefused:
        """The errors of the step modules, for the first feature; the others refer to it."""
        first = self.config.stash.setdefault(_refused_first_key, self.feature_path)
        if first == self.feature_path:
            return FeatureRefused.of_modules(unloaded)
        return FeatureRefused.referring(self.feature_path, first)


class RuleNode(pytest.Collector):
    """A Rule of a feature."""

    runs: list[ScenarioRun]

    @classmethod
    def from_run(cls, parent: FeatureFile, first: ScenarioRun) -> RuleNode:
        assert first.text.rule is not None
        node: RuleNode = cls.from_parent(parent, name=node_name(first.text.rule.name))
        node.runs = [first]
        return node

    def collect(self) -> Iterator[ScenarioItem]:
        for run in self.runs:
            yield from _items(self, run)


def _items(parent: FeatureFile | RuleNode, run: ScenarioRun) -> Iterator[ScenarioItem]:
    """The scenario as it is, or a drill as its controls."""
    controls = asked_controls(parent.config) if run.phases else (None,)
    accepts_loss = bool(tag_values(run.row.tags, ACCEPTS_DATA_LOSS))
    repeats = parent.config.getoption("--prove", False) and ends_its_drill(accepts_loss, run.phases)
    for control in controls:
        if repeats and control == REPEATED:
            continue
        yield ScenarioItem.from_run(parent, run, control, repeats=repeats and control is None)


class Conductor(Protocol):
    """Decides about the steps of a running scenario."""

    def runs(self, number: int) -> bool:
        """Whether this step (numbers count from 1) runs."""

    def tolerates(self, error: BaseException) -> bool:
        """Whether the scenario goes on after this error of a step."""


class ScenarioItem(pytest.Function):
    """A scenario, or one row of an outline.

    The engine knows it as `scenario`, and pytest-bdd runs `run`.
    """

    run: ScenarioRun
    scenario: Scenario
    step_marks: list[StepMark]
    failed_with: BaseException | None
    drill_nodeid: str
    """The node id of the drill itself, whatever control this is."""
    conductor: Conductor | None
    step_number: int
    shown_nodeid: str | None = None
    """Shown instead of a node id that has a secret in it."""

    @classmethod
    def from_run(
        cls, parent: FeatureFile | RuleNode, run: ScenarioRun, control: Control | None = None, *, repeats: bool = False
    ) -> ScenarioItem:
        def scenario(request: pytest.FixtureRequest) -> None:
            __tracebackhide__ = True
            item.run_steps(request)

        scenario.__doc__ = run.parsed.description.strip() or None
        for tag in sorted(run.row.tags):
            apply_tag(parent.config, tag, scenario)
        # For pytest a row is like a set of parameters: `--lf` and JUnit split ids at the bracket.
        ids = tuple(filter(None, (run.row_id, str(control) if control is not None else None)))
        base = node_name(run.text.name)
        item: ScenarioItem = cls.from_parent(
            parent,
            name=f"{base}[{'-'.join(ids)}]" if ids else base,
            originalname=base,
            callspec=CallSpec(_idlist=ids) if ids else None,
            callobj=scenario,
        )
        item._describe(run, control, repeats=repeats)
        item.drill_nodeid = f"{parent.nodeid}::{base}" + (f"[{run.row_id}]" if run.row_id is not None else "")
        return item

    def _describe(self, run: ScenarioRun, control: Control | None, *, repeats: bool) -> None:
        parsed = run.parsed
        self.run = run
        self.scenario = Scenario(
            feature_path=shown(self.path, self.config.rootpath),
            line=run.row.line,
            feature_name=parsed.feature.name,
            rule_name=parsed.rule.name if parsed.rule else None,
            name=parsed.name,
            description=parsed.description.strip(),
            tags=run.row.tags,
            steps=run.steps,
            phases=run.phases,
            control=control,
            repeats=repeats,
            text_sha256=digest_of(run),
        )
        self.step_marks = [StepMark.NOT_RUN] * len(run.steps)
        self.failed_with = None
        self.conductor = None
        self.step_number = 0
        # `-k` takes the words of the name, and the name as an identifier.
        self.extra_keyword_matches.update((parsed.name, slug(parsed.name).lower()))

    @property
    def nodeid(self) -> str:
        """The names that lead to it, in a form that may be shown."""
        return self.shown_nodeid or super().nodeid

    @property
    def id(self) -> Any:
        """The same in parts, for pytest 9.2."""
        return super().id if self.shown_nodeid is None else coerce_node_id(self.shown_nodeid)

    def run_steps(self, request: pytest.FixtureRequest) -> None:
        """Run each step with the definition found at collection, and pytest-bdd's hooks around them."""
        __tracebackhide__ = True
        parsed = self.run.parsed
        about = {"request": request, "feature": parsed.feature, "scenario": parsed}
        self.step_marks = [StepMark.NOT_RUN] * len(self.run.steps)
        self.config.hook.pytest_bdd_before_scenario(**about)
        try:
            for index, (step, definition) in enumerate(zip(parsed.steps, self.run.definitions, strict=True)):
                self.step_number = index + 1
                if self.conductor is not None and not self.conductor.runs(self.step_number):
                    continue
                self.step_marks[index] = StepMark.FAILED
                try:
                    _execute_step_function(request, parsed, step, definition.context)
                except Exception as error:
                    if self.conductor is None or not self.conductor.tolerates(error):
                        raise
                self.step_marks[index] = StepMark.PASSED
        except BaseException as error:
            self.failed_with = error
            raise
        finally:
            self.config.hook.pytest_bdd_after_scenario(**about)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The place of the test in the terminal and in JUnit: the scenario's or the row's line in the feature."""
        scenario = self.scenario
        return self.path, scenario.line - 1, f"{scenario.feature_name}: {scenario.name}"

    def _traceback_filter(self, excinfo: ExceptionInfo[BaseException]) -> Traceback:
        kept = own_frames(excinfo.traceback.filter(excinfo) or excinfo.traceback)
        if self.config.getoption("tbstyle", "auto") == "auto" and len(kept) > 2:
            # As pytest does for a Python test: whole source for the first and the last frame only.
            kept = Traceback([kept[0], *(each.with_repr_style("short") for each in kept[1:-1]), kept[-1]])
        return kept

    def _repr_failure_py(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> TerminalRepr:
        # Not repr_failure: pytest asks that for the call only, and a guard's refusal comes from the set-up.
        steps = ""
        if self.failed_with is not None and excinfo.value is self.failed_with:
            steps = trail(self.scenario.feature_path, self.scenario.steps, self.step_marks)
        sentence = sentence_of(excinfo.value)
        if sentence is not None and not self.config.getoption("fulltrace", False):
            return sentence_repr(sentence, steps, self.scenario.feature_path, self._failed_line())
        shown = super()._repr_failure_py(excinfo, style)
        return with_trail(shown, steps) if steps else shown

    def _failed_line(self) -> int:
        failed = [
            step.line
            for step, mark in zip(self.scenario.steps, self.step_marks, strict=True)
            if mark is StepMark.FAILED
        ]
        return failed[0] if failed else self.scenario.line


def _tag_of_a_drill(run: ScenarioRun) -> str | None:
    """The first tag about drills on a scenario that is no drill."""
    of_drills = (tag for tag in sorted(run.row.tags) if tag.partition(":")[0] in _OF_DRILLS)
    return None if run.phases else next(of_drills, None)


def _definitions(node: FeatureFile) -> Definitions:
    """Kept for each folder: all its features see the same step definitions."""
    known = node.config.stash.setdefault(_definitions_key, {})
    if node.parent not in known:
        known[node.parent] = visible_definitions(node)
    return known[node.parent]
