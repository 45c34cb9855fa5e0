"""The variables that steps hand to their playbooks, in the form for ansible-lint: each value once.

The rule: a value may lead a play elsewhere (`hosts`, a role, an imported file). Such a play is checked with each of its
values. All else in a playbook is the same for every value, and is checked once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from drillbook.repository.plan.plan import Intent
from drillbook.target.ansible.yaml_lines import UnreadableError, load

_LEADS = re.compile(r"hosts|roles|vars_files|(?:ansible\.builtin\.)?(?:import|include)_\w+")
"""Keys of plays and tasks that say what else is read, or where."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """One run of ansible-lint: these playbooks (none: all of them) with these variables."""

    playbooks: tuple[str, ...]
    variables: Mapping[str, object]


def runs(
    intents: Iterable[Intent], always: Mapping[str, object], files_of: Callable[[str], Iterable[str]]
) -> list[HandedOver]:
    """A run of all with the first value of each variable, then one for each further value that leads elsewhere.

    `always`: what every playbook is given; `files_of`: the texts of a playbook and of all that it includes.
    """
    intents = list(intents)
    first: dict[str, object] = dict(always)
    for intent in intents:
        first |= {name: value for name, value in intent.variables.items() if name not in first}
    found = [HandedOver((), first)]
    wanted: dict[tuple[str, str], Mapping[str, object]] = {}
    for intent in intents:
        for playbook in _playbooks(intent):
            names = _leading(files_of(playbook), intent.variables)
            values = {name: intent.variables[name] for name in names}
            if any(first[name] != value for name, value in values.items()):
                wanted.setdefault((playbook, json.dumps(values, sort_keys=True, default=str)), intent.variables)
    further: list[tuple[list[str], dict[str, object]]] = []
    for (playbook, _), variables in wanted.items():
        for playbooks, given in further:
            if playbook not in playbooks and all(given.get(name, value) == value for name, value in variables.items()):
                playbooks.append(playbook)
                given.update(variables)
                break
        else:
            further.append(([playbook], dict(variables)))
    return [*found, *(HandedOver(tuple(playbooks), {**first, **given}) for playbooks, given in further)]


def _playbooks(intent: Intent) -> Iterator[str]:
    """The playbook, or all playbooks of its fault: they get the same variables."""
    yield intent.playbook
    folder, _, name = intent.playbook.rpartition("/")
    if name == "inject.yml":
        yield from (f"{folder}/{part}" for part in ("undo.yml", "switch.yml"))


def _leading(texts: Iterable[str], variables: Mapping[str, object]) -> list[str]:
    """The variables whose values decide what is read."""
    if not variables:
        return []
    led = " ".join(said for text in texts for said in _led(text))
    return [name for name in variables if re.search(rf"\b{re.escape(name)}\b", led)]


def _led(text: str) -> Iterator[str]:
    try:
        content = load(text)
    except UnreadableError:
        return
    yield from _templates(content, within=False)


def _templates(value: object, *, within: bool) -> Iterator[str]:
    """The texts with a template below one of these keys."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _templates(each, within=within or _LEADS.fullmatch(str(key)) is not None)
    elif isinstance(value, list):
        for each in value:
            yield from _templates(each, within=within)
    elif within and isinstance(value, str) and "{{" in value:
        yield value
