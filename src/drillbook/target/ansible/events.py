"""Reads the events of one run of Ansible: the results of its tasks, its recap, its output, its warnings and errors.

The rule: text is redacted as it is read, so that no caller can forget it. What `no_log` hides stays hidden, even where
core 2.19 shows it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from drillbook.evidence.machine_paths import without_machine
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.messages import MESSAGE_CAP, STDOUT_CAP, capped, error_sentence, relative
from drillbook.target.ansible.notes import Notes, Of, TaskNote
from drillbook.target.ansible.result import HostStats, TaskResult, TaskStatus

Event = dict[str, Any]


_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
_HIDDEN = "The task says no_log, so that its result is hidden; run the playbook by hand to see it."
_BACKGROUND = "it went on in the background (async), and nobody waited for its end: wait for it with async_status"
_RAN_OUT = "its until did not come true in any of its retries"
_NO_RESULT = "it began and has no result: nobody knows what it did"


@dataclass(frozen=True, slots=True)
class _Result:
    """The result of a task on a host.

    `failed` is set when it shows that the module failed, and says so in Ansible's way.
    """

    of: Of
    task: TaskResult
    failed: bool
    failure: str

    def with_note(self, note: TaskNote) -> TaskResult:
        """The task, with what the callback noted about it."""
        task = replace(
            self.task, check_mode=note.check_mode, vacuous=note.vacuous, targets=tuple(note.targets) or (self.of[1],)
        )
        passed = task.status in {TaskStatus.OK, TaskStatus.CHANGED}
        if passed and note.ran_out:
            return replace(task, status=TaskStatus.DENIED, message=f"{_RAN_OUT}: {self.failure}".removesuffix(": "))
        if passed and note.denies and (note.failed or self.failed):
            return replace(task, status=TaskStatus.DENIED, message=self.failure)
        if note.goes_on and task.status is TaskStatus.CHANGED:
            return replace(task, status=TaskStatus.OK)  # who waits for the job says what it changed
        return task


@dataclass(slots=True)
class PlayLog:
    """The contents of the events of one run. ansible-runner's thread calls it; others read it when that thread has
    ended.
    """

    root: Path
    redactor: Redactor
    on_task: Callable[[str], None] | None
    on_host: Callable[[str], None] | None = None
    """Called with the name of each host, before the first task that runs there."""
    a_play_started: bool = False
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    plays_without_hosts: list[str] = field(default_factory=list)
    _output: list[str] = field(default_factory=list)
    _started: dict[tuple[str, str], float] = field(default_factory=dict)  # (task's uuid, host or "") -> seconds
    _begun: dict[Of, TaskResult] = field(default_factory=dict)
    _results: list[_Result] = field(default_factory=list)
    _stats: dict[str, Any] | None = None

    def decrypted(self, label: str, value: str) -> None:
        """Keep what the play has decrypted out of all that is shown."""
        self.redactor.add(relative(label, self.root), value, declared=False)

    def event(self, event: Event) -> None:
        now = time.monotonic()
        data: dict[str, Any] = event.get("event_data") or {}
        self.redactor.learn(data.get("res"))
        stdout = str(event.get("stdout") or "").replace("\r\n", "\n")
        self._output.append(self._shown(event, data, stdout))
        uuid = str(data.get("task_uuid", ""))
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
                self._begin((uuid, str(data.get("host", ""))), data, now)
            case "runner_on_ok" | "runner_on_failed" | "runner_on_unreachable" | "runner_on_skipped" as kind:
                self._results.append(self._result(kind, data, now))
            case "playbook_on_stats":
                self._stats = data
            case "warning" | "deprecated" | "system_warning":
                self.warnings.append(self._sentence(stdout))
            case "error":
                self.errors.append(self._sentence(stdout))

    def _shown(self, event: Event, data: Mapping[str, Any], stdout: str) -> str:
        """The output of an event.

        Core 2.19 prints "[ERROR]: ..." with the message of a failed task, even under no_log.
        """
        result = data.get("res")
        if isinstance(result, Mapping) and _is_hidden(result) and stdout:
            return f"{str(event.get('event', '')).removeprefix('runner_on_')}: [{data.get('host')}]: {_HIDDEN}"
        return stdout

    def _begin(self, of: Of, data: Mapping[str, Any], now: float) -> None:
        new = all(host != of[1] for _task, host in self._begun)
        self._started[of] = now
        self._begun[of] = self._task(data, TaskStatus.UNFINISHED, now)
        if new and self.on_host is not None:
            self.on_host(of[1])

    def _result(self, kind: str, data: Mapping[str, Any], now: float) -> _Result:
        result = data.get("res")
        result = result if isinstance(result, Mapping) else {}
        match kind:
            case "runner_on_failed":
                status = TaskStatus.IGNORED if data.get("ignore_errors") else TaskStatus.FAILED
            case "runner_on_unreachable":
                status = TaskStatus.UNREACHABLE
            case "runner_on_skipped":
                status = TaskStatus.SKIPPED
            case _:
                status = TaskStatus.CHANGED if result.get("changed") else TaskStatus.OK
        of = str(data.get("task_uuid", "")), str(data.get("host", ""))
        task, failure = self._task(data, status, now), self._said(_message(result, failed=True))
        message = self._said(_message(result, failed=False)) if kind == "runner_on_ok" else failure
        return _Result(of, replace(task, message=message), failed=_has_failed(result), failure=failure)

    def _task(self, data: Mapping[str, Any], status: TaskStatus, now: float) -> TaskResult:
        """The task, from the data of an event."""
        uuid, host = str(data.get("task_uuid", "")), str(data.get("host", ""))
        return TaskResult(
            play=self.redactor.text(str(data.get("play", ""))),
            task=self.redactor.text(str(data.get("task", ""))),
            action=str(data.get("resolved_action") or data.get("task_action", "")),
            host=host,
            status=status,
            started_s=self._started.get((uuid, host), self._started.get((uuid, ""), now)),
            ended_s=now,
            message="",
            path=relative(str(data.get("task_path") or ""), self.root),
        )

    def _said(self, text: str) -> str:
        return capped(without_machine(self.redactor.text(text), self.root), MESSAGE_CAP)

    def results(self, notes: Notes | None = None) -> tuple[TaskResult, ...]:
        """The results in their order, each with its notes; last the tasks that began and have not ended.

        Only the recap says how many failures a host rescued: the first ones count as rescued.
        """
        notes = notes or Notes()
        rescued = Counter(dict((self._stats or {}).get("rescued") or {}))
        results = []
        for each in self._results:
            task = each.with_note(notes.of(*each.of))
            if task.status is TaskStatus.FAILED and rescued[task.host] > 0:
                rescued[task.host] -= 1
                task = replace(task, status=TaskStatus.RESCUED)
            results.append(task)
        now = time.monotonic()
        jobs = set(notes.jobs.values())
        for of, task in self._begun.items():
            if of in notes.begun or of in jobs:
                why = _BACKGROUND if of in jobs else _NO_RESULT
                targets = tuple(notes.of(*of).targets)
                results.append(replace(task, ended_s=now, message=why, targets=targets))
        return tuple(results)

    def host_stats(self, tasks: Iterable[TaskResult]) -> dict[str, HostStats]:
        """Ansible's recap. When the run was cut off before it, the same counts, from the results."""
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
    TaskStatus.UNFINISHED: (),
}


def _has_failed(result: Mapping[str, Any]) -> bool:
    """Whether a result shows that its module, or an item of its loop, failed, whatever a `failed_when` made of it."""
    own = (
        "failed_when_suppressed_exception" in result
        or result.get("evaluated_to") is False
        or result.get("rc") not in (None, 0, "0")
    )
    return own or any(isinstance(each, Mapping) and _has_failed(each) for each in result.get("results") or ())


def _is_hidden(result: Mapping[str, Any]) -> bool:
    return "censored" in result or any(
        isinstance(each, Mapping) and "censored" in each for each in result.get("results") or ()
    )


def _message(result: Mapping[str, Any], *, failed: bool) -> str:
    """The message of a result: its `msg`, and for a failure what the command printed."""
    if _is_hidden(result):
        return _HIDDEN if failed else ""
    items = [each for each in result.get("results") or () if isinstance(each, Mapping)]
    bad = next((each for each in items if each.get("failed") or each.get("unreachable") or _has_failed(each)), None)
    if failed and bad is not None:
        return f"item {bad.get('item')!r}: {_message(bad, failed=True)}"
    parts = [result.get("msg") or result.get("reason")]  # a file that could not be included has a reason
    if failed:
        parts += [
            result.get("stderr") or result.get("module_stderr"),
            result.get("stdout") or result.get("module_stdout"),
        ]
    texts = [each if isinstance(each, str) else repr(each) for each in parts if each]
    return _ANSI.sub("", "\n".join(text.strip() for text in texts if text.strip()))
