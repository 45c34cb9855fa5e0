"""Reads a repository by pytest's own collection, with a plugin object that keeps what was collected.

The rule: lint refuses what collection refuses, with the collection's own sentences, place by place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.commands.collecting import collect
from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.model.paths import shown
from drillbook.model.work_balance import PREFIX_VARIABLE
from drillbook.pytest_plugin.collecting.nodes import FeatureFile, ScenarioItem
from drillbook.pytest_plugin.collecting.refusal import FeatureRefused
from drillbook.pytest_plugin.drill_session import drill_session
from drillbook.repository.lint.facts import DefinitionFacts, Repository
from drillbook.repository.lint.findings import Finding
from drillbook.repository.lint.handed_over import HandedOver, runs
from drillbook.repository.plan import scenario_facts
from drillbook.repository.plan.scenario_facts import ScenarioFacts
from drillbook.repository.step_definitions import Definition, visible_definitions
from drillbook.safety.data_loss import files_of


class WrongCallError(DrillbookError):
    """The command was called with something that cannot be linted; exit status 64."""


def read(paths: Sequence[Path], inventories: Sequence[Path] = (), here: Path | None = None) -> Repository:
    """The repository around these features (default: the folder features/ here or above). Raises WrongCallError."""
    at = (here or Path.cwd()).absolute()
    wanted = [at / path for path in paths] or [_features_above(at)]
    for path in wanted:
        if not path.exists():
            raise WrongCallError(f"there is no {path}: name features, or folders of features")
    kept = _Kept(whole=not paths)
    arguments = ["--maxfail=0", *map(str, wanted)]
    arguments += [f"--inventory={at / each}" for each in inventories]
    status, said = collect(arguments, kept, at)
    if status in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        raise WrongCallError(f"pytest cannot collect here: {' '.join(said[-3:])}")
    if kept.root is None or not (kept.features or kept.refused):
        raise WrongCallError(f"there is no feature below {', '.join(map(str, wanted))}")
    return _with_files(kept)


def _features_above(at: Path) -> Path:
    found = next((each / "features" for each in (at, *at.parents) if (each / "features").is_dir()), None)
    if found is None:
        raise WrongCallError("there is no folder features/ here or above: name features, or folders of features")
    return found


class _Kept:
    """A plugin of the collecting session; its hooks see all that is collected, before `-m` and `-k` of the ini."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole
        self.root: Path | None = None
        self.session: DrillSession | None = None
        self.inventory_problem: DrillbookError | None = None
        self.features: list[str] = []
        self.refused: list[Finding] = []
        self.scenarios: list[ScenarioFacts] = []
        self.definitions: dict[int, DefinitionFacts] = {}

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.root = session.config.rootpath
        self.session = drill_session(session.config)

    def pytest_exception_interact(
        self, call: pytest.CallInfo[object], report: pytest.CollectReport | pytest.TestReport
    ) -> None:
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            self.refused += refusals(call.excinfo.value, str(report.longrepr), report.nodeid)
            self.features += [report.nodeid] if report.nodeid.endswith(".feature") else []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        assert self.session is not None
        try:
            resolved = self.session.inventory
        except DrillbookError as error:
            resolved, self.inventory_problem = None, error
        used: set[int] = set()
        folders: set[pytest.Collector | None] = set()
        for item in items:
            if not isinstance(item, ScenarioItem):
                continue
            self.scenarios.append(
                scenario_facts.collect(item.scenario, item.run, resolved, self.session.root, self.session.redactor.text)
            )
            used |= {id(each.context) for each in item.run.definitions}
            feature = item.getparent(FeatureFile)
            assert feature is not None
            self.features.append(feature.feature_path)
            if feature.parent not in folders:
                folders.add(feature.parent)
                for each in visible_definitions(feature).all:
                    self._define(each)
        self.definitions = {key: replace(each, used=key in used) for key, each in self.definitions.items()}

    def _define(self, definition: Definition) -> None:
        path, _, line = definition.location.rpartition(":")
        below = line.isdecimal() and not Path(path).is_absolute() and "site-packages" not in path
        if below:
            facts = DefinitionFacts(path, int(line), str(definition.pattern), used=False)
            self.definitions[id(definition.context)] = facts


def refusals(error: BaseException, text: str, nodeid: str) -> Iterator[Finding]:
    """The contents of a collection error: each problem of a feature at its own place, any other error at its file's."""
    if isinstance(error, FeatureRefused):
        for each in error.problems:
            yield Finding(
                each.path, each.line, "refused", " ".join([each.sentence, *(detail.strip() for detail in each.details)])
            )
    else:
        sentence = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
        yield Finding(nodeid or ".", 1, "refused", sentence)


def _with_files(kept: _Kept) -> Repository:
    assert kept.root is not None and kept.session is not None
    root, features = kept.root, tuple(sorted(set(kept.features)))
    inventory = None if kept.inventory_problem else kept.session.inventory
    return Repository(
        root=root,
        features=features,
        refused=tuple(dict.fromkeys(kept.refused)),
        scenarios=tuple(kept.scenarios),
        definitions=tuple(kept.definitions.values()),
        texts=_texts(root, [root / each for each in features]),
        runbooks=_texts(root, (root / "runbooks").rglob("*.md")),
        playbooks=_texts(root, [*(root / "playbooks").rglob("*.yml"), *(root / "playbooks").rglob("*.yaml")]),
        inventory=inventory,
        inventory_name=kept.session.inventory_name,
        inventory_problem=kept.inventory_problem,
        whole=kept.whole,
        handed_over=_handed_over(kept),
        redact=kept.session.redactor.text,
    )


def _handed_over(kept: _Kept) -> tuple[HandedOver, ...]:
    """The variables that the engine itself gives to playbooks, and those that steps give."""
    assert kept.session is not None
    always: dict[str, object] = {
        "drillbook_switch": "armed",
        "drillbook_switch_id": "lint",
        "drillbook_switch_after": 60,
        PREFIX_VARIABLE: "drill-",
    }
    root, redactor = kept.session.root, kept.session.redactor
    intents = [each for scenario in kept.scenarios for step in scenario.steps for each in step.intents]
    for intent in intents:
        redactor.learn(intent.variables)

    def texts(playbook: str) -> Iterator[str]:
        if (root / playbook).is_file():
            files = (root / path for path in files_of(root, playbook))
            yield from (file.read_text(encoding="utf-8", errors="replace") for file in files)

    return tuple(replace(each, variables=redactor.data(each.variables)) for each in runs(intents, always, texts))


def _texts(root: Path, paths: Iterable[Path]) -> Mapping[str, str]:
    return {shown(path, root): path.read_text(encoding="utf-8", errors="replace") for path in sorted(paths)}
