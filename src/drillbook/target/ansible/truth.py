"""What Ansible takes for true and for false.

The rule: there are two questions, and each has one answer here. Ansible reads a keyword or a variable as a boolean,
where "yes" and "t" are true. It reads a condition as a Jinja expression, where "yes" is the name of a variable.
"""

from __future__ import annotations

import re

_WORDS = {
    **dict.fromkeys(("y", "yes", "on", "1", "true", "t"), True),
    **dict.fromkeys(("n", "no", "off", "0", "false", "f"), False),
}
_LITERALS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
_TEMPLATE = re.compile(r"\{\{(.*)\}\}")


def boolean(value: object) -> bool | None:
    """The value of a keyword (`ignore_errors`) or a variable, as Ansible's own `boolean()`; None when it is neither.

    The words are repeated here, because that function takes 40 ms of processor time to import.
    """
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    return None


def condition(value: object) -> bool | None:
    """The value of a condition (`when`, `failed_when`, `that`) that looks at nothing; None when it looks at something.

    Also None for a word that a condition reads as a variable's name: "yes", "TRUE". A number is no condition since core
    2.19, unless ansible.cfg allows broken ones; then it counts as in Python. A list is true when all of it is.
    """
    match value:
        case bool() | int():
            return bool(value)
        case str():
            return _literal(value.strip())
        case list():
            parts = {condition(each) for each in value}
            return parts.pop() if len(parts) == 1 else None
    return None


def _literal(text: str) -> bool | None:
    template = _TEMPLATE.fullmatch(text)
    if template is not None:
        return _literal(template[1].strip())
    if text.startswith("not "):
        denied = _literal(text.removeprefix("not ").strip())
        return None if denied is None else not denied
    return _LITERALS.get(text)
