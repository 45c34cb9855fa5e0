"""The one place where a drill changes its target: a playbook of the team, run by Ansible, and a result that hides
nothing.

The rule: nothing passes by silence. What a run ignored, rescued, skipped or could not reach is in its result, and
`unsaid` puts it into sentences; whether a play that ran clean is good enough is for the caller to judge.

Verdicts come from the exit status; ansible-runner's own statistics are missing when a run is cut off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drillbook.errors import PlaybookError
from drillbook.evidence.redaction import Redactor
from drillbook.playlog import HostStats, PlayLog, TaskResult, TaskStatus, relative
from drillbook.secretnames import is_secret_name

if TYPE_CHECKING:
    from drillbook.inventory import Inventory
    from drillbook.warm.client import Warm

__all__ = ["HostStats", "PlayResult", "Playbooks", "TaskResult", "TaskStatus"]


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
        """Whether any host took part: a playbook that matches none is "successful" for Ansible."""
        return bool(self.hosts)

    @property
    def changed(self) -> bool:
        """Whether any task changed anything."""
        return self.first_change is not None

    @property
    def first_change(self) -> TaskResult | None:
        """The first task that changed something; its end is when a fault may have begun."""
        return min(
            (task for task in self.tasks if task.status is TaskStatus.CHANGED),
            key=lambda task: task.ended_s,
            default=None,
        )

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
        if not self.matched:
            said.append(f"No host matched: {self.playbook} did nothing.")
        else:
            said += [f'No host matched the play "{play}" of {self.playbook}.' for play in self.plays_without_hosts]
        said += [
            f'The task "{task}" ran in check mode: it changed nothing.'
            for task in dict.fromkeys(each.task for each in self.tasks if each.check_mode)
        ]
        said += [f"Ansible stopped: {error}" for error in self.errors]
        if self.rc != 0 and not said:
            said.append(f"ansible-playbook ended with status {self.rc} and named no reason.")
        return tuple(said)

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
    TaskStatus.DENIED: "Failed, and denied by a failed_when that looks at nothing",
}


def _described(task: TaskResult) -> str:
    where = f" ({task.path})" if task.path else ""
    why = f": {' '.join(task.message.split())}" if task.message else "."
    return f'"{task.task}" on {task.host}{where}{why}'


class Playbooks:
    """Runs the playbooks of one repository against one inventory, one at a time or several from several threads."""

    def __init__(
        self,
        root: Path,
        inventory: Inventory,
        redactor: Redactor,
        *,
        on_task: Callable[[str], None] | None = None,
        pass_env: Iterable[str] = (),
        warm: Warm | None = None,
        owner: str = "",
    ) -> None:
        """`on_task` is told the name of every task as it starts; `pass_env` names further variables that Ansible
        gets; with `warm` they run on an Ansible that is already imported; `owner` marks the processes of every run.
        """
        self._root = root.absolute()
        self._inventory = inventory
        self._redactor = redactor
        self._on_task = on_task
        self._pass_env = tuple(pass_env)
        self._warm = warm
        self._owner = owner

    def run(
        self,
        playbook: Path,
        variables: Mapping[str, object] = MappingProxyType({}),
        *,
        timeout_s: float = 600,
        cancel: threading.Event | None = None,
        on_task: Callable[[str], None] | None = None,
        without: str | None = None,
    ) -> PlayResult:
        """Run `playbook` (absolute, or relative to the root) and wait for it, interruptibly.

        `without` (FILE:LINE, relative to the root) is a task that is left out, wherever it is included from.
        A play that fails, times out or is cancelled is a result. PlaybookError is raised for what never became a play:
        no such file, no YAML, a role that is missing. When this raises anything, no process of the run is left.
        """
        from drillbook.ansible_run import OWNER, run_ansible

        path = playbook if playbook.is_absolute() else self._root / playbook
        if not path.is_file():
            msg = f"There is no playbook {playbook}: looked for {path}."
            raise PlaybookError(msg)
        for name, value in variables.items():
            if is_secret_name(name) and isinstance(value, str):
                self._redactor.add(name, value, declared=False)
        named = relative(str(path), self._root)
        log = PlayLog(self._root, self._redactor, on_task or self._on_task)
        started_at = datetime.now(UTC)
        started_s = time.monotonic()
        ended = run_ansible(
            path,
            self._inventory.path,
            root=self._root,
            variables=variables,
            extra_env={**self._inventory.connection_env, OWNER: self._owner},
            pass_env=self._pass_env,
            timeout_s=timeout_s,
            cancel=cancel,
            on_event=log.event,
            without=without,
            # a task is left out by a plugin of its own, which a warm Ansible did not load
            warm=self._warm if without is None else None,
        )
        ended_s = time.monotonic()
        if ended.status == "failed" and not log.a_play_started:
            reason = log.reason() or f"ansible-playbook ended with status {ended.rc}."
            msg = f"{named} cannot be run: {reason}"
            raise PlaybookError(msg)
        tasks = log.results()
        return PlayResult(
            playbook=named,
            rc=ended.rc,
            status=ended.status,
            started_s=started_s,
            ended_s=ended_s,
            started_at=started_at,
            hosts=log.host_stats(tasks),
            tasks=tasks,
            stdout=log.stdout(),
            check_mode=any(task.check_mode for task in tasks),
            warnings=(*log.warnings, *ended.notes),
            errors=tuple(log.errors),
            plays_without_hosts=tuple(log.plays_without_hosts),
            warm=ended.warm,
        )
