"""Whether a condition of a task looks at anything.

The rule: a condition that names no variable has looked at nothing, and cannot show what it asserts. A `failed_when`
looks at its own task only if it names what the task registers; a failure that another one denies is still a failure. A
value that is not plain (a vaulted text) counts as a real condition.
"""

from __future__ import annotations

import jinja2
from jinja2 import nodes

_JINJA = jinja2.Environment(autoescape=False)


def looks_at_nothing(said: object) -> bool:
    """Whether a condition, or a list of conditions, that Ansible has parsed names no variable."""
    names = _names(said)
    return names is not None and not names


def looks_at(said: object, name: str | None) -> bool:
    """Whether a condition, or one of a list, names this variable; also True where nobody can read it."""
    names = _names(said)
    return names is None or name in names


def _names(said: object) -> set[str] | None:
    """The variables that a condition names; None where it cannot be read."""
    if isinstance(said, list | tuple):
        parts = [_names(each) for each in said]
        return None if None in parts else set().union(*filter(None, parts))
    if said is None or isinstance(said, bool | int | float):
        return set()
    if not isinstance(said, str):
        return None
    try:
        tree = _JINJA.parse(said if "{{" in said or "{%" in said else f"{{{{ ({said}) }}}}")
    except jinja2.TemplateSyntaxError:
        return None
    return {found.name for found in tree.find_all(nodes.Name)}
