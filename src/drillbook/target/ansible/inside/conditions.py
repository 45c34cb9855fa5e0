"""Whether a condition of a task looks at anything.

The rule: a condition that names only what was known before its play has looked at nothing, and cannot show what it
asserts: a literal, a variable that somebody wrote down, the name of the host. A `failed_when` looks at its own task
only if it names what the task registers; a failure that another one denies is still a failure. What is no plain value
(a vaulted text), and what nobody can read, counts as a real condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import jinja2
from jinja2 import nodes
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

Known = Callable[[str], object]
"""What somebody wrote down as the value of a variable; FOUND where the play found it, MISSING where there is none."""
FOUND: Final = object()
MISSING: Final = object()
_UNKNOWN: Final = object()
_DEPTH = 20

_JINJA = jinja2.Environment(autoescape=False)
_FROM_THE_START = frozenset(
    {"groups", "group_names", "environment", "inventory_dir", "inventory_file", "omit", "playbook_dir", "undef"}
    | {"inventory_hostname", "inventory_hostname_short", "role_name", "role_names", "role_path", "range", "dict"}
    | {f"ansible_{name}" for name in ("check_mode", "config_file", "diff_mode", "forks", "limit", "loop", "version")}
    | {f"ansible_{name}" for name in ("index_var", "inventory_sources", "loop_var", "play_hosts_all", "play_name")}
    | {f"ansible_{name}" for name in ("playbook_python", "role_name", "role_names", "run_tags", "skip_tags")}
)
"""Variables of Ansible, and functions, that are the same whatever the play finds."""
_PURE_TESTS = frozenset(
    {*TESTS, "all", "any", "contains", "falsy", "match", "regex", "search", "subset", "superset", "truthy"}
    | {"change", "changed", "failed", "failure", "finished", "skip", "skipped", "started", "succeeded", "success"}
    | {"successful", "timedout", "reachable", "unreachable", "version", "version_compare", "issubset", "issuperset"}
)
_PURE_FILTERS = frozenset(
    {*FILTERS, "b64decode", "b64encode", "basename", "bool", "combine", "dict2items", "difference", "dirname"}
    | {"flatten", "from_json", "from_yaml", "hash", "intersect", "items2dict", "mandatory", "quote", "regex_findall"}
    | {"regex_replace", "regex_search", "split", "ternary", "to_json", "to_yaml", "union"}
)
"""All others may look at something: `is exists`, and whatever a team has written."""


def found_by_the_play(_name: str) -> object:
    """Of a play of which nothing is known: it found each variable."""
    return FOUND


def looks_at_nothing(said: object, known: Known = found_by_the_play) -> bool:
    """Whether a condition, or a list of conditions, that Ansible has parsed looks at nothing that the play found."""
    names = _names_of(said, known)
    return names is not None and not names


def looks_at(said: object, name: str | None, known: Known = found_by_the_play) -> bool:
    """Whether a condition, or one of a list, looks at this variable; also True where nobody can read it.

    All conditions of a list have to hold, so that one which cannot hold leaves nothing to look at.
    """
    parts = said if isinstance(said, list | tuple) else [said]
    values = [_value_of(each, known) for each in parts]
    if any(value is not _UNKNOWN and not value for value in values):
        return False
    names = _names_of(said, known)
    return names is None or name in names


def written_down(value: object, known: Known) -> bool:
    """Whether a value, as it stands in a playbook, has nothing in it that the play found."""
    return not _names_in(value, known, _DEPTH)


def _names_of(said: object, known: Known) -> set[str] | None:
    """The variables that a condition looks at; None where it cannot be read."""
    if isinstance(said, list | tuple):
        parts = [_names_of(each, known) for each in said]
        return None if None in parts else set().union(*filter(None, parts))
    if said is None or isinstance(said, bool | int | float):
        return set()
    tree = _parsed(said)
    return None if tree is None else _names(tree, known, _DEPTH)


def _value_of(said: object, known: Known) -> object:
    """The value of a condition that has the same one always; otherwise _UNKNOWN."""
    if said is None or isinstance(said, bool | int | float):
        return said
    tree = _parsed(said)
    found = None if tree is None else next(tree.find_all(nodes.Output), None)
    return _value(found.nodes[0], known) if found is not None and len(found.nodes) == 1 else _UNKNOWN


def _parsed(said: object) -> nodes.Template | None:
    if not isinstance(said, str):
        return None
    try:
        return _JINJA.parse(said if _is_template(said) else f"{{{{ ({said}) }}}}")
    except jinja2.TemplateSyntaxError:
        return None


def _is_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def _names_in(value: object, known: Known, depth: int) -> set[str]:
    """The variables that a value names, as it stands in a playbook; no text that is no template names any."""
    if isinstance(value, dict):
        return _all(_names_in(each, known, depth) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple):
        return _all(_names_in(each, known, depth) for each in value)
    if value is None or value is MISSING or isinstance(value, bool | int | float):
        return set()
    if isinstance(value, str) and not _is_template(value):
        return set()
    tree = _parsed(value)
    return {"what nobody can read"} if tree is None else _names(tree, known, depth)


def _names(node: nodes.Node, known: Known, depth: int) -> set[str]:
    """The variables in an expression on whose values its own value depends."""
    below = _all(_names(each, known, depth) for each in node.iter_child_nodes())
    match node:
        case nodes.Name():
            value = MISSING if node.name in _FROM_THE_START else known(node.name)
            is_found = value is FOUND or depth == 0 or _names_in(value, known, depth - 1)
            return {node.name} if is_found else set()
        case nodes.And() | nodes.Or() if _value(node, known) is not _UNKNOWN:
            return set()
        case nodes.Test() if node.name in {"defined", "undefined"} and isinstance(node.node, nodes.Name):
            return set()  # what a task registers is defined, whatever it found
        case nodes.Test() if node.name not in _PURE_TESTS:
            return below | {f"is {node.name}"}
        case nodes.Filter() if node.name not in _PURE_FILTERS:
            return below | {f"| {node.name}"}
        case nodes.Compare() if all(each.expr == node.expr for each in node.ops):
            return set()  # with itself
    return below


def _value(node: nodes.Node, known: Known) -> object:
    """The value of an expression that has the same one always, as Python has it; otherwise _UNKNOWN."""
    match node:
        case nodes.Name():
            value = known(node.name)
            return value if value is None or isinstance(value, bool | int | float) else _UNKNOWN
        case nodes.And() | nodes.Or():
            ends = isinstance(node, nodes.Or)
            parts = [_value(each, known) for each in (node.left, node.right)]
            decided = [each for each in parts if each is not _UNKNOWN and bool(each) is ends]
            return ends if decided else _UNKNOWN if _UNKNOWN in parts else parts[1]
        case nodes.Not():
            value = _value(node.node, known)
            return value if value is _UNKNOWN else not value
        case nodes.Expr():
            try:
                return node.as_const()
            except Exception:  # noqa: BLE001 - jinja's own Impossible, or whatever a filter of a literal raises
                return _UNKNOWN
    return _UNKNOWN


def _all(parts: Iterable[set[str]]) -> set[str]:
    return set().union(*parts)
