"""Collect `.feature` files as pytest collects Python files: pytest's hooks, its nodes, and the loading of
`steps/`.

The rule: a file with anything wrong in it is refused when it is collected, with everything that is wrong, so
that nothing of it runs. Register this module as a plugin, and call `add_options` from `pytest_addoption`.

`-m` and tags. A tag without punctuation is a marker of its own name (`-m smoke`, `-m production-safe`). Any
other tag is a marker with `_` for what is not a letter or digit: `@row:R1` is `-m row_R1`, `@rto:10m` is `-m
rto_10m`, and `@runbook:redis.md#restore` is `-m runbook_redis_md_restore`. The tags as written are
`ScenarioItem.tags`.
"""

from __future__ import annotations

import importlib
import re
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import ExceptionInfo, TerminalRepr, Traceback
from pytest_bdd.scenario import _execute_step_function

from drillbook.failure import StepMark, own_frames, sentence_of, sentence_repr, trail, with_trail
from drillbook.featuretext import Problem, node_name, read_feature, tag_values
from drillbook.phases import Phase, PlannedStep
from drillbook.preflight import Plan, plan_feature
from drillbook.stepdefs import Definitions, visible_definitions

_DEFAULT_STEPS = ["steps"]

_definitions_key = pytest.StashKey[dict[pytest.Collector | None, Definitions]]()
_markers_key = pytest.StashKey[set[str]]()


# ---- hooks ------------------------------------------------------------------------------------------------


def add_options(parser: pytest.Parser) -> None:
    """The ini options of this module."""
    parser.addini(
        "drillbook_steps",
        "folders with step modules, relative to the rootdir (default: steps)",
        type="args",
        default=_DEFAULT_STEPS,
    )


def pytest_configure(config: pytest.Config) -> None:
    if not (config.option.help or config.option.version):
        load_steps(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".feature":
        return FeatureFile.from_parent(parent, path=file_path)
    return None


@pytest.fixture
def datatable() -> None:
    """None for a step that takes a `datatable` and has none in the feature."""


@pytest.fixture
def docstring() -> None:
    """None for a step that takes a `docstring` and has none in the feature."""


# ---- steps/ -----------------------------------------------------------------------------------------------


def load_steps(config: pytest.Config) -> None:
    """Import each module below the folders of `drillbook_steps` as a plugin, so that its steps are known
    everywhere.

    Files and folders that begin with `_` or `.` are helpers, and left alone. Raises pytest.UsageError.
    """
    folders: list[str] = config.getini("drillbook_steps")
    for name in folders:
        folder = (config.rootpath / name).resolve()
        if folder.is_dir():
            _load_folder(config, folder)
        elif folders != _DEFAULT_STEPS:
            raise pytest.UsageError(f"drillbook_steps: there is no folder {folder}")


def _load_folder(config: pytest.Config, folder: Path) -> None:
    root = config.rootpath.resolve()
    base = root if folder.is_relative_to(root) and folder != root else folder.parent
    if str(base) not in sys.path:
        sys.path.insert(0, str(base))
    paths = {_module_name(path, base): path for path in sorted(folder.rglob("*.py")) if _is_step_module(path, folder)}
    # All at once and before the first import: a module that imports its neighbour would make pytest warn
    # otherwise.
    pytest.register_assert_rewrite(*paths)
    for name, path in paths.items():
        _load_module(config, name, path)


def _is_step_module(path: Path, folder: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)


def _module_name(path: Path, base: Path) -> str:
    return ".".join(path.relative_to(base).with_suffix("").parts)


def _load_module(config: pytest.Config, name: str, path: Path) -> None:
    shown = _shown(path, config.rootpath)
    if config.pluginmanager.is_blocked(name):
        return
    try:
        module = importlib.import_module(name)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # pytest.skip() at module level is one
        line, reason = _import_failure(error, path)
        raise pytest.UsageError(f"{shown}:{line}: this step module cannot be imported: {reason}") from error
    if Path(module.__file__ or "").resolve() != path:
        raise pytest.UsageError(
            f"{shown}:1: this step module cannot be imported: the name {name} belongs to {module.__file__}; "
            "rename the folder"
        )
    if not config.pluginmanager.is_registered(module):
        config.pluginmanager.register(module, name)


def _import_failure(error: BaseException, path: Path) -> tuple[int, str]:
    """The line of the module that failed, and why in one line, with the place if that is in another file."""
    reason = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError) and error.filename:
        frames = [(Path(error.filename), error.lineno or 1)]
    else:
        frames = [(Path(frame.filename), frame.lineno or 1) for frame in traceback.extract_tb(error.__traceback__)]
    own = [line for file, line in frames if file == path]
    file, line = frames[-1]
    elsewhere = file != path and "importlib" not in file.parts and file.exists()
    return (own[-1] if own else 1), f"{reason} ({file}:{line})" if elsewhere else reason


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
        return _shown(self.path, self.config.rootpath)

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        text = read_feature(self.path)
        if text.feature is None:
            raise self._refusal(text.problems)
        plans, problems = plan_feature(text, _definitions(self))
        if problems:
            raise self._refusal(problems)
        self.obj.__doc__ = f"{text.feature.name}\n\n{text.feature.description}".strip()
        self.extra_keyword_matches.add(text.feature.name)
        rules: dict[int, RuleNode] = {}
        for plan in plans:
            rule = plan.text.rule
            if rule is None:
                yield ScenarioItem.from_plan(self, plan)
            elif id(rule) in rules:
                rules[id(rule)].plans.append(plan)
            else:
                rules[id(rule)] = RuleNode.from_plan(self, plan)
        yield from rules.values()

    def _refusal(self, problems: Iterable[Problem]) -> pytest.Collector.CollectError:
        lines = []
        for problem in problems:
            lines.append(f"{self.feature_path}:{problem.line}: {problem.message}")
            lines += [f"    {detail}" for detail in problem.details]
        return self.CollectError("\n".join(lines))


class RuleNode(pytest.Collector):
    """A Rule of a feature."""

    plans: list[Plan]

    @classmethod
    def from_plan(cls, parent: FeatureFile, first: Plan) -> RuleNode:
        assert first.text.rule is not None
        node: RuleNode = cls.from_parent(parent, name=node_name(first.text.rule.name))
        node.plans = [first]
        return node

    def collect(self) -> Iterator[ScenarioItem]:
        for plan in self.plans:
            yield ScenarioItem.from_plan(self, plan)


class ScenarioItem(pytest.Function):
    """A scenario, or one row of an outline.

    `tags` are as written, without `@`, of all levels (`rto` and `severity` of the nearest level only); `line`
    is the row's in an outline; `scenario_name` and `steps` are rendered; `phases` has one entry for each step
    of a drill, and is empty for an ordinary test.
    """

    plan: Plan
    tags: frozenset[str]
    feature_path: str
    line: int
    scenario_name: str
    feature_name: str
    rule_name: str | None
    description: str
    steps: tuple[PlannedStep, ...]
    phases: tuple[Phase, ...]
    marks: list[StepMark]
    failed_with: BaseException | None

    @classmethod
    def from_plan(cls, parent: FeatureFile | RuleNode, plan: Plan) -> ScenarioItem:
        def scenario(request: pytest.FixtureRequest) -> None:
            __tracebackhide__ = True
            item.run_steps(request)

        scenario.__doc__ = plan.scenario.description.strip() or None
        for tag in sorted(plan.row.tags):
            _apply_tag(parent.config, tag, scenario)
        item: ScenarioItem = cls.from_parent(parent, name=plan.name, callobj=scenario)
        item._describe(plan)
        return item

    def _describe(self, plan: Plan) -> None:
        scenario = plan.scenario
        self.plan = plan
        self.tags = plan.row.tags
        self.feature_path = _shown(self.path, self.config.rootpath)
        self.line = plan.row.line
        self.scenario_name = scenario.name
        self.feature_name = scenario.feature.name
        self.rule_name = scenario.rule.name if scenario.rule else None
        self.description = scenario.description.strip()
        self.steps = plan.steps
        self.phases = plan.phases
        self.marks = [StepMark.NOT_RUN] * len(plan.steps)
        self.failed_with = None
        # `-k` takes the words of the name, and the name as an identifier.
        self.extra_keyword_matches.update((scenario.name, _slug(scenario.name).lower()))

    @property
    def is_drill(self) -> bool:
        """Whether the scenario holds a fault or a recovery."""
        return bool(self.phases)

    def tag_values(self, key: str) -> tuple[str, ...]:
        """The values of the tags `@key:value`, sorted."""
        return tag_values(self.tags, key)

    def run_steps(self, request: pytest.FixtureRequest) -> None:
        """Run each step with the definition found at collection, and pytest-bdd's hooks around them."""
        __tracebackhide__ = True
        scenario = self.plan.scenario
        about = {"request": request, "feature": scenario.feature, "scenario": scenario}
        self.marks = [StepMark.NOT_RUN] * len(self.steps)
        self.config.hook.pytest_bdd_before_scenario(**about)
        try:
            for index, (step, definition) in enumerate(zip(scenario.steps, self.plan.definitions, strict=True)):
                self.marks[index] = StepMark.FAILED
                _execute_step_function(request, scenario, step, definition.context)
                self.marks[index] = StepMark.PASSED
        except BaseException as error:
            self.failed_with = error
            raise
        finally:
            self.config.hook.pytest_bdd_after_scenario(**about)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the terminal and JUnit say that the test is: the scenario's or the row's line of the
        feature.
        """
        return self.path, self.line - 1, f"{self.feature_name}: {self.scenario_name}"

    def _traceback_filter(self, excinfo: ExceptionInfo[BaseException]) -> Traceback:
        if self.config.getoption("fulltrace", False):
            return excinfo.traceback
        kept = own_frames(excinfo.traceback.filter(excinfo) or excinfo.traceback)
        if self.config.getoption("tbstyle", "auto") == "auto" and len(kept) > 2:
            # As pytest does for a Python test: whole source for the first and the last frame only.
            kept = Traceback([kept[0], *(each.with_repr_style("short") for each in kept[1:-1]), kept[-1]])
        return kept

    def _repr_failure_py(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> TerminalRepr:
        # Not repr_failure: pytest asks that for the call only, and a guard's refusal comes from the set-up.
        steps = ""
        if self.failed_with is not None and excinfo.value is self.failed_with:
            steps = trail(self.feature_path, self.steps, self.marks)
        sentence = sentence_of(excinfo.value)
        if sentence is not None and not self.config.getoption("fulltrace", False):
            return sentence_repr(sentence, steps, self.feature_path, self._failed_line())
        shown = super()._repr_failure_py(excinfo, style)
        return with_trail(shown, steps) if steps else shown

    def _failed_line(self) -> int:
        failed = [step.line for step, mark in zip(self.steps, self.marks, strict=True) if mark is StepMark.FAILED]
        return failed[0] if failed else self.line


def _definitions(node: FeatureFile) -> Definitions:
    """Kept for each folder: all its features see the same step definitions."""
    known = node.config.stash.setdefault(_definitions_key, {})
    if node.parent not in known:
        known[node.parent] = visible_definitions(node)
    return known[node.parent]


def _apply_tag(config: pytest.Config, tag: str, function: Callable[..., object]) -> None:
    """Mark the function with the tag, unless a `pytest_bdd_apply_tag` of the user's does."""
    plugins = config.pluginmanager
    own = plugins.subset_hook_caller("pytest_bdd_apply_tag", [plugins.get_plugin("pytest-bdd")])
    if own(tag=tag, function=function):
        return
    for name in {tag, _slug(tag)} if re.fullmatch(r"[\w.-]+", tag) else {_slug(tag)}:
        known = config.stash.setdefault(_markers_key, set())
        if name not in known:
            known.add(name)
            config.addinivalue_line("markers", f"{name}: the tag @{tag} of a feature")
        getattr(pytest.mark, name)(function)


def _slug(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_") or "unnamed"


def _shown(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
