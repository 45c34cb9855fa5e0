"""What a playbook did: the results of its tasks, and whether it ran clean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

_MEMORY = frozenset(
    f"{collection}{name}"
    for collection in ("ansible.builtin.", "ansible.legacy.", "")
    for name in (
        *("add_host", "assert", "debug", "fail", "gather_facts", "group_by", "import_playbook", "import_role"),
        *("import_tasks", "include_role", "include_tasks", "include_vars", "meta", "pause", "set_fact", "set_stats"),
        *("setup", "validate_argument_spec"),
    )
)
"""Actions that change what Ansible remembers, or nothing, whatever their `changed` says."""


class TaskStatus(StrEnum):
    """What became of one task on one host. IGNORED failed under `ignore_errors`; RESCUED failed in a block with
    `rescue`; DENIED failed under a `failed_when` that looks at nothing, and is "ok" for Ansible. UNFINISHED began, and
    its end was not seen: its worker was killed, the run was cut off, or it goes on in the background.
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
    """One task on one host. Times are seconds of `time.monotonic()`, when Ansible's events arrived."""

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
    vacuous: bool = False  # an assertion that holds whatever is so
    targets: tuple[str, ...] = ()
    """The hosts that it acted on: others than `host` where it was delegated."""

    @property
    def changed(self) -> bool:
        """Whether it changed something, and not only what Ansible itself remembers."""
        return self.status is TaskStatus.CHANGED and self.acts

    @property
    def acts(self) -> bool:
        """Whether its module can do something to a host."""
        return self.action not in _MEMORY


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
    errors: tuple[str, ...] = ()  # Ansible's own: an included file that cannot be read
    plays_without_hosts: tuple[str, ...] = ()
    warm: bool = False  # on an Ansible that was imported already

    @property
    def successful(self) -> bool:
        """Ansible's own verdict; `unsaid` may still object."""
        return self.status == "successful" and self.rc == 0

    @property
    def matched(self) -> bool:
        """Whether any host took part: a playbook that matches none, or ends before its tasks, is "successful" for
        Ansible.
        """
        return bool(self.hosts)

    @property
    def changed(self) -> bool:
        """Whether any task changed anything."""
        return self.first_change is not None

    @property
    def first_change(self) -> TaskResult | None:
        """The first task that changed something; its end is when a fault may have begun."""
        return min(
            (task for task in self.tasks if task.changed),
            key=lambda task: task.ended_s,
            default=None,
        )

    @property
    def touched(self) -> tuple[str, ...]:
        """The hosts that it changed or may have changed: what failed there may have done so after a change."""
        touching = [task for task in self.tasks if task.acts and task.status not in {TaskStatus.OK, TaskStatus.SKIPPED}]
        return tuple(sorted({host for task in touching for host in task.targets or (task.host,)}))

    @property
    def last_tasks(self) -> Mapping[str, TaskResult]:
        """Per host the last task that ran, that is, was not skipped."""
        return {task.host: task for task in self.tasks if task.status is not TaskStatus.SKIPPED}

    def unsaid(self) -> tuple[str, ...]:
        """What "successful" would leave unsaid, and why it is not successful: a sentence each. Empty for a clean run.

        Not among them: that nothing changed. A recovery that changed nothing is suspect, a second run that did is.
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

        `must_change`: a run that changed nothing is not clean. `on_every_host`: neither is one that ran no task on a
        host that took part.
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
        """Ready for JSON; times stay those of the monotonic clock, relative to what is the caller's business."""
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
