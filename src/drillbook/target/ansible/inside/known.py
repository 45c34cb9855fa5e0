# mypy: disable-error-code="import-untyped"
# (ansible-core is not typed)
"""What a play has found so far, and what somebody wrote down before it: the callback tells it each result.

The rule: a variable was found by a play only if a task registered it or returned it as a fact, and looked at something
to do so. A `set_fact` of a literal has found nothing, and neither has a `debug`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.target.ansible import actions
from drillbook.target.ansible.inside.conditions import FOUND, MISSING, Known, found_by_the_play, written_down

_LOOKING = {"lookup", "query", "q", "now", "vars", "hostvars"}
"""Functions that look, and variables that hold others."""
_SET_FACT = "set_fact"
_PLAIN_LOOPS = {"items", "list", "flattened", "dict", "sequence", "nested", "together", "indexed_items", "subelements"}
"""The `with_...` that only give what stands in them."""


class FoundSoFar:
    """Of one run, for all hosts: a name that was found for one counts as found for all."""

    def __init__(self) -> None:
        self._found: set[str] = set()
        self._play: Any = None

    def begins(self, play: Any) -> None:
        self._play = play

    def includes(self, task: Any) -> None:
        """A file is included for each item: its tasks see the item as a variable."""
        if _loop(task) is FOUND or not written_down(_loop(task), found_by_the_play):
            self._found.add(_loop_variable(task))

    def take(self, task: Any, host: Any, action: str, result: object) -> None:
        """The result of a task, or of an item of its loop."""
        facts = result.get("ansible_facts") if isinstance(result, Mapping) else None
        if actions.reaches(action) or action.rpartition(".")[2] == "include_vars":
            names = {*(facts if isinstance(facts, Mapping) else ()), task.register}
        elif isinstance(facts, Mapping) or task.register:
            known = self.known(task, host)
            said = task.args if isinstance(task.args, Mapping) else {}
            names = {name for name, value in said.items() if not written_down(value, known)}
            names = names if action.rpartition(".")[2] == _SET_FACT else set()
            names |= set() if written_down(dict(said), known) else {task.register}
        else:
            return
        self._found |= {str(name) for name in names if name}

    def known(self, task: Any, host: Any) -> Known:
        """What is known of each variable for this task."""
        variables: dict[str, Any] = {}
        if self._play is not None:
            manager = self._play.get_variable_manager()
            variables = manager.get_vars(play=self._play, host=host, task=task)
        if task.loop is not None:
            variables = {**variables, _loop_variable(task): _loop(task)}
        return lambda name: FOUND if name == task.register else self._of(name, variables)

    def _of(self, name: str, variables: Mapping[str, Any]) -> object:
        if name in self._found or name in _LOOKING or name.startswith("ansible_"):
            return FOUND
        return variables.get(name, MISSING)


def _loop(task: Any) -> object:
    """What a task's loop goes over, as it is written."""
    return task.loop if task.loop_with is None or task.loop_with in _PLAIN_LOOPS else FOUND


def _loop_variable(task: Any) -> str:
    return str(task.loop_control.loop_var or "item") if task.loop_control else "item"
