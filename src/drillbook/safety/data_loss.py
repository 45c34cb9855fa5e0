"""Recoveries that destroy data: which playbooks do it, and whether the scenario says how much may be lost.

The rule: a drill destroys data only in a scenario tagged `@accepts-data-loss:COUNT`, and then it loses exactly COUNT
acknowledged jobs, by the ledger. A playbook declares that it destroys (`drillbook_destroys_data: true` among the vars
of a play). Drillbook also finds known destroying commands in its text, and in all that it includes.

The search is a net, and no proof: a script may delete key by key. The final balance of the work shows what no text
shows.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from drillbook.model import paths
from drillbook.model.phases import StepKind
from drillbook.model.python_source import parsed
from drillbook.model.tags import ACCEPTS_DATA_LOSS
from drillbook.target.ansible.truth import boolean
from drillbook.target.ansible.yaml_lines import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    UnreadableError,
    documents,
    first_line,
    value_of,
)

DECLARED = "drillbook_destroys_data"
# not the name of a right (`-flushall` in an account's rules), and not a part of a longer name
_KNOWN = re.compile(
    r"(?<![-+@\w])(?:flushall|flushdb)(?!\w)"  # Redis
    r"|(?<!\w)(?:flush_all|obliterate)(?!\w)"  # memcached, BullMQ
    r"|(?<!\w)(?:delete\s+from|drop\s+(?:table|database|schema|column|tablespace|owned)|truncate\s+(?:table|only))(?!\w)"
    r"|(?<!\w)truncate(?=\s+[\w.\"]+\s*(?:$|[;'\",]|cascade|restart))"  # a file is truncated with an option first
    r"|(?<![-\w])(?:dropdb|dropDatabase|drop_database)(?!\w)"
    r"|(?<!\w)pg_restore\b(?=.*\s(?:-c|--clean)\b)",
    re.IGNORECASE,
)
_DATABASES = re.compile(
    r"(?:postgresql|mysql|mongodb|clickhouse|mssql|influxdb)_(?:db|database|table|schema|tablespace)"
)
_EMPTIES = re.compile(r"(?<![\w])(?:state\s*=\s*absent|truncate\s*=\s*(?:yes|true|1))(?!\w)", re.IGNORECASE)
_LISTS = frozenset({"tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always", "roles"})
_PROSE = frozenset({"msg", "fail_msg", "success_msg", "description"})
_ROLES = frozenset({"include_role", "import_role"})
_TEMPLATED = re.compile(r"\{\{.*?\}\}")
_FILE_NAME = re.compile(r"[\w./*-]*\.\w+")
_MODULE_UTILS = re.compile(r"ansible\.module_utils\.(\w+)")
_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, order=True)
class Destroyer:
    """A place that destroys data; `path` is relative to the root."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def refusal(found: object, scenario: str, where: str) -> str:
    """Why a scenario without the tag may not run this playbook, and what to do. `found`: a Destroyer, or its words."""
    return (
        f"{found} destroys data, and the scenario {scenario!r} ({where}) does not accept that: tag it "
        f"@{ACCEPTS_DATA_LOSS}:COUNT, with the exact number of acknowledged jobs that are lost, or recover without "
        "destroying data"
    )


def destroyers(root: Path, playbook: str) -> tuple[Destroyer, ...]:
    """What destroys data in a playbook (relative to the root) and in all that it includes, by its text."""
    return tuple(sorted(_scanned(root, playbook).found))


def files_of(root: Path, playbook: str) -> tuple[str, ...]:
    """A playbook (relative to the root) and the files of the repository that it includes, sorted.

    An earlier scan of the playbook counts, if nothing has changed since.
    """
    known = _brought_in.get((root, playbook))
    if known is None or known[0] != _stamp(root, (playbook, *known[1])):
        _scanned(root, playbook)
    return _brought_in[root, playbook][1]


_brought_in: dict[tuple[Path, str], tuple[tuple[int, ...], tuple[str, ...]]] = {}


def _scanned(root: Path, playbook: str) -> _Scan:
    """The scan of a playbook. Its result is kept, because a drill asks for it as well."""
    scan = _Scan(root)
    scan.file(root / playbook)
    files = tuple(sorted(each.relative_to(root.resolve()).as_posix() for each in scan.seen))
    _brought_in[root, playbook] = _stamp(root, (playbook, *files)), files
    return scan


def _stamp(root: Path, files: Iterable[str]) -> tuple[int, ...]:
    """Changes when a file changes, or when another one appears beside it or in the folder of all roles."""
    folders = {name.rpartition("/")[0] for name in files} | {"playbooks/library", "playbooks/roles", "playbooks"}
    return tuple(_changed_ns(f"{root}/{name}") for name in sorted({*files, *folders}))


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - of each file before each drill
    except OSError:
        return 0


class _Scan:
    """Reads a playbook and the files of the repository that it names: task files, roles, modules, scripts."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self.seen: set[Path] = set()
        self.found: set[Destroyer] = set()

    def file(self, named: Path | str) -> None:
        if not os.path.isfile(named):  # noqa: PTH113 - of each word that might be one; with a Path 3 times as long
            return
        path = Path(named).resolve()
        if path in self.seen or not path.is_relative_to(self._root):
            return
        self.seen.add(path)
        if path.stat().st_size > _LARGEST_BYTES:
            return
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix in {".yml", ".yaml"}:
            self._yaml(path, text)
        elif path.suffix == ".py":
            self._texts(path, _python(text))
            for name in _MODULE_UTILS.findall(text):
                self.file(self._root / "playbooks" / "module_utils" / f"{name}.py")
        else:
            self._texts(path, enumerate(text.splitlines(), start=1))

    def _texts(self, path: Path, texts: Iterable[tuple[int, str]]) -> None:
        for line, text in texts:
            for offset, part in enumerate(text.splitlines()):
                if not part.lstrip().startswith(("#", "--")):
                    for known in _KNOWN.findall(part):
                        self._add(path, line + offset, known)

    def _add(self, path: Path, line: int, what: str) -> None:
        self.found.add(Destroyer(path.relative_to(self._root).as_posix(), line, what))

    def _yaml(self, path: Path, text: str) -> None:
        try:
            nodes = documents(text)
        except UnreadableError:
            self._texts(path, enumerate(text.splitlines(), start=1))
            return
        for node in nodes:
            self._node(path, node, tasks=True)

    def _node(self, path: Path, node: Node | None, *, tasks: bool = False) -> None:
        """`tasks`: whether the node is a list of plays, tasks or roles, whose names are prose."""
        match node:
            case ScalarNode():
                self._texts(path, [(first_line(node), node.value)])
                self._named_files(path, node.value)
            case SequenceNode():
                for each in node.value:
                    self._node(path, each, tasks=tasks)
                    if tasks and isinstance(each, ScalarNode):
                        self._role(each.value)
            case MappingNode():
                self._mapping(path, node, tasks=tasks)

    def _mapping(self, path: Path, node: MappingNode, *, tasks: bool) -> None:
        entries = [(key.value, key, value) for key, value in node.value if isinstance(key, ScalarNode)]
        given = {name: value for name, _, value in entries}
        for name, key, value in entries:
            if name == DECLARED:
                said = value.value if isinstance(value, ScalarNode) else ""
                if boolean(_value(value)) is not False:
                    self._add(path, first_line(key), f"{DECLARED}: {said}")
                continue
            short = name.rpartition(".")[2]
            if tasks and short in _ROLES and isinstance(value, MappingNode):
                self._included_role(value)
            elif tasks and name == "role" and isinstance(value, ScalarNode):
                self._role(value.value)
            if tasks:
                self.file(f"{self._root}/playbooks/library/{short}.py")
                if _DATABASES.fullmatch(short) and (how := _empties(value) or _empties(given.get("args"))):
                    self._add(path, first_line(key), f"{short}: {how}")
            if (tasks and name == "name") or name in _PROSE:
                continue
            self._node(path, value, tasks=name in _LISTS)

    def _included_role(self, arguments: MappingNode) -> None:
        given = {key.value: value.value for key, value in arguments.value if isinstance(value, ScalarNode)}
        self._role(str(given.get("name", "")), str(given.get("tasks_from", "main")))

    def _role(self, name: str, tasks_from: str = "main") -> None:
        if not name:
            return
        pattern = _TEMPLATED.sub("*", name)
        for role in (self._root / "playbooks" / "roles").glob(pattern):
            wanted = _TEMPLATED.sub("*", tasks_from).removesuffix(".yml").removesuffix(".yaml")
            for place in (f"tasks/{wanted}", "handlers/*", "defaults/*", "vars/*"):
                for found in (*role.glob(f"{place}.yml"), *role.glob(f"{place}.yaml")):
                    self.file(found)

    def _named_files(self, path: Path, text: str) -> None:
        """Every file of the repository that a text names. A part that only the play knows matches anything."""
        names = _FILE_NAME.findall(_TEMPLATED.sub("*", text))
        if not names:
            return
        role = path.parent.parent
        places = [path.parent, role / "tasks", role / "files", role / "templates"]
        places += [self._root / "playbooks", self._root / "playbooks" / "files", self._root]
        for name in names:
            relative = name.lstrip("/").removeprefix("*/")  # "{{ playbook_dir }}/x.yml"
            for place in places:
                try:
                    named = list(place.glob(relative)) if "*" in relative else [f"{place}/{relative}"]
                except (ValueError, NotImplementedError):
                    continue  # "..": no pattern that pathlib takes
                for found in named:
                    self.file(found)


def _empties(arguments: Node | None) -> str:
    """How the arguments of a database module remove a database or its contents; empty when they do not."""
    if isinstance(arguments, ScalarNode):
        found = _EMPTIES.search(arguments.value)
        return found[0] if found else ""
    if not isinstance(arguments, MappingNode):
        return ""
    for key, value in arguments.value:
        name, said = (each.value if isinstance(each, ScalarNode) else "" for each in (key, value))
        if (name == "state" and said == "absent") or (name == "truncate" and boolean(_value(value)) is not False):
            return f"{name}: {said}"
    return ""


def _value(node: Node) -> object:
    try:
        return value_of(node)
    except UnreadableError:
        return None


_MANUALS = frozenset({"DOCUMENTATION", "EXAMPLES", "RETURN"})


@lru_cache(maxsize=512)
def _python(text: str) -> tuple[tuple[int, str], ...]:
    """The calls, texts and names of a program, without its comments, manuals and docstrings."""
    return tuple(_said(text))


def _said(text: str) -> Iterator[tuple[int, str]]:
    try:
        tree = parsed(text)
    except SyntaxError:
        yield from enumerate(text.splitlines(), start=1)
        return
    silent: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _MANUALS:
                silent.add(id(value))
            case ast.Expr(value=ast.Constant() as constant):
                silent.add(id(constant))
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() as said) if id(node) not in silent:
                yield node.lineno, said
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield node.lineno, name


def changes(kind: StepKind, name: str) -> tuple[str, ...]:
    """The playbooks, relative to the root, that a fault or a recovery brings into a drill."""
    if kind is StepKind.FAULT:
        return tuple(paths.fault(name, part) for part in (paths.INJECT, paths.UNDO, paths.SWITCH))
    return (paths.recovery(name),)


def first_destroyer(root: Path, playbooks: Iterable[str]) -> Destroyer | None:
    """The first place in these playbooks that destroys data."""
    return next((found for playbook in playbooks for found in destroyers(root, playbook)), None)


def required(accepted_lost: int | None, *, may_be_whole: bool) -> tuple[tuple[int, ...], str]:
    """How many lost jobs are right at the end of a drill, and the sentence that demands it.

    `may_be_whole`: a control leaves out the recovery, or a task of it, so losing nothing is right, too.
    """
    if not accepted_lost:
        return (0,), "all acknowledged work is completed exactly once"
    or_none = " or none" if may_be_whole else ""
    demand = f"exactly {accepted_lost} acknowledged jobs{or_none} are lost (@{ACCEPTS_DATA_LOSS}:{accepted_lost})"
    return ((accepted_lost, 0) if may_be_whole else (accepted_lost,)), f"{demand}, all others completed exactly once"
