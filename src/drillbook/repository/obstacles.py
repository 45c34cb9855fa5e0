"""What certainly stops a playbook, seen without running it: a question to a person, or a missing role.

The rule: a drill would meet it with the system broken. A plan and lint find it before, with file and line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drillbook.safety.data_loss import files_of
from drillbook.target.ansible.environment import SU_ASKS, SU_PASSWORDS, is_su, roles_path
from drillbook.target.ansible.yaml_lines import Lined, UnreadableError, load

ASKS, NO_ROLE = "asks", "no-role"
_BUILTIN = "ansible.builtin."
_PAUSES = ("pause", f"{_BUILTIN}pause")
_INCLUDES = tuple(f"{prefix}{name}" for prefix in ("", _BUILTIN) for name in ("include_role", "import_role"))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One obstacle, in one file."""

    line: int
    code: str
    sentence: str


def of_playbook(
    root: Path, playbook: str, given: Collection[str], *, su_asks: bool = False
) -> Iterator[tuple[str, Obstacle]]:
    """(path, obstacle) of a playbook and of all that it includes; `given` are the extra variables of its run."""
    for path in files_of(root, playbook):
        if path.endswith((".yml", ".yaml")):
            text = (root / path).read_text(encoding="utf-8", errors="replace")
            yield from ((path, each) for each in of_file(root, path, text, given, su_asks=su_asks))


def of_file(root: Path, path: str, text: str, given: Collection[str], *, su_asks: bool = False) -> Iterator[Obstacle]:
    """The obstacles of one file. None for an unreadable file, which other checks report.

    `su_asks`: `su` asks for a password on every host of the inventory.
    """
    try:
        content = load(text)
    except UnreadableError:
        return
    entries = list(_entries(content))
    places = None if any("collections" in each for each in entries) else _places(root, path)
    for entry in entries:
        yield from _questions(entry, given)
        if su_asks and is_su(entry.get("become_method")) and not _gives_a_password(entry, given):
            sentence = f"become_method: su {SU_ASKS.format(on='')}"
            yield Obstacle(entry.lines["become_method"], ASKS, sentence)
        if places is not None:
            yield from _roles(entry, places)


def _entries(content: object) -> Iterator[Lined]:
    """Every mapping in it: plays, tasks, blocks, and their contents."""
    if isinstance(content, Lined):
        yield content
    below = content.values() if isinstance(content, Mapping) else content if isinstance(content, list) else ()
    for each in below:
        yield from _entries(each)


def _questions(entry: Lined, given: Collection[str]) -> Iterator[Obstacle]:
    prompts = entry.get("vars_prompt") if "hosts" in entry else None
    for each in prompts if isinstance(prompts, list) else ():
        name = str(each.get("name")) if isinstance(each, Lined) else ""
        if isinstance(each, Lined) and name not in given:
            sentence = (
                f"vars_prompt asks for {name}, and nobody answers in a drill: "
                f"give the value with drill.recover(name, {name}=...)"
            )
            yield Obstacle(each.line, ASKS, sentence)
    pause = next((key for key in _PAUSES if key in entry and not _is_argument(entry, key)), None)
    if pause is not None:
        said = [each for each in (entry[pause], entry.get("args")) if isinstance(each, Mapping)]
        ends = any(each.get(key) is not None for each in said for key in ("seconds", "minutes"))
        if not ends and not any(f"{key}=" in str(entry[pause]) for key in ("seconds", "minutes")):
            sentence = "a pause without `seconds` waits for a person, and nobody is there in a drill: remove it"
            yield Obstacle(entry.lines[pause], ASKS, sentence)


def _gives_a_password(entry: Lined, given: Collection[str]) -> bool:
    own = entry.get("vars")
    named = {*given, *(own if isinstance(own, Mapping) else ())}
    return entry.get("become") is False or not named.isdisjoint(SU_PASSWORDS)


def _is_argument(entry: Lined, key: str) -> bool:
    """Whether `pause` is an argument and not a module: no task has a scalar there except text."""
    return not (entry[key] is None or isinstance(entry[key], str | Mapping))


def _roles(entry: Lined, places: Sequence[Path]) -> Iterator[Obstacle]:
    named: list[tuple[int, object]] = []
    if "hosts" in entry and isinstance(entry.get("roles"), list):
        for each in entry["roles"]:
            if isinstance(each, Lined):
                named.append((each.line, each.get("role", each.get("name"))))
            else:
                named.append((entry.lines["roles"], each))
    named += [(entry.lines[key], entry[key].get("name")) for key in _INCLUDES if isinstance(entry.get(key), Lined)]
    for line, name in named:
        # Ansible itself must find a role of a collection
        if not isinstance(name, str) or "{{" in name or name.count(".") >= 2 or "," in name:
            continue
        if not any((place / Path(name).expanduser()).is_dir() for place in places):
            sentence = f"there is no role {name}: put it into playbooks/roles, or into a folder that roles_path names"
            yield Obstacle(line, NO_ROLE, sentence)


def _places(root: Path, path: str) -> list[Path]:
    """Where Ansible looks for the roles that a file names: beside the playbook, and where the configuration says."""
    beside = (root / path).parent
    of_role = [beside.parent.parent] if beside.name in {"tasks", "handlers", "meta"} else []
    return [beside / "roles", beside, *of_role, *roles_path(root), root / "playbooks" / "roles", root / "playbooks"]
