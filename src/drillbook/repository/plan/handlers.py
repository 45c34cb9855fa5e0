"""The handlers of a playbook, read from its files: Ansible's list of tasks leaves them out.

The rule: the plan shows all that may change the target. Only the running play knows whether it notifies a handler.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from drillbook.safety.data_loss import files_of
from drillbook.target.ansible.yaml_lines import Lined, UnreadableError, load, mappings

_FILES = tuple(f"{prefix}{name}" for prefix in ("", "ansible.builtin.") for name in ("import_tasks", "include_tasks"))
_KEYWORDS = frozenset({"name", "listen", "when", "notify", "vars", "register", "tags", "become", "args", "loop"})


def handlers(root: Path, playbook: str) -> tuple[str, ...]:
    """The names of all handlers, in their order; `playbook` is relative to the root."""
    files = files_of(root, playbook)
    found: list[str] = []
    for path in sorted(files, key=lambda path: path != playbook):  # its own before those of roles
        content = _content(root / path)
        for play in content:
            if "hosts" in play:
                found += _names(root / path, mappings(play.get("handlers")))
        if PurePosixPath(path).parent.name == "handlers":
            found += _names(root / path, content)
    return tuple(dict.fromkeys(found))


def _names(path: Path, entries: list[Lined], seen: tuple[Path, ...] = ()) -> Iterator[str]:
    for entry in entries:
        named = next((entry[key] for key in _FILES if key in entry), None)
        file = named.get("file") if isinstance(named, Lined) else named
        other = (path.parent / str(file)).resolve()
        if file is not None and other.is_file() and other not in seen:
            yield from _names(other, _content(other), (*seen, other))
        else:
            yield str(entry.get("name") or next((key for key in entry if key not in _KEYWORDS), "a handler"))


def _content(path: Path) -> list[Lined]:
    if path.suffix not in {".yml", ".yaml"}:
        return []
    try:
        return mappings(load(path.read_text(encoding="utf-8", errors="replace")))
    except (OSError, UnreadableError):
        return []  # Ansible, which lists the playbook, reports it
