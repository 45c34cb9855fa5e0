"""What a playbook did: the results of its tasks, and whether it ran clean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from drillbook.target.ansible import actions


class TaskStatus(StrEnum):
    """What became of one task on one host.

    IGNORED failed under `ignore_errors`; RESCUED failed in a block with `rescue`; DENIED failed under a `failed_when`
    that looks at nothing, and is "ok" for Ansible. UNFINISHED began, but nobody saw its end: its worker was killed, the
    run was cut off, or it goes on in the background.
    """

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"
    IGNORED = "ignored"
    RESCUED = "rescued"
    DENIED = "denied"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task on one host. Times are seconds of `time.monotonic()` at which Ansible's events arrived."""

    play: str
    task: str
    action: str
    host: str
    status: TaskStatus
    started_s: float
    ended_s: float
    message: str  # redacted, at most MESSAGE_CAP characters
    path: str  # relative to the root: "playbooks/recovery/restart.yml:12"
    check_mode: bool = False
    vacuous: bool = False  # an assertion that cannot fail
    targets: tuple[str, ...] = ()
    """The hosts that it acted on. They differ from `host` when the task was delegated."""

    @property
    def changed(self) -> bool:
        """Whether it changed something besides Ansible's own memory."""
        return self.status is TaskStatus.CHANGED and self.acts

    @property
    def acts(self) -> bool:
        """Whether its module can do something to a host."""
        return actions.acts(self.action)

    @property
    def sees(self) -> bool:
        """Whether its module runs on a host, and does more there than to reach it: it changes something, or looks."""
        return actions.sees(self.action)


@dataclass(frozen=True, slots=True)
class HostStats:
    """How many results of each kind a host had, as in Ansible's play recap."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    rescued: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class PlayResult:
    """A run of a playbook, redacted. Times are seconds of `time.monotonic()`; `started_at` is for display."""

    playbook: str
    rc: int
    status: str  # successful, failed, timeout, canceled
    started_s: float
    ended_s: float
    started_at: datetime
    hosts: Mapping[str, HostStats]
    tasks: tuple[TaskResult, ...]
    stdout: str  # redacted, without ANSI codes, at most STDOUT_CAP characters
    check_mode: bool = False  # whether any task ran in check mode, that is, only pretended
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()  # Ansible's own errors: an included file that cannot be read
    plays_without_hosts: tuple[str, ...] = ()
    warm: bool = False  # on an Ansible that was already imported

    @property
    def successful(self) -> bool:
        """Ansible's own verdict; `unsaid` may still object."""
        return self.status == "successful" and self.rc == 0

    @property
    def matched(self) -> bool:
        """Whether any host took part.

        For Ansible a playbook is "successful" even if it matches none, or ends before its tasks.
        """
        return bool(self.hosts)

    @property
    def changed(self) -> bool:
        """Whether any task changed anything."""
        return self.first_change is not None

    @property
    def first_change(self) -> TaskResult | None:
        """The first task that changed something; a fault may have begun by its end."""
        return min(
            (task for task in self.tasks if task.changed),
            key=lambda task: task.ended_s,
            default=None,
        )

    @property
    def touched(self) -> tuple[str, ...]:
        """The hosts that it changed or may have changed: what failed there may have done so after a change."""
        touching = [
            task
            for task in self.tasks
            if (task.acts and task.status not in {TaskStatus.OK, TaskStatus.SKIPPED})
            or (actions.looks(task.action) and task.status in {TaskStatus.UNREACHABLE, TaskStatus.UNFINISHED})
        ]
        return tuple(sorted({host for task in touching for host in task.targets or (task.host,)}))

    @property
    def last_tasks(self) -> Mapping[str, TaskResult]:
        """For each host, the last task that was not skipped."""
        return {task.host: task for task in self.tasks if task.status is not TaskStatus.SKIPPED}

    def unsaid(self) -> tuple[str, ...]:
        """What "successful" would not tell, and why the run is not successful: a sentence each. Empty for a clean run.

        A run that changed nothing has no sentence here: that is suspect in a recovery, and right in its second run.
        """
        said = [f"The playbook {self.playbook} was {_ENDED_EARLY[self.status]}."] if self.status in _ENDED_EARLY else []
        said += [f"{_SAID[task.status]}: {_described(task)}" for task in self.tasks if task.status in _SAID]
        said += [f"Ansible stopped: {error}" for error in self.errors]
        if not self.matched and self.plays_without_hosts:
            said.append(f"No host matched: {self.playbook} did nothing.")
        elif not self.matched and self.successful:
            said.append(
                f"No task ran: {self.playbook} has none, tags left them out, or it ended before them (end_play)."
            )
        else:
            said += [f'No host matched the play "{play}" of {self.playbook}.' for play in self.plays_without_hosts]
        said += [
            f'The task "{task}" ran in check mode: it changed nothing.'
            for task in dict.fromkeys(each.task for each in self.tasks if each.check_mode)
        ]
        if not self.successful and not said:
            said.append(f"ansible-playbook ended with status {self.rc} and named no reason.")
        return tuple(said)

    def why_not_clean(self, *, must_change: bool = False, on_every_host: bool = False) -> str | None:
        """Why this run is not clean, in one sentence; None for a clean run.

        With `must_change`, a run that changed nothing is not clean. With `on_every_host`, a run is not clean if a host
        that took part ran no task.
        """
        unsaid = self.unsaid()
        if unsaid:
            return unsaid[0]
        if must_change and not self.changed:
            return f"{self.playbook} changed nothing"
        idle = [host for host in self.hosts if host not in self.last_tasks]
        if on_every_host and idle:
            return f"{self.playbook} ran no task on {idle[0]}"
        return None

    def as_record(self) -> dict[str, Any]:
        """Ready for JSON. Times stay on the monotonic clock; the caller decides what they are relative to."""
        return {
            "playbook": self.playbook,
            "rc": self.rc,
            "status": self.status,
            "started_s": self.started_s,
            "ended_s": self.ended_s,
            "started_at": self.started_at.isoformat(),
            "check_mode": self.check_mode,
            "changed": self.changed,
            "hosts": {host: asdict(stats) for host, stats in self.hosts.items()},
            "tasks": [asdict(task) | {"status": str(task.status)} for task in self.tasks],
            "warnings": list(self.warnings),
            "unsaid": list(self.unsaid()),
        }


_ENDED_EARLY = {"timeout": "ended because it took too long", "canceled": "cancelled"}
_SAID = {
    TaskStatus.FAILED: "Failed",
    TaskStatus.UNREACHABLE: "Unreachable",
    TaskStatus.IGNORED: "Failed, and ignored",
    TaskStatus.RESCUED: "Failed, and rescued",
    TaskStatus.DENIED: "Failed, and denied by its failed_when",
    TaskStatus.UNFINISHED: "Not finished",
}


def _described(task: TaskResult) -> str:
    where = f" ({task.path})" if task.path else ""
    why = f": {' '.join(task.message.split())}" if task.message else "."
    return f'"{task.task}" on {task.host}{where}{why}'
