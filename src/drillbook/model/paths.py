"""Where a repository keeps its playbooks, where Drillbook keeps its own files, and how paths are shown.

The rule: the path of a playbook is a text from the root, with `/`. No other module puts any of these paths together.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

FAULTS, RECOVERIES, MESSAGES = "playbooks/faults/", "playbooks/recovery/", "playbooks/communication/"
WORK_CLEANUP = "playbooks/cleanup/work.yml"
"""The playbook that removes the work which a drill has submitted. A repository may have none."""
CLEANUPS = "playbooks/cleanup/"
EVIDENCE, STEPS = "evidence", "steps"
"""The folders of evidence and of step modules, unless the user names others."""
INJECT, UNDO, SWITCH = "inject", "undo", "switch"


def fault(name: str, part: str = INJECT) -> str:
    """A playbook of a fault: it injects the fault, undoes it, or is its dead man's switch."""
    return f"{FAULTS}{name}/{part}.yml"


def recovery(name: str) -> str:
    """The playbook of a recovery."""
    return f"{RECOVERIES}{name}.yml"


def message(name: str) -> str:
    """The playbook that sends a message."""
    return f"{MESSAGES}{name}.yml"


def misnamed(root: Path, playbook: str) -> str:
    """What to add to the sentence that a playbook is missing: the name of a similar file beside it, if there is one."""
    wanted = root / playbook
    with suppress(OSError):
        for found in sorted(wanted.parent.iterdir()):
            if found.suffix.lower() in {".yml", ".yaml"} and _spelt(found.stem) == _spelt(wanted.stem):
                return f" (there is {found.name}: rename it to {wanted.name})"
    return ""


def _spelt(stem: str) -> str:
    return stem.casefold().replace("-", "_").replace(" ", "_")


# ------------------------------------------------------------------ Drillbook's own files


def kept(root: Path) -> Path:
    """The folder of Drillbook's own files in the checkout at `root`."""
    return root / ".drillbook"


def journal(root: Path, environment: str) -> Path:
    """Where the checkout at `root` keeps the undo journal of an environment."""
    return kept(root) / f"journal-{unique_file_part(environment)}.ndjson"


def journals(root: Path) -> list[tuple[str, Path]]:
    """Each environment with a journal in the checkout at `root`, and the journal."""
    return _environments(kept(root), "journal-", ".ndjson")


def locks(folder: Path) -> list[tuple[str, Path]]:
    """Each environment with a lock in this folder, and the lock."""
    return _environments(folder, "lock-", "")


def _environments(folder: Path, before: str, after: str) -> list[tuple[str, Path]]:
    found = sorted(folder.glob(f"{before}*{after}"))
    return [(unquote(each.name.removeprefix(before).removesuffix(after)), each) for each in found]


def lock(folder: Path, environment: str) -> Path:
    """The lock of an environment in this folder: `kept(root)` for a checkout, the state folder for a machine."""
    return folder / f"lock-{unique_file_part(environment)}"


def guardian_log(root: Path, environment: str) -> Path:
    """The log of an environment's guardian."""
    return kept(root) / f"guardian-{unique_file_part(environment)}.log"


def log(root: Path, name: str) -> Path:
    """The log `name` of a command that runs many drills."""
    return kept(root) / "logs" / name


def unique_file_part(environment: str) -> str:
    """The name of an environment in file names: two environments never share one.

    Letters, digits, `-`, `.`, `_`, `~` and spaces of ASCII stay as they are; all else is quoted as in a URL.
    """
    return quote(environment, safe=" ")


# ------------------------------------------------------------------ how paths are shown


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
    """The path as it was given, without the root if it is below it: for people who see it before them."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
