"""Notes, for each task, what Ansible's events do not carry, in the folder of the run; `target/ansible/notes.py` reads
it.

The rule: a task is read as Ansible itself has parsed and templated it. Its result is read as the module gave it, before
a `failed_when` judged it or `no_log` hid it. The notes hold names, ids and yes or no, but no value of the play's.

The worker sees what a module found. It is a fork of the process that loads this plugin. Its child processes have TASK
in their environment, so that they can be found when the worker is gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from ansible.executor import task_result  # type: ignore[import-untyped]
from ansible.executor.task_executor import TaskExecutor  # type: ignore[import-untyped]
from ansible.plugins.callback import CallbackBase  # type: ignore[import-untyped]

from drillbook.target.ansible.actions import ASSERTIONS, FAILING, may_look
from drillbook.target.ansible.inside.conditions import found_by_the_play, looks_at, looks_at_nothing
from drillbook.target.ansible.inside.known import FoundSoFar
from drillbook.target.ansible.notes import FILE, RUN_MARK, TASK, task_mark
from drillbook.target.ansible.truth import condition

DOCUMENTATION = """
name: drillbook_notes
type: aggregate
short_description: Write down what the events of a run do not carry
description: Each task is noted in the folder that the environment variable AWX_ISOLATED_DATA_DIR names.
"""
_NO_JOB = "could not find job"
"""What async_status says where it looks in the wrong place."""


def _note(kind: str, **what: object) -> None:
    """Add a line, in one write: workers write to the same file."""
    folder = os.environ.get(RUN_MARK)
    if folder:
        line = json.dumps({"note": kind, **what}).encode() + b"\n"
        file = os.open(os.path.join(folder, FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # noqa: PTH118
        try:
            os.write(file, line)
        finally:
            os.close(file)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Notes the begin and the end of each task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "drillbook_notes"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._found = FoundSoFar()
        self._written: dict[str, Any] = {}
        """The tasks as somebody wrote them, by their ids: that of a result is templated."""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._found.begins(play)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        self._found.includes(included_file._task)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        _note("watched")

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._written[str(task._uuid)] = task
        _note("begun", task=str(task._uuid), host=str(host.name))

    def v2_runner_on_ok(self, result: Any) -> None:
        self._ended("ended", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._ended("ended", result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._ended("ended", result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._ended("ended", result, ran=False)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._ended("item", result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._ended("item", result)

    def _ended(self, kind: str, result: Any, *, ran: bool = True, failed: bool = False) -> None:
        fields, host = result._task_fields or {}, result._host
        task = self._written.get(str(result._task._uuid), result._task)
        named = str(task.resolved_action or task.action)
        arguments = fields.get("args")
        that = arguments.get("that") if isinstance(arguments, Mapping) else None
        judged = fields.get("failed_when") or None
        asserts, only_looks = named in ASSERTIONS, may_look(named) and condition(fields.get("changed_when")) is False
        known = self._found.known(task, host) if ran and (asserts or judged is not None) else found_by_the_play
        _note(
            kind,
            task=str(task._uuid),
            host=str(host.name),
            failed=failed,
            vacuous=ran and asserts and that is not None and looks_at_nothing(that, known),
            denies=judged is not None
            and (named in FAILING or not (only_looks or looks_at(judged, task.register, known))),
        )
        self._found.take(task, host, named, result._result)


# ---------------------------------------------------------------------- in the worker


def _found(executor: Any, result: Any) -> None:
    """What a module, or an action plugin, returned before anything judged it."""
    if not isinstance(result, Mapping):
        return
    task, job = executor._task, result.get("ansible_job_id")
    failed = result.get("failed", result.get("rc") not in (None, 0, "0")) or result.get("exception")
    executor.drillbook_failed = bool(failed)
    if job and result.get("finished") and result.get("msg") != _NO_JOB:  # Ansible calls that finished, too
        _note("job ended", job=str(job))
    elif job and task.async_val:
        _note("job", job=str(job), task=str(task._uuid), host=str(executor._host.name))
        _note_place(executor, str(job).rpartition(".")[0])


def _note_place(executor: Any, mark: str) -> None:
    """What stands on the command lines of a task's processes on a host that is not this machine, and who they are."""
    task, play = executor._task, executor._play_context
    if not _is_elsewhere(executor):
        return
    host = str(executor._host.name)
    becomes = {"user": str(play.become_user), "method": str(play.become_method)} if play.become else None
    target = str(task.delegate_to or host)
    _note("place", task=str(task._uuid), host=host, target=target, mark=mark, becomes=becomes)


def _is_elsewhere(executor: Any) -> bool:
    return getattr(executor._connection, "transport", "local") != "local"


def _seen(method: Callable[..., Any], see: Callable[[Any, Any], None]) -> Callable[..., Any]:
    """A method whose results are seen, with its class."""

    @wraps(method)
    def seen(owner: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(owner, *args, **kwargs)
        see(owner, result)
        return result

    return seen


def _see_what_the_action_gives(executor: Any, given: tuple[Any, Any]) -> None:
    """The action is about to run: note where, and whether it only pretends."""
    handler, run, task = given[0], given[0].run, executor._task
    host = str(executor._host.name)
    target = str(task.delegate_to or host)
    acts = {"target": target, "check_mode": task.check_mode is True, "elsewhere": _is_elsewhere(executor)}
    _note("acts", task=str(task._uuid), host=host, **acts)

    def seen(*args: Any, **kwargs: Any) -> Any:
        result = run(*args, **kwargs)
        _found(executor, result)
        return result

    handler.run = seen
    make = handler._make_tmp_path

    def made(*args: Any, **kwargs: Any) -> Any:
        folder = make(*args, **kwargs)
        _note_place(executor, str(folder).rstrip("/").rpartition("/")[2])
        return folder

    handler._make_tmp_path = made


def _note_failure(executor: Any, result: Any) -> None:
    """Note, once for the task or for an item of its loop, what its last try found."""
    of = {"task": str(executor._task._uuid), "host": str(executor._host.name)}
    if vars(executor).pop("drillbook_failed", False):
        _note("failed", **of)
    if not isinstance(result, Mapping):
        return
    # Ansible marks it as failed because its tries ran out, and then believes the failed_when
    denied = result.get("failed") and result.get("failed_when_result") is False
    task = executor._task
    unasked = task.until and isinstance(task.retries, int) and task.retries < 1 and not result.get("skipped")
    if denied or unasked:  # with `retries: 0` Ansible does not look at the until
        _note("ran out", **of)


def _marked(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method with which a worker begins."""

    @wraps(method)
    def run(executor: Any) -> Any:
        os.environ[TASK] = task_mark(str(executor._task._uuid), str(executor._host.name))
        return method(executor)

    return run


def _watch(executor: Any) -> None:
    """Called once for each process that imports Ansible; an Ansible that lacks one of these does not load
    this plugin.
    """
    if not hasattr(executor, "drillbook_watched"):
        executor.run = _marked(executor.run)
        executor._execute = _seen(executor._execute, _note_failure)
        executor._poll_async_result = _seen(executor._poll_async_result, _found)
        executor._get_action_handler_with_module_context = _seen(
            executor._get_action_handler_with_module_context, _see_what_the_action_gives
        )
        executor.drillbook_watched = True


def _no_debugger(_result: Any, *_arguments: Any, **_named: Any) -> bool:
    """In place of `needs_debugger`: nobody sits there, and the task fails as it would without one."""
    return False


_watch(TaskExecutor)
for _class in [each for each in vars(task_result).values() if "needs_debugger" in getattr(each, "__dict__", ())]:
    _class.needs_debugger = _no_debugger
