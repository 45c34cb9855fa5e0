"""What a task's source says that Ansible's events do not carry: its conditions.

The rule: a condition that names no variable has looked at nothing. A failure that it denies is a failure, and what it
asserts is not shown. What cannot be read here is taken for a real condition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import nodes

from drillbook.target.ansible.assertions import ASSERTIONS

_JINJA = jinja2.Environment(autoescape=False)


def denies_failure(where: str) -> bool:
    """Whether the task at `path:line` says `failed_when: false`, or the like, and changes something.

    With `changed_when: false` the task only looks, and that there is nothing to see is an answer.
    """
    task = _task(where)
    return "failed_when" in task and _looks_at_nothing(task["failed_when"]) and not _is_false(task.get("changed_when"))


def asserts_nothing(where: str) -> bool:
    """Whether the task at `path:line` is an assertion all of whose conditions name no variable."""
    arguments = next((task[name] for task in (_task(where),) for name in ASSERTIONS if name in task), None)
    return isinstance(arguments, dict) and "that" in arguments and _looks_at_nothing(arguments["that"])


def _looks_at_nothing(condition: Any) -> bool:
    if isinstance(condition, list):
        return all(map(_looks_at_nothing, condition))
    if not isinstance(condition, str):
        return True
    try:
        tree = _JINJA.parse(condition if "{{" in condition or "{%" in condition else f"{{{{ ({condition}) }}}}")
    except jinja2.TemplateSyntaxError:
        return False
    return next(tree.find_all(nodes.Name), None) is None


def _is_false(condition: Any) -> bool:
    return str(condition).lower() in {"false", "no"}


def _task(where: str) -> dict[Any, Any]:
    """The mapping that begins at `path:line`; empty when there is none, or none that plain YAML can read."""
    path, _, line = where.rpartition(":")
    try:
        found = _mapping_at(yaml.compose(Path(path).read_bytes(), yaml.SafeLoader), int(line) - 1)
        return {} if found is None else _plain(found)
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _mapping_at(node: yaml.Node | None, line: int) -> yaml.MappingNode | None:
    if isinstance(node, yaml.MappingNode):
        if node.start_mark.line == line:
            return node
        below = [value for _, value in node.value]
    else:
        below = node.value if isinstance(node, yaml.SequenceNode) else []
    return next((found for each in below if (found := _mapping_at(each, line)) is not None), None)


def _plain(node: yaml.MappingNode) -> dict[Any, Any]:
    """The values that plain YAML knows; others (`!vault`) are left out."""
    values = {}
    for key, value in node.value:
        try:
            values[key.value] = yaml.constructor.SafeConstructor().construct_object(value, deep=True)
        except yaml.YAMLError:
            continue
    return values
