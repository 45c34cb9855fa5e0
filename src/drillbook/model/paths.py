"""Where a repository of drills has its faults and recoveries, and how paths are told.

The rule: their playbooks are texts from the root, with `/`, and no other module puts these together.
"""

from __future__ import annotations

from pathlib import Path

FAULTS, RECOVERIES, MESSAGES = "playbooks/faults/", "playbooks/recovery/", "playbooks/communication/"
INJECT, UNDO, SWITCH = "inject", "undo", "switch"


def fault(name: str, part: str = INJECT) -> str:
    """The playbook of a fault: what breaks, what undoes it, or its dead man's switch."""
    return f"{FAULTS}{name}/{part}.yml"


def recovery(name: str) -> str:
    """The playbook of a recovery."""
    return f"{RECOVERIES}{name}.yml"


def message(name: str) -> str:
    """The playbook that sends a message."""
    return f"{MESSAGES}{name}.yml"


def relative(path: Path, root: Path) -> str:
    """The path below root in POSIX form, or its bare name when it lies elsewhere: no machine path in evidence."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.name


def located(path: Path, root: Path) -> str:
    """Where to find the path again: relative below root, absolute elsewhere. For .drillbook/, not for evidence."""
    absolute = path.resolve()
    return absolute.relative_to(root.resolve()).as_posix() if absolute.is_relative_to(root.resolve()) else str(absolute)


def shown(path: Path, root: Path) -> str:
    """The path as it was given, without the root where it is below it: for people who have it before them."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
