"""Whether a condition of a task looks at anything.

The rule: a condition that names no variable has looked at nothing. A failure that it denies is a failure, and what it
asserts is not shown. What is no plain value is taken for a real condition: a vaulted text says nothing here.
"""

from __future__ import annotations

import jinja2
from jinja2 import nodes

_JINJA = jinja2.Environment(autoescape=False)


def looks_at_nothing(said: object) -> bool:
    """Whether what Ansible has parsed as a condition, or a list of them, names no variable."""
    if isinstance(said, list | tuple):
        return all(map(looks_at_nothing, said))
    if said is None or isinstance(said, bool | int | float):
        return True
    if not isinstance(said, str):
        return False
    try:
        tree = _JINJA.parse(said if "{{" in said or "{%" in said else f"{{{{ ({said}) }}}}")
    except jinja2.TemplateSyntaxError:
        return False
    return next(tree.find_all(nodes.Name), None) is None
