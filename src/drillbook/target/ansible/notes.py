"""Reads the notes that Drillbook's callback made of a run (plugins/callback/drillbook_notes.py). Ansible's events lack
these facts, or carry them only as text that others may have written.

The rule: a run without notes has shown nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "drillbook-notes"
"""The name of the notes file, in the artifact folder of the run."""
RUN_MARK = "AWX_ISOLATED_DATA_DIR"
"""ansible-runner sets it to the artifact folder of the run, so that each process that a local play starts can be found
by it.
"""
TASK = "DRILLBOOK_TASK"
"""Names the task that started a process on this machine."""
Of = tuple[str, str]
"""A task on a host: the task's uuid, and the host's name."""


def task_mark(task: str, host: str) -> str:
    """The value of TASK in the environment of a task's processes."""
    return f"{task} {host}"


@dataclass(slots=True)
class TaskNote:
    """One task on one host, with all items of its loop."""

    targets: list[str] = field(default_factory=list)
    """The hosts that it acted on: that of its result, or those that it was delegated to."""
    elsewhere: bool = False
    """It acted on a host that is not this machine."""
    check_mode: bool = False
    vacuous: bool = False
    """An assertion whose conditions name no variable."""
    denies: bool = False
    """Its `failed_when` may deny a failure, but does not look at what the task found, or may not stand there."""
    failed: bool = False
    """The module itself failed, or failed for an item."""
    ran_out: bool = False
    """Its `until` did not come true, and its `failed_when` denies that."""
    goes_on: bool = False
    """It ended before the background job (`async`) that it started. Ansible calls that a change in any case."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task acts outside this machine, and what the command lines of its processes there contain."""

    target: str
    mark: str
    """Empty where nothing of it stands there: a module that came through a pipe."""
    becomes: tuple[str, str] | None = None
    """The user it becomes, and the method; None: the user who logged in."""


@dataclass(slots=True)
class Notes:
    """All notes of one run."""

    watched: bool = False
    """Whether the callback was loaded."""
    tasks: dict[Of, TaskNote] = field(default_factory=dict)
    begun: set[Of] = field(default_factory=set)
    """The tasks that began and did not end."""
    failed: set[Of] = field(default_factory=set)
    """The tasks that ended with a failure. What they started may go on: a module that was killed, or took too long."""
    jobs: dict[str, Of] = field(default_factory=dict)
    """Background jobs (`async`) whose end nobody saw, and what started each."""
    places: dict[Of, set[Place]] = field(default_factory=dict)
    """For each task, its places on other hosts."""

    @property
    def open_marks(self) -> frozenset[str]:
        """The marks of tasks that did not end, or did not end well."""
        return frozenset(task_mark(*of) for of in (*self.begun, *self.failed, *self.jobs.values()))

    @property
    def left(self) -> frozenset[Place]:
        """Where on other hosts something may go on: jobs that nobody waited for, and tasks without a result."""
        return frozenset(place for of in (*self.begun, *self.jobs.values()) for place in self._places(of))

    def _places(self, of: Of) -> Iterable[Place]:
        note = self.of(*of)
        return self.places.get(of) or (Place(target, "") for target in note.targets if note.elsewhere)

    def of(self, task: str, host: str) -> TaskNote:
        """The notes about a task on a host."""
        return self.tasks.get((task, host)) or TaskNote()

    def take(self, line: Mapping[str, Any]) -> None:
        """Add one line of the callback."""
        of = str(line.get("task", "")), str(line.get("host", ""))
        match line.get("note"):
            case "watched":
                self.watched = True
            case "begun":
                self.begun.add(of)
            case "acts":
                known = self._known(of)
                known.check_mode |= bool(line["check_mode"])
                known.elsewhere |= bool(line.get("elsewhere"))
                if line["target"] not in known.targets:
                    known.targets.append(str(line["target"]))
            case "failed":
                self._known(of).failed = True
            case "ran out":
                self._known(of).ran_out = True
            case "job":
                self.jobs[str(line["job"])] = of
                self._known(of).goes_on = True
            case "place":
                becomes = line["becomes"]
                who = None if becomes is None else (str(becomes["user"]), str(becomes["method"]))
                self.places.setdefault(of, set()).add(Place(str(line["target"]), str(line["mark"]), who))
            case "job ended":
                started_by = self.jobs.pop(str(line["job"]), None)
                if started_by in self.begun:  # it waited itself
                    self._known(started_by).goes_on = False
            case "item" | "ended" as kind:
                self._end(of, line)
                if kind == "ended":
                    self.begun.discard(of)
                    self.failed |= {of} if line["failed"] else set()

    def _known(self, of: Of) -> TaskNote:
        return self.tasks.setdefault(of, TaskNote())

    def _end(self, of: Of, line: Mapping[str, Any]) -> None:
        known = self._known(of)
        known.vacuous |= bool(line["vacuous"])
        known.denies |= bool(line["denies"])


def read_notes(folder: Path) -> Notes:
    """The notes in the artifact folder of a run. Without a file: the notes of a run that nobody watched."""
    notes = Notes()
    for line in _lines(folder / FILE):
        notes.take(line)
    return notes


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
