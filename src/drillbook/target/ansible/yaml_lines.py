# mypy: disable-error-code="no-untyped-call"
# (PyYAML is not typed)
"""YAML as Ansible reads it, with line numbers.

The rule: no other module reads YAML for its lines. It uses PyYAML, as Ansible does: for YAML 1.2 (ruamel.yaml) `yes`
would be a text. Ansible's own tags (`!vault`, `!unsafe`) are no error; their values become `Tagged`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["Lined", "MappingNode", "Node", "ScalarNode", "SequenceNode", "Tagged", "UnreadableError"]

_MERGE = "tag:yaml.org,2002:merge"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # without libyaml it takes ten times as long


class Lined(dict[str, Any]):
    """A mapping that knows the line of each of its keys, and its own."""

    line: int
    lines: dict[str, int]


class Tagged(str):
    """The text of a value with one of Ansible's own tags. Its real value is not known here."""

    __slots__ = ()


class UnreadableError(Exception):
    """The text is no YAML; `line` says where."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


# Kept by their text: a drill reads its playbooks before each of its controls, and they use the same roles.
@lru_cache(maxsize=512)
def documents(text: str) -> tuple[Node, ...]:
    """The nodes of all documents, each with its marks; do not change them. Raises UnreadableError."""
    try:
        return tuple(yaml.compose_all(text, _Loader))
    except yaml.YAMLError as error:
        raise _unreadable(error) from error


def load(text: str) -> object:
    """The value of the one document, its mappings as `Lined`; None for an empty text. Raises UnreadableError."""
    nodes = documents(text)
    if len(nodes) > 1:
        raise UnreadableError(first_line(nodes[1]), "there is a second document")
    return value_of(nodes[0]) if nodes else None


def value_of(node: Node) -> object:
    """The value of a node, as in `load`. Raises UnreadableError."""
    try:
        value: object = _Values().construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2026-13-45 looks like a date
        raise _unreadable(error) from error
    return value


def first_line(node: Node) -> int:
    """The line where a node's content begins: the text of a block begins on the line below its mark."""
    below = isinstance(node, ScalarNode) and node.style in {"|", ">"}
    return int(node.start_mark.line) + (2 if below else 1)


def mappings(content: object) -> list[Lined]:
    """The mappings in a list, as the plays of a playbook; empty when it is no list."""
    return [each for each in content if isinstance(each, Lined)] if isinstance(content, list) else []


def mapping_at(content: object, line: int) -> Lined | None:
    """The outermost mapping that begins on a line. Ansible names a task by that line."""
    if isinstance(content, Lined):
        if content.line == line:
            return content
        below = list(content.values())
    else:
        below = content if isinstance(content, list) else []
    return next((found for each in below if (found := mapping_at(each, line)) is not None), None)


class _Values(yaml.constructor.SafeConstructor):
    """Turns nodes into values and leaves the nodes as they are: PyYAML's own merging of `<<` would change them."""

    def mapping(self, node: MappingNode) -> Lined:
        made = Lined()
        made.line = first_line(node)
        made.lines = {}
        for key_node, value_node in _entries(node):
            key = str(self.construct_object(key_node, deep=True))
            made[key] = self.construct_object(value_node, deep=True)
            made.lines[key] = first_line(key_node)
        return made

    def tagged(self, _suffix: str, node: Node) -> Tagged | None:
        return Tagged(node.value) if isinstance(node, ScalarNode) else None


_Values.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _Values.mapping)
_Values.add_multi_constructor("!", _Values.tagged)


def _entries(node: MappingNode) -> Iterator[tuple[Node, Node]]:
    """Keys and values. Merged ones (`<<: *base`) come before the mapping's own, which win."""
    for key, value in node.value:
        if key.tag == _MERGE:
            bases = value.value if isinstance(value, SequenceNode) else [value]
            for base in reversed(bases):
                if not isinstance(base, MappingNode):
                    mark = base.start_mark
                    raise yaml.constructor.ConstructorError(None, None, "only a mapping can be merged", mark)
                yield from _entries(base)
    yield from ((key, value) for key, value in node.value if key.tag != _MERGE)


def _unreadable(error: Exception) -> UnreadableError:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error)
    return UnreadableError(mark.line + 1 if mark else 1, " ".join(str(reason).split()))
