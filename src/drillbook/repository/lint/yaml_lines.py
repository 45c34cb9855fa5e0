"""YAML with the lines that things stand on. Ansible's own tags (`!vault`, `!unsafe`) are taken for plain text."""

from __future__ import annotations

from typing import Any

import yaml


class Lined(dict[str, Any]):
    """A mapping that knows the line of each of its keys, and its own."""

    line: int
    lines: dict[str, int]


class UnreadableError(Exception):
    """The text is no YAML; `line` says where."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


class _Loader(yaml.SafeLoader):
    pass


def _mapping(loader: Any, node: Any) -> Lined:
    loader.flatten_mapping(node)
    made = Lined()
    made.line = node.start_mark.line + 1
    made.lines = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        made[key] = loader.construct_object(value_node, deep=True)
        made.lines[key] = key_node.start_mark.line + 1
    return made


def _tagged(loader: Any, _suffix: str, node: Any) -> object:
    return node.value if isinstance(node, yaml.ScalarNode) else None


yaml.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping, _Loader)
yaml.add_multi_constructor("!", _tagged, _Loader)


def load(text: str) -> object:
    """The first document, its mappings as `Lined`. Raises UnreadableError."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        raise UnreadableError(mark.line + 1 if mark else 1, " ".join(str(reason).split())) from error
