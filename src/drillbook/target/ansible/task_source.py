"""What a task's source says that Ansible's events do not carry: its conditions.

The rule: a condition that names no variable has looked at nothing. A failure that it denies is a failure, and what it
asserts is not shown. What cannot be read here is taken for a real condition.
"""

from __future__ import annotations

from pathlib import Path

import jinja2
from jinja2 import nodes

from drillbook.target.ansible.assertions import ASSERTIONS
from drillbook.target.ansible.truth import condition
from drillbook.target.ansible.yaml_lines import Lined, Tagged, UnreadableError, load, mapping_at

_JINJA = jinja2.Environment(autoescape=False)


def denies_failure(where: str) -> bool:
    """Whether the task at `path:line` says `failed_when: false`, or the like, and changes something.

    With `changed_when: false` the task only looks, and that there is nothing to see is an answer.
    """
    task = _task(where)
    return (
        "failed_when" in task
        and _looks_at_nothing(task["failed_when"])
        and condition(task.get("changed_when")) is not False
    )


def asserts_nothing(where: str) -> bool:
    """Whether the task at `path:line` is an assertion all of whose conditions name no variable."""
    arguments = next((task[name] for task in (_task(where),) for name in ASSERTIONS if name in task), None)
    return isinstance(arguments, dict) and "that" in arguments and _looks_at_nothing(arguments["that"])


def _looks_at_nothing(said: object) -> bool:
    if isinstance(said, list):
        return all(map(_looks_at_nothing, said))
    if not isinstance(said, str):
        return True
    if isinstance(said, Tagged):
        return False
    try:
        tree = _JINJA.parse(said if "{{" in said or "{%" in said else f"{{{{ ({said}) }}}}")
    except jinja2.TemplateSyntaxError:
        return False
    return next(tree.find_all(nodes.Name), None) is None


def _task(where: str) -> Lined:
    """The mapping that begins at `path:line`; empty when there is none, or none that can be read."""
    path, _, line = where.rpartition(":")
    try:
        content = load(Path(path).read_text(encoding="utf-8"))
        return mapping_at(content, int(line)) or Lined()
    except (OSError, ValueError, UnreadableError):
        return Lined()
