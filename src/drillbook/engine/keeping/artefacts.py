"""Which files of the repository take part in a drill, with their digests.

The rule: rather one too many than one too few. If a file took part and is not named, a change of it would pass unseen.
If a file is named and did not take part, a change of it costs one more drill.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from drillbook.evidence.artefacts import ROLES, Digests, files_of_inventories, files_of_role, of_role
from drillbook.model import paths
from drillbook.model.phases import StepKind
from drillbook.model.python_source import parsed
from drillbook.model.record import ArtefactKind, ArtefactRecord, Record
from drillbook.model.scenario import Scenario
from drillbook.model.tags import SELF_HEALING_OFF
from drillbook.safety.data_loss import changes, files_of

_CONFTEST = "conftest.py"
_OF_NO_STEP = frozenset({ArtefactKind.FEATURE, ArtefactKind.RUNBOOK, ArtefactKind.INVENTORY})
StepFiles = Callable[[], Iterable[Path]]
"""Gives the files in which the steps of a scenario are defined."""


class Artefacts:
    """The files of one session's drills. Each is read once, unless it changes."""

    def __init__(self, root: Path, inventories: Iterable[Path]) -> None:
        self._root = root.resolve()
        self._inventories = tuple(inventories)
        self._digests = Digests(root)
        self._steps: dict[frozenset[Path], list[ArtefactRecord | None]] = {}
        """By the step modules of a scenario. A session imports them once, so their digests are of that time."""
        self._files: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {}
        """By a playbook: the files that it named, and those together with all files of its roles."""

    def known(self, scenario: Scenario, steps: Iterable[Path], playbooks: Iterable[str]) -> list[ArtefactRecord]:
        """The files that are known to take part before the first step, sorted by path."""
        found = [self._feature(scenario)]
        found += self._of_steps({*steps, *(self._root / scenario.feature_path).parents})
        found += [self._file(ArtefactKind.INVENTORY, each) for each in self._of_inventories()]
        for tag in scenario.tag_values("runbook"):
            found += self._runbook(tag)
        healers = [each for name in scenario.tag_values(SELF_HEALING_OFF) for each in changes(StepKind.FAULT, name)]
        for playbook in (*playbooks, *healers, paths.WORK_CLEANUP):
            found += self._brought_in(playbook)
        return _sorted(found)

    def add(self, record: Record, playbook: str) -> None:
        """Name in the record the files of a playbook that is about to run, with those of its fault."""
        folder, _, name = playbook.rpartition("/")
        of_fault = playbook.startswith(paths.FAULTS) and name == f"{paths.INJECT}.yml"
        parts = (paths.INJECT, paths.UNDO, paths.SWITCH) if of_fault else ()
        for each in (*(f"{folder}/{part}.yml" for part in parts), playbook):
            found = self._brought_in(each)
            if not {one.path for one in record.artefacts}.issuperset(one.path for one in found if one is not None):
                record.artefacts = _sorted([*record.artefacts, *found])

    def add_file(self, record: Record, kind: ArtefactKind, path: str) -> None:
        """Name in the record a file of the repository that a step has read; any other file is ignored."""
        record.artefacts = _sorted([*record.artefacts, self._file(kind, path)])

    def changed_since(self, record: Record) -> str | None:
        """The first file of a drill's steps and playbooks that is another one now; None when all are as they were."""
        return next(
            (
                each.path
                for each in record.artefacts
                if each.kind not in _OF_NO_STEP and self._digests.of(each.path) != each.sha256
            ),
            None,
        )

    # ------------------------------------------------------------------ what they are

    def _brought_in(self, playbook: str) -> list[ArtefactRecord | None]:
        """A playbook and what it includes; all files of a role, since Ansible may read any of them."""
        named = files_of(self._root, playbook)
        if playbook not in self._files or self._files[playbook][0] is not named:
            roles = {role for each in named if (role := of_role(each)) is not None}
            self._files[playbook] = named, frozenset(named).union(*(files_of_role(self._root, each) for each in roles))
        return [self._file(kind_of(each), each) for each in self._files[playbook][1]]

    def _runbook(self, tag: str) -> list[ArtefactRecord | None]:
        """`FILE#ANCHOR` names a clause of runbooks/FILE.

        Without an anchor, or with an unknown one, it names the whole file.
        """
        name, _, anchor = tag.partition("#")
        path = f"runbooks/{name}"
        whole = self._digests.of(path)
        if whole is None:
            return []
        clause = self._digests.of_clause(path, anchor) if anchor else None
        named = anchor if clause is not None else None
        return [ArtefactRecord(ArtefactKind.RUNBOOK, path, whole, named, clause)]

    def _of_steps(self, places: Iterable[Path]) -> list[ArtefactRecord | None]:
        """The step modules, the repository's modules that they import, and the conftest.py of these folders."""
        asked = frozenset(places)
        if asked not in self._steps:
            self._steps[asked] = [self._file(ArtefactKind.STEPS, each) for each in self._imports(asked)]
        return self._steps[asked]

    def _imports(self, places: Iterable[Path]) -> set[str]:
        todo = [each / _CONFTEST if each.is_dir() else each.resolve() for each in places]
        found: set[Path] = set()
        while todo:
            path = todo.pop()
            if path in found or not path.is_relative_to(self._root) or not path.is_file():
                continue
            found.add(path)
            for name in _imported(path.read_bytes()):
                todo += self._places(path, name)
        return {each.relative_to(self._root).as_posix() for each in found}

    def _places(self, path: Path, name: str) -> Iterator[Path]:
        """Where a module that `path` imports may lie in the repository."""
        level = len(name) - len(name.lstrip("."))
        bases = [path.parents[level - 1]] if level else [self._root, path.parent, path.parent.parent]
        for base in bases:
            place = base.joinpath(*name.lstrip(".").split("."))
            yield place.with_suffix(".py") if place.name else place / "__init__.py"
            yield place / "__init__.py"

    def _of_inventories(self) -> set[str]:
        return files_of_inventories(self._root, self._inventories)

    def _feature(self, scenario: Scenario) -> ArtefactRecord | None:
        """The clause of a feature is the scenario: another scenario of the same file belongs to another drill."""
        whole = self._digests.of(scenario.feature_path)
        if whole is None:
            return None
        text = (scenario.name, scenario.text_sha256) if scenario.text_sha256 else (None, None)
        return ArtefactRecord(ArtefactKind.FEATURE, scenario.feature_path, whole, *text)

    def _file(self, kind: ArtefactKind, path: str) -> ArtefactRecord | None:
        found = self._digests.of(path)
        return None if found is None else ArtefactRecord(kind, path, found)


def kind_of(path: str) -> ArtefactKind:
    """The kind of a file that a playbook includes, by its place."""
    parts = PurePosixPath(path).parts
    if "templates" in parts or path.endswith(".j2"):
        return ArtefactKind.TEMPLATE
    if path.startswith(ROLES):
        return ArtefactKind.ROLE
    if "library" in parts:
        return ArtefactKind.MODULE
    return ArtefactKind.MODULE_UTIL if "module_utils" in parts else ArtefactKind.PLAYBOOK


def _sorted(found: Iterable[ArtefactRecord | None]) -> list[ArtefactRecord]:
    """Each file once. The first entry stays, because it is from before the run."""
    by_place: dict[tuple[str, str], ArtefactRecord] = {}
    for each in found:
        if each is not None:
            by_place.setdefault((each.path, each.clause or ""), each)
    return [by_place[place] for place in sorted(by_place)]


def _imported(source: bytes) -> tuple[str, ...]:
    """The modules that a program names in its imports: `a.b`, and `.b` or `..b` of its own package."""
    try:
        tree = parsed(source)
    except SyntaxError:
        return ()
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            joint = "" if base.endswith(".") or not base else "."
            found += [base, *(f"{base}{joint}{each.name}" for each in node.names)]
    return tuple(each for each in found if each)
