"""What the events of one run of Ansible say: the results of its tasks, its recap, its output, its warnings and errors.

The rule: redacted as it is read, so that no caller can forget; and what `no_log` hides stays hidden, also where core
2.19 shows it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from drillbook.evidence.machine_paths import without_machine
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.assertions import ASSERTIONS
from drillbook.target.ansible.messages import MESSAGE_CAP, STDOUT_CAP, capped, error_sentence, relative
from drillbook.target.ansible.result import HostStats, TaskResult, TaskStatus

Event = dict[str, Any]


_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
_CHECK_MODE = re.compile(r"^[A-Z][A-Z ]* \[.*\] \[CHECK MODE\] \*", re.MULTILINE)
"""The banner of a task. With the strategies `free` and `host_pinned` it comes with the first result."""
_HIDDEN = "The task says no_log, so that its result is hidden; run the playbook by hand to see it."


@dataclass(slots=True)
class PlayLog:
    """What the events of one run say. Called in ansible-runner's thread; read when that has ended."""

    root: Path
    redactor: Redactor
    on_task: Callable[[str], None] | None
    a_play_started: bool = False
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    plays_without_hosts: list[str] = field(default_factory=list)
    _output: list[str] = field(default_factory=list)
    _started: dict[tuple[str, str], float] = field(default_factory=dict)  # (task's uuid, host or "") -> seconds
    _in_check_mode: set[str] = field(default_factory=set)  # uuids of tasks
    _results: list[TaskResult] = field(default_factory=list)
    _stats: dict[str, Any] | None = None

    def decrypted(self, label: str, value: str) -> None:
        """What the play has decrypted may not be shown."""
        self.redactor.add(relative(label, self.root), value, declared=False)

    def event(self, event: Event) -> None:
        now = time.monotonic()
        data: dict[str, Any] = event.get("event_data") or {}
        self.redactor.learn(data.get("res"))
        stdout = str(event.get("stdout") or "").replace("\r\n", "\n")
        self._output.append(self._shown(event, data, stdout))
        uuid = str(data.get("task_uuid", ""))
        if uuid and _CHECK_MODE.search(_ANSI.sub("", stdout)):
            self._in_check_mode.add(uuid)
        match event.get("event"):
            case "playbook_on_play_start":
                self.a_play_started = True
            case "playbook_on_no_hosts_matched":
                self.plays_without_hosts.append(self.redactor.text(str(data.get("play", ""))))
            case "playbook_on_task_start":
                self._started[uuid, ""] = now
                if self.on_task is not None:
                    self.on_task(self.redactor.text(str(data.get("task", ""))))
            case "runner_on_start":
                self._started[uuid, str(data.get("host"))] = now
            case "runner_on_ok" | "runner_on_failed" | "runner_on_unreachable" | "runner_on_skipped" as kind:
                self._results.append(self._result(kind, data, now))
            case "playbook_on_stats":
                self._stats = data
            case "warning" | "deprecated" | "system_warning":
                self.warnings.append(self._sentence(stdout))
            case "error":
                self.errors.append(self._sentence(stdout))

    def _shown(self, event: Event, data: Mapping[str, Any], stdout: str) -> str:
        """What an event adds to the output. Core 2.19 prints "[ERROR]: ..." with the message of a failed task that
        says no_log.
        """
        result = data.get("res")
        if isinstance(result, Mapping) and _is_hidden(result) and stdout:
            return f"{str(event.get('event', '')).removeprefix('runner_on_')}: [{data.get('host')}]: {_HIDDEN}"
        return stdout

    def _result(self, kind: str, data: Mapping[str, Any], now: float) -> TaskResult:
        result = data.get("res")
        result = result if isinstance(result, Mapping) else {}
        uuid, host = str(data.get("task_uuid", "")), str(data.get("host", ""))
        match kind:
            case "runner_on_failed":
                status = TaskStatus.IGNORED if data.get("ignore_errors") else TaskStatus.FAILED
            case "runner_on_unreachable":
                status = TaskStatus.UNREACHABLE
            case "runner_on_skipped":
                status = TaskStatus.SKIPPED
            case _:
                status = TaskStatus.CHANGED if result.get("changed") else TaskStatus.OK
        where = str(data.get("task_path") or "")
        if kind == "runner_on_ok" and _is_suppressed(result) and _task_source().denies_failure(where):
            status = TaskStatus.DENIED
        action = str(data.get("resolved_action") or data.get("task_action", ""))
        return TaskResult(
            play=self.redactor.text(str(data.get("play", ""))),
            task=self.redactor.text(str(data.get("task", ""))),
            action=action,
            host=host,
            status=status,
            started_s=self._started.get((uuid, host), self._started.get((uuid, ""), now)),
            ended_s=now,
            message=capped(
                without_machine(
                    self.redactor.text(_message(result, failed=kind != "runner_on_ok" or status is TaskStatus.DENIED)),
                    self.root,
                ),
                MESSAGE_CAP,
            ),
            path=relative(where, self.root),
            check_mode=uuid in self._in_check_mode,
            vacuous=action in ASSERTIONS and _task_source().asserts_nothing(where),
        )

    def results(self) -> tuple[TaskResult, ...]:
        """The results in their order. That a failure was rescued is known only from the recap: the first ones of a
        host were.
        """
        rescued = Counter(dict((self._stats or {}).get("rescued") or {}))
        results = []
        for result in self._results:
            status = result.status
            if status is TaskStatus.FAILED and rescued[result.host] > 0:
                rescued[result.host] -= 1
                status = TaskStatus.RESCUED
            results.append(_with_status(result, status))
        return tuple(results)

    def host_stats(self, tasks: Iterable[TaskResult]) -> dict[str, HostStats]:
        """Ansible's recap, or the same counted from the results when the run was cut off before it."""
        if self._stats is not None:
            names = {"failed": "failures", "unreachable": "dark"}
            return {
                host: HostStats(
                    **{
                        kind: int((self._stats.get(names.get(kind, kind)) or {}).get(host, 0))
                        for kind in HostStats.__slots__
                    }
                )
                for host in self._stats.get("processed") or {}
            }
        counts: dict[str, Counter[str]] = {}
        for task in tasks:
            counts.setdefault(task.host, Counter()).update(_COUNTED_AS[task.status])
        return {host: HostStats(**count) for host, count in counts.items()}

    def stdout(self) -> str:
        text = _ANSI.sub("", "\n".join(self._output))
        return capped(self.redactor.text(text).strip("\n"), STDOUT_CAP)

    def reason(self) -> str:
        """Why no play started, in Ansible's words."""
        if self.errors:
            return " ".join(self.errors)
        text = self.redactor.text(_ANSI.sub("", "\n".join(self._output)))
        start = text.find("[ERROR]: ")
        return error_sentence(text[max(start, 0) :], self.root)

    def _sentence(self, stdout: str) -> str:
        return error_sentence(self.redactor.text(_ANSI.sub("", stdout)), self.root)


_COUNTED_AS = {
    TaskStatus.OK: ("ok",),
    TaskStatus.CHANGED: ("ok", "changed"),
    TaskStatus.FAILED: ("failed",),
    TaskStatus.UNREACHABLE: ("unreachable",),
    TaskStatus.SKIPPED: ("skipped",),
    TaskStatus.IGNORED: ("ok", "ignored"),
    TaskStatus.RESCUED: ("rescued",),
    TaskStatus.DENIED: ("ok",),
}


def _task_source() -> ModuleType:
    # YAML and Jinja take 0.04 s of processor time to import: a session that plays nothing does without
    from drillbook.target.ansible import task_source

    return task_source


def _is_suppressed(result: Mapping[str, Any]) -> bool:
    """Whether the task, or an item of its loop, failed and a `failed_when` said that it did not (core 2.19)."""
    return "failed_when_suppressed_exception" in result or any(
        isinstance(each, Mapping) and _is_suppressed(each) for each in result.get("results") or ()
    )


def _is_hidden(result: Mapping[str, Any]) -> bool:
    return "censored" in result or any(
        isinstance(each, Mapping) and "censored" in each for each in result.get("results") or ()
    )


def _message(result: Mapping[str, Any], *, failed: bool) -> str:
    """What a result says for itself: its `msg`, and for a failure what the command printed."""
    if _is_hidden(result):
        return _HIDDEN if failed else ""
    items = [each for each in result.get("results") or () if isinstance(each, Mapping)]
    bad = next((each for each in items if each.get("failed") or each.get("unreachable") or _is_suppressed(each)), None)
    if failed and bad is not None:
        return f"item {bad.get('item')!r}: {_message(bad, failed=True)}"
    parts = [result.get("msg") or result.get("reason")]  # what could not be included has a reason
    if failed:
        parts += [
            result.get("stderr") or result.get("module_stderr"),
            result.get("stdout") or result.get("module_stdout"),
        ]
    texts = [each if isinstance(each, str) else repr(each) for each in parts if each]
    return _ANSI.sub("", "\n".join(text.strip() for text in texts if text.strip()))


def _with_status(result: TaskResult, status: TaskStatus) -> TaskResult:
    return result if status is result.status else replace(result, status=status)
