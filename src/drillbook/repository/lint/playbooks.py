"""What is wrong with playbooks, seen without running them: no undo, an undo that proves nothing, a silent failure.

The rule: an undo ends, for the hosts of every play, with an assertion that can fail. `ignore_errors`, `failed_when:
false`, check mode, an empty rescue and an end before the assertion are errors: Ansible calls each of them successful.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from drillbook.model import paths
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.target.ansible.actions import ASSERTIONS
from drillbook.target.ansible.truth import boolean, condition
from drillbook.target.ansible.yaml_lines import Lined, UnreadableError, load, mappings

_SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers")
_IN_ORDER = ("pre_tasks", "roles", "tasks", "post_tasks")
_BLOCKS = ("block", "rescue", "always")
_META = ("meta", "ansible.builtin.meta")
_ENDS = frozenset({"end_play", "end_host", "end_batch", "end_role"})
_ROLES = ("include_role", "import_role", "ansible.builtin.include_role", "ansible.builtin.import_role")
_IMPORTS = ("import_playbook", "ansible.builtin.import_playbook")


def check(repository: Repository) -> Iterator[Finding]:
    """All findings about the files below playbooks/."""
    faults = {path.rpartition("/")[0] for path in repository.playbooks if path.startswith(paths.FAULTS)}
    for folder in sorted(faults):
        for name, code in (("inject.yml", "no-inject"), ("undo.yml", "no-undo")):
            if f"{folder}/{name}" not in repository.playbooks:
                other = paths.misnamed(repository.root, f"{folder}/{name}")
                sentence = f"the fault has no {name}{other}: a fault is a folder with inject.yml and undo.yml"
                yield Finding(f"{folder}/{name}", 1, code, sentence)
    yield from _never_found(repository)
    read: dict[str, object] = {}
    for path, text in repository.playbooks.items():
        if not path.startswith((paths.FAULTS, paths.RECOVERIES, paths.CLEANUPS, paths.MESSAGES, "playbooks/roles/")):
            continue
        try:
            read[path] = load(text)
        except UnreadableError as error:
            yield Finding(path, error.line, "yaml", f"the file is no YAML that Ansible could read: {error}")
    for path, content in read.items():
        if "/defaults/" in path or "/vars/" in path or "/meta/" in path:
            continue
        lines = repository.playbooks[path].splitlines()
        for entry in mappings(content):
            yield from (_allowed(each, lines) for each in _silences(path, entry))
            yield from _ends_early(path, entry)
        if (path.startswith(paths.FAULTS) and path.endswith("/undo.yml")) or path == paths.WORK_CLEANUP:
            yield from _undo(path, content, read)
    yield from _cleanups(repository)


def _cleanups(repository: Repository) -> Iterator[Finding]:
    """Files there that nobody runs: a misspelt name removes no work."""
    run = repository.playbooks.get(paths.WORK_CLEANUP, "")
    for path in repository.playbooks:
        folder, _, name = path.rpartition("/")
        if f"{folder}/" == paths.CLEANUPS and path != paths.WORK_CLEANUP and name not in run:
            sentence = f"no drill runs it: the playbook that removes a drill's work is {paths.WORK_CLEANUP}"
            yield Finding(path, 1, "unused-cleanup", sentence, Severity.WARNING)


def _never_found(repository: Repository) -> Iterator[Finding]:
    """Playbooks that a step or a fault would name, but under a name that nobody looks for."""
    of_others = set().union(*(imported(path, text) for path, text in repository.playbooks.items()))
    for path in set(repository.playbooks) - of_others:
        wanted = str(PurePosixPath(path).with_suffix(".yml"))
        named = path.startswith((paths.RECOVERIES, paths.MESSAGES)) or (
            path.startswith(paths.FAULTS) and PurePosixPath(path).stem in (paths.INJECT, paths.UNDO, paths.SWITCH)
        )
        if named and path != wanted and wanted not in repository.playbooks:
            sentence = f"Drillbook does not find a playbook with this name: rename it to {PurePosixPath(wanted).name}"
            yield Finding(path, 1, "misnamed", sentence)


def imported(path: str, text: str) -> set[str]:
    """The playbooks that this one imports, from the root as they are; none for an unreadable file."""
    try:
        plays = mappings(load(text))
    except UnreadableError:
        return set()
    return {_target(path, str(play[name])) for play in plays for name in _IMPORTS if name in play}


def _target(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


# ------------------------------------------------------------------ the end of an undo


def _undo(path: str, content: object, read: Mapping[str, object]) -> Iterator[Finding]:
    plays = mappings(content)
    if not plays:
        yield Finding(path, 1, "undo-proves-nothing", "the undo has no play: nothing shows that the fault is gone")
    for number, play in enumerate(plays):
        other = next((play[name] for name in _IMPORTS if name in play), None)
        if other is not None:
            target = _target(path, str(other))
            if target in read:
                yield from _undo(target, read[target], {key: read[key] for key in read if key != target})
            else:
                sentence = f"it imports {other}, which cannot be looked into: end the undo with an assertion of its own"
                yield Finding(path, play.line, "undo-proves-nothing", sentence)
            continue
        later = [each for each in plays[number + 1 :] if _hosts(play) <= _hosts(each)]
        if not any(_asserts(each, read) for each in later):
            yield from _last(path, play, read)


def _hosts(play: Lined) -> frozenset[str]:
    """The parts of a play's pattern: a later play with the same part looks at the same hosts."""
    hosts = play.get("hosts")
    pattern = ",".join(map(str, hosts)) if isinstance(hosts, list) else str(hosts)
    return frozenset(part.strip() for part in re.split(r"[,:](?![^{]*\}\})", pattern))


def _end(path: str, play: Lined, read: Mapping[str, object]) -> tuple[str, object | None]:
    """The task that ends a play, and its file. If that task includes a role by its name, the one that ends the role."""
    last = _last_task([each for name in _IN_ORDER for each in _sequence(play.get(name))])
    role = next((last[name] for name in _ROLES if name in last), None) if isinstance(last, Lined) else None
    if isinstance(role, Mapping):
        tasks = str(role.get("tasks_from", "main")).removesuffix(".yml")
        file = f"playbooks/roles/{role.get('name')}/tasks/{tasks}.yml"
        within = _last_task(_sequence(read.get(file)))
        return (path, last) if within is None else (file, within)
    return path, last


def _asserts(play: Lined, read: Mapping[str, object]) -> bool:
    """Whether the play ends with an assertion. What the assertion is worth is reported at its own place."""
    _, last = _end("", play, read)
    return isinstance(last, Lined) and any(name in last for name in ASSERTIONS)


def _last(path: str, play: Lined, read: Mapping[str, object]) -> Iterator[Finding]:
    inside, last = _end(path, play, read)
    named = f"the play '{play.get('name', 'without a name')}'"
    if last is None:
        yield Finding(
            path, play.line, "undo-proves-nothing", f"{named} has no task: nothing shows that the fault is gone"
        )
        return
    assertion = next((name for name in ASSERTIONS if isinstance(last, Lined) and name in last), None)
    if assertion is None or not isinstance(last, Lined):
        line = last.line if isinstance(last, Lined) and inside == path else play.line
        sentence = f"{named} does not end with ansible.builtin.assert: nothing shows that the fault is gone"
        yield Finding(path, line, "undo-proves-nothing", sentence)
        return
    path = inside
    arguments = last[assertion]
    that = arguments.get("that") if isinstance(arguments, Mapping) else arguments
    if that in (None, "", []) or condition(that) is True:
        sentence = f"the last assertion of {named} cannot fail: say in `that` what is so when the fault is gone"
        yield Finding(path, last.lines[assertion], "undo-proves-nothing", sentence)
    if "when" in last and condition(last["when"]) is False:
        sentence = f"the last assertion of {named} never runs: `when` is false"
        yield Finding(path, last.lines["when"], "undo-proves-nothing", sentence)


def _last_task(tasks: Sequence[object]) -> object | None:
    """The task that ends a list of tasks; in a block the last of `always`, else of `block`."""
    if not tasks:
        return None
    last = tasks[-1]
    if isinstance(last, Lined) and "block" in last:
        return _last_task(_sequence(last.get("always")) or _sequence(last.get("block")))
    return last


def _is_off(value: object) -> bool:
    """Whether a keyword is false, as it is or as a template of only that word."""
    return boolean(value) is False or condition(value) is False


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


# ------------------------------------------------------------------ what passes by silence


def _allowed(finding: Finding, lines: Sequence[str]) -> Finding:
    """A note when the line says why (`... # allowed: REASON`). A drill that it matters to reports it all the same."""
    _, _, reason = lines[finding.line - 1].partition("# allowed:")
    if not reason.strip():
        return finding
    return replace(finding, sentence=f"{finding.sentence}; allowed: {reason.strip()}", severity=Severity.NOTE)


def _silences(path: str, entry: Lined) -> Iterator[Finding]:
    """The silent failures in a play, a block or a task, and in all that is in it."""
    for key in ("ignore_errors", "ignore_unreachable"):
        if key in entry and not _is_off(entry[key]):
            yield Finding(path, entry.lines[key], "ignored", f"{key}: Ansible calls a failure here successful")
    if "failed_when" in entry and (entry["failed_when"] == [] or condition(entry["failed_when"]) is False):
        yield Finding(path, entry.lines["failed_when"], "never-fails", "failed_when: false: this task cannot fail")
    if "check_mode" in entry and not _is_off(entry["check_mode"]):
        sentence = "check_mode: a task in check mode changes nothing, and Ansible calls it successful"
        yield Finding(path, entry.lines["check_mode"], "check-mode", sentence)
    if "rescue" in entry and not _sequence(entry["rescue"]):
        yield Finding(path, entry.lines["rescue"], "empty-rescue", "an empty rescue hides what failed in the block")
    for name in (*_SECTIONS, *_BLOCKS):
        for each in _sequence(entry.get(name)):
            if isinstance(each, Lined):
                yield from _silences(path, each)


def _ends_early(path: str, play: Lined) -> Iterator[Finding]:
    """A `meta: end_play` above an assertion of the same play: it skips the assertion."""
    tasks = [task for name in _IN_ORDER for task in _flat(_sequence(play.get(name)))]
    asserted = [number for number, task in enumerate(tasks) if any(name in task for name in ASSERTIONS)]
    for number, task in enumerate(tasks):
        ends = next((str(task[name]) for name in _META if name in task), "")
        if ends in _ENDS and asserted and number < asserted[-1]:
            line = task.lines[next(name for name in _META if name in task)]
            yield Finding(path, line, "ends-early", f"meta: {ends} before the assertion: the play may end without it")


def _flat(tasks: Sequence[object]) -> Iterator[Lined]:
    for task in tasks:
        if isinstance(task, Lined):
            yield task
            for name in _BLOCKS:
                yield from _flat(_sequence(task.get(name)))
