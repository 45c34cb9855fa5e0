"""What Drillbook's callback has written down of a run (plugins/callback/drillbook_notes.py): what Ansible's events do
not carry, or only as text that others may have written.

The rule: a run of which nothing was written down has shown nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "drillbook-notes"
"""The file, in the artifact folder of the run."""
RUN_MARK = "AWX_ISOLATED_DATA_DIR"
"""Set by ansible-runner to the artifact folder of the run, so that it is found in each process that a local play
starts.
"""
TASK = "DRILLBOOK_TASK"
"""Names the task that started a process on this machine."""
Of = tuple[str, str]
"""A task on a host: the task's uuid, and the host's name."""


def task_mark(task: str, host: str) -> str:
    """The value of TASK in the environment of what a task starts."""
    return f"{task} {host}"


@dataclass(slots=True)
class TaskNote:
    """One task on one host, with all items of its loop."""

    targets: list[str] = field(default_factory=list)
    """The hosts that it acted on: that of its result, or those that it was delegated to."""
    check_mode: bool = False
    vacuous: bool = False
    """An assertion all of whose conditions name no variable."""
    denies: bool = False
    """A failure of it may be denied by its `failed_when`, which has looked at nothing or may not stand there."""
    failed: bool = False
    """The module itself has failed, or did so for an item."""


@dataclass(slots=True)
class Notes:
    """All notes of one run."""

    watched: bool = False
    """Whether the callback was there."""
    tasks: dict[Of, TaskNote] = field(default_factory=dict)
    begun: set[Of] = field(default_factory=set)
    """The tasks that began and have not ended."""
    failed: set[Of] = field(default_factory=set)
    """Those that ended with a failure; what they started may go on: a module that was killed, or took too long."""
    jobs: dict[str, Of] = field(default_factory=dict)
    """Background jobs (`async`) of which nobody saw the end, and who started each."""

    @property
    def open_marks(self) -> frozenset[str]:
        """The marks of what was begun and has not ended, or not well."""
        return frozenset(task_mark(*of) for of in (*self.begun, *self.failed, *self.jobs.values()))

    def of(self, task: str, host: str) -> TaskNote:
        """What is known of a task on a host."""
        return self.tasks.get((task, host)) or TaskNote()

    def take(self, line: Mapping[str, Any]) -> None:
        """Add what a line of the callback says."""
        of = str(line.get("task", "")), str(line.get("host", ""))
        match line.get("note"):
            case "watched":
                self.watched = True
            case "begun":
                self.begun.add(of)
            case "acts":
                known = self._known(of)
                known.check_mode |= bool(line["check_mode"])
                if line["target"] not in known.targets:
                    known.targets.append(str(line["target"]))
            case "failed":
                self._known(of).failed = True
            case "job":
                self.jobs[str(line["job"])] = of
            case "job ended":
                self.jobs.pop(str(line["job"]), None)
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
    """The notes in the artifact folder of a run; those of none that was watched where there are none."""
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
        except ValueError:  # the last one of a run that was killed
            continue
