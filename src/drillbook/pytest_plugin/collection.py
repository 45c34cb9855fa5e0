"""Collect `.feature` files as pytest collects Python files: pytest's hooks, and its nodes.

The rule: a file with anything wrong in it is refused when it is collected, with everything that is wrong, so that
nothing of it runs. Register this module as a plugin, and call `add_options` from `pytest_addoption`.

Tags and `-m`. Each tag is a marker in which `_` stands for what is neither letter nor digit: `@row:R1` is `-m row_R1`,
`@rto:10m` is `-m rto_10m`, `@runbook:redis.md#restore` is `-m runbook_redis_md_restore`. A tag of letters, digits, `-`
and `.` is also a marker as it stands: `-m production-safe`. The tags as written are `Scenario.tags`.
"""

from __future__ import annotations

import argparse
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from _pytest._code.code import ExceptionInfo, TerminalRepr, Traceback
from _pytest.python import CallSpec
from pytest_bdd.scenario import _execute_step_function

from drillbook.model.control.control import REPEATED, Control, ends_its_drill
from drillbook.model.paths import shown
from drillbook.model.scenario import Scenario
from drillbook.model.tags import ACCEPTS_DATA_LOSS, tag_values
from drillbook.pytest_plugin.failure_repr import StepMark, own_frames, sentence_of, sentence_repr, trail, with_trail
from drillbook.pytest_plugin.options import REQUIRE_DRILLS, REQUIRE_RTO, asked_controls
from drillbook.repository.feature_file import Problem, node_name, read_feature
from drillbook.repository.preflight import ScenarioRun, runs_of
from drillbook.repository.step_definitions import Definitions, visible_definitions
from drillbook.repository.step_modules import DEFAULT_FOLDERS, load_steps

_definitions_key = pytest.StashKey[dict[pytest.Collector | None, Definitions]]()
_unloaded_key = pytest.StashKey[list[str]]()
_markers_key = pytest.StashKey[set[str]]()

# ---- hooks ------------------------------------------------------------------------------------------------


def add_options(parser: pytest.Parser) -> None:
    """The ini options of this module."""
    parser.addini(
        "drillbook_steps",
        "folders with step modules, relative to the rootdir (default: steps)",
        type="args",
        default=DEFAULT_FOLDERS,
    )
    parser.addini(
        "drillbook_require",
        f"what must not be missing: {REQUIRE_DRILLS} (no drill is left out), {REQUIRE_RTO} (each drill states one)",
        type="args",
        default=[],
    )
    group = parser.getgroup("drillbook", "recovery drills")
    group.addoption(
        "--control",
        metavar="NAME",
        action="append",
        default=[],
        help="run each drill as this control, and not as it is: no-fault (the symptoms must not be observed), "
        "no-recovery (the criteria must not hold), recovery-twice (the second run must change nothing), "
        "without:FILE:LINE (the recovery without that task). May be given several times",
    )
    group.addoption("--scenario", metavar="NODEID", default=None, help=argparse.SUPPRESS)
    group.addoption(
        "--prove",
        action="store_true",
        help="run each drill and then its controls (no-fault, no-recovery, recovery-twice)",
    )


def pytest_configure(config: pytest.Config) -> None:
    asked_controls(config)
    unknown = set(config.getini("drillbook_require")) - {REQUIRE_DRILLS, REQUIRE_RTO}
    if unknown:
        raise pytest.UsageError(
            f"drillbook_require: {', '.join(sorted(unknown))}: known are {REQUIRE_DRILLS} and {REQUIRE_RTO}"
        )
    if not (config.option.help or config.option.version):
        config.stash[_unloaded_key] = load_steps(config, config.getini("drillbook_steps"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".feature":
        return FeatureFile.from_parent(parent, path=file_path)
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`--scenario` keeps the runs of one scenario only, whatever the rest of the command line selects."""
    only = config.getoption("--scenario", None)
    if only is not None:
        others = [item for item in items if getattr(item, "drill_nodeid", None) != only]
        items[:] = [item for item in items if getattr(item, "drill_nodeid", None) == only]
        config.hook.pytest_deselected(items=others)


@pytest.fixture
def datatable() -> None:
    """None for a step that takes a `datatable` and has none in the feature."""


@pytest.fixture
def docstring() -> None:
    """None for a step that takes a `docstring` and has none in the feature."""


# ---- nodes ------------------------------------------------------------------------------------------------


class FeatureFile(pytest.Module):
    """A `.feature` file. A Module, so that a module-scoped fixture lives as long as the feature."""

    def _getobj(self) -> types.ModuleType:
        module = types.ModuleType(self.path.stem)
        module.__file__ = str(self.path)
        return module

    @property
    def feature_path(self) -> str:
        """Relative to the rootdir, with `/`."""
        return shown(self.path, self.config.rootpath)

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        if self.config.stash.get(_unloaded_key, None):
            raise self.CollectError(self._unloaded())
        text = read_feature(self.path)
        if text.feature is None:
            raise self._refusal(text.problems)
        runs, problems = runs_of(text, _definitions(self))
        if REQUIRE_RTO in self.config.getini("drillbook_require"):
            problems += [
                Problem(run.row.line, "the drill has no @rto, and drillbook_require asks for one")
                for run in runs
                if run.phases and not tag_values(run.row.tags, "rto")
            ]
        if problems:
            raise self._refusal(problems)
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

    def _unloaded(self) -> str:
        """What is wrong with the step modules, for the first feature; the others refer to it."""
        unloaded = self.config.stash[_unloaded_key]
        text = "\n".join(unloaded)
        unloaded[:] = [f"not read, as step modules cannot be imported: see {self.feature_path}"]
        return text

    def _refusal(self, problems: Iterable[Problem]) -> pytest.Collector.CollectError:
        lines = []
        for problem in problems:
            lines.append(f"{self.feature_path}:{problem.line}: {problem.message}")
            lines += [f"    {detail}" for detail in problem.details]
        return self.CollectError("\n".join(lines))


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
    """Who decides, while a scenario runs, about its steps."""

    def runs(self, number: int) -> bool:
        """Whether this step (numbers count from 1) is run."""

    def tolerates(self, error: BaseException) -> bool:
        """Whether the scenario goes on after this error of a step."""


class ScenarioItem(pytest.Function):
    """A scenario, or one row of an outline.

    `scenario` is what the engine knows of it, `run` what pytest-bdd runs.
    """

    run: ScenarioRun
    scenario: Scenario
    step_marks: list[StepMark]
    failed_with: BaseException | None
    drill_nodeid: str
    """The node id of the drill itself, whatever control this is."""
    conductor: Conductor | None
    step_number: int

    @classmethod
    def from_run(
        cls, parent: FeatureFile | RuleNode, run: ScenarioRun, control: Control | None = None, *, repeats: bool = False
    ) -> ScenarioItem:
        def scenario(request: pytest.FixtureRequest) -> None:
            __tracebackhide__ = True
            item.run_steps(request)

        scenario.__doc__ = run.parsed.description.strip() or None
        for tag in sorted(run.row.tags):
            _apply_tag(parent.config, tag, scenario)
        # A row is to pytest what a set of parameters is: `--lf` and JUnit take ids apart at the bracket.
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
        )
        self.step_marks = [StepMark.NOT_RUN] * len(run.steps)
        self.failed_with = None
        self.conductor = None
        self.step_number = 0
        # `-k` takes the words of the name, and the name as an identifier.
        self.extra_keyword_matches.update((parsed.name, _slug(parsed.name).lower()))

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
        """Where the terminal and JUnit say that the test is: the scenario's or the row's line of the feature."""
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


def _definitions(node: FeatureFile) -> Definitions:
    """Kept for each folder: all its features see the same step definitions."""
    known = node.config.stash.setdefault(_definitions_key, {})
    if node.parent not in known:
        known[node.parent] = visible_definitions(node)
    return known[node.parent]


def _apply_tag(config: pytest.Config, tag: str, function: Callable[..., object]) -> None:
    """Mark the function with the tag, unless a `pytest_bdd_apply_tag` of the user's does."""
    # pytest-bdd's own takes the tag for a name of a marker, which cannot hold a colon.
    others = config.pluginmanager.subset_hook_caller("pytest_bdd_apply_tag", [sys.modules.get("pytest_bdd.plugin")])
    if others(tag=tag, function=function):
        return
    for name in {tag, _slug(tag)} if re.fullmatch(r"[\w.-]+", tag) else {_slug(tag)}:
        known = config.stash.setdefault(_markers_key, set())
        if name not in known:
            known.add(name)
            config.addinivalue_line("markers", f"{name}: the tag @{tag} of a feature")
        getattr(pytest.mark, name)(function)


def _slug(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_") or "unnamed"
