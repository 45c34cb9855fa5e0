"""Read a repository by pytest's own collection, in this process, with a plugin object that keeps what was collected.

The rule: lint refuses what collection refuses, because it is the same code that refuses it. In this process, since what
is looked at (step functions, sentences, an inventory) are objects, and a pipe would carry a copy of them. The price is
that the step modules stay imported; nobody pays it, as the command ends afterwards.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.commands.collecting import IN_THIS_PROCESS
from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.model.paths import shown
from drillbook.model.tags import accepted_loss
from drillbook.pytest_plugin.collection import FeatureFile, ScenarioItem
from drillbook.repository.lint.facts import DefinitionFacts, Repository, ScenarioFacts, StepFacts
from drillbook.repository.lint.findings import Finding
from drillbook.repository.plan.dry_step import Learned, learn
from drillbook.repository.plan.planning_drill import PlanningDrill
from drillbook.repository.step_definitions import Definition, visible_definitions

_PLACED = re.compile(r"(?P<path>[^\s:][^:]*):(?P<line>\d+): (?P<text>.*)")


class WrongCallError(DrillbookError):
    """The command was called with what cannot be linted; exit status 64."""


def read(paths: Sequence[Path], inventory: Path | None = None, here: Path | None = None) -> Repository:
    """The repository around these features (default: the folder features/ here or above). Raises WrongCallError."""
    at = (here or Path.cwd()).absolute()
    wanted = [at / path for path in paths] or [_features_above(at)]
    for path in wanted:
        if not path.exists():
            raise WrongCallError(f"there is no {path}: name features, or folders of features")
    kept = _Kept(whole=not paths)
    arguments = ["--collect-only", "-q", "--maxfail=0", *IN_THIS_PROCESS, *map(str, wanted)]
    if importlib.util.find_spec("xdist"):
        arguments.append("-n0")  # workers would collect where this plugin object is not
    if inventory is not None:
        arguments.append(f"--inventory={at / inventory}")
    output = io.StringIO()
    with contextlib.chdir(at), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = pytest.main(arguments, plugins=[kept])
    if status in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        said = [line for line in output.getvalue().splitlines() if line.strip()]
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
        from drillbook.pytest_plugin.drill_session import drill_session

        config = session.config
        self.root = config.rootpath
        self.session = drill_session(config)
        for name in (
            "lfplugin",
            "nfplugin",
            "stepwiseplugin",
        ):  # pytest remembers what failed: lint says nothing of that
            if config.pluginmanager.hasplugin(name):
                config.pluginmanager.unregister(name=name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.refused += refusals(str(report.longrepr), report.nodeid)
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
            drill = PlanningDrill(resolved, lost=accepted_loss(item.scenario.tags) or 0)
            self.scenarios.append(_scenario(item, drill, self.session))
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


def refusals(text: str, nodeid: str) -> list[Finding]:
    """The lines of a collection error, each at its own place; what has none stands at the file's."""
    found: list[Finding] = []
    for line in text.splitlines():
        if placed := _PLACED.fullmatch(line):
            found.append(Finding(placed["path"], int(placed["line"]), "refused", placed["text"]))
        elif found and line.startswith("    "):
            found[-1] = replace(found[-1], sentence=f"{found[-1].sentence} {line.strip()}")
        elif line.strip() and not found:
            found.append(Finding(nodeid or ".", 1, "refused", line.strip()))
    return found


def _scenario(item: ScenarioItem, drill: PlanningDrill, session: DrillSession) -> ScenarioFacts:
    root = session.root
    phases = item.scenario.phases or [None] * len(item.scenario.steps)
    steps = []
    for planned, step, definition, phase in zip(
        item.scenario.steps, item.run.parsed.steps, item.run.definitions, phases, strict=True
    ):
        drill.next_step()
        learned = learn(definition, step, drill, root) if phase is not None else Learned(suspect="an ordinary test")
        uncertain = learned.unknown
        if learned.suspect is not None:
            place = f" ({shown(learned.place[0], root)}:{learned.place[1]})" if learned.place else ""
            uncertain = f"{learned.suspect}{place}"
        steps.append(
            StepFacts(
                line=planned.line,
                text=f"{planned.keyword} {planned.text}",
                kind=planned.kind,
                phase=phase,
                location=definition.location,
                playbooks=tuple((each.kind, each.name) for each in drill.intents),
                endpoints=tuple(dict.fromkeys(drill.readings)),
                checks=len(drill.checks),
                messages=tuple(drill.messages),
                left_alone=drill.left_alone,
                work=drill.work_wanted,
                uncertain=uncertain,
                # what a step raises may quote a value of the inventory
                error=learned.error and session.redactor.text(learned.error),
            )
        )
    return ScenarioFacts(
        item.scenario.feature_path, item.scenario.line, item.scenario.name, item.scenario.tags, tuple(steps)
    )


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
    )


def _texts(root: Path, paths: Iterable[Path]) -> Mapping[str, str]:
    return {shown(path, root): path.read_text(encoding="utf-8", errors="replace") for path in sorted(paths)}
