"""The failing twins of questions of runbooks whose answer no drill gets otherwise: fewer lines, no process found."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from steps import as_written

from drillbook.checks import Check, Observation
from drillbook.errors import CouldNotLookError
from drillbook.series import Sample

pytestmark = pytest.mark.unit

LOG = "/var/log/worker.log"


class Asked:
    """A drill with one worker whose shell answers what it is told, and the check that a step hands over."""

    def __init__(self, stdout: str, stderr: str = "") -> None:
        self.inventory = SimpleNamespace(names=lambda _: ["worker-1"], variable=lambda *_: LOG)
        self.said = SimpleNamespace(stdout=stdout, stderr=stderr)
        self.commands: list[str] = []
        self.observed: dict[str, object] = {}
        self.check: Check | None = None

    def hosts(self, _: str) -> list[Any]:
        return [SimpleNamespace(run=self._run)]

    def _run(self, command: str, *arguments: str) -> Any:
        self.commands.append(command % arguments if arguments else command)
        return self.said

    def observe(self, subject: str, value: object, unit: str = "") -> None:
        self.observed[subject] = value

    def bound(self, check: Check) -> None:
        self.check = check

    def seen(self, step: Callable[..., None], **known: object) -> Observation:
        step(self, **known)
        assert self.check is not None
        assert callable(self.check.source)
        return self.check.judge(Sample(0.0, 0.0, ok=True, value=self.check.source()))


@pytest.mark.parametrize(("lines", "met"), [("7", True), ("8", True), ("6", False), ("0", False)])
def test_errors_that_have_gone_from_a_log_are_seen(lines: str, met: bool) -> None:
    drill = Asked(f"{lines}\n")
    assert drill.seen(as_written.error_lines_have_stayed, error_lines=7).met is met
    assert drill.observed == {"grep -i ERROR LOG | wc -l": int(lines)}
    assert drill.commands == [f"grep -i ERROR {LOG} | wc -l"]


def test_a_log_that_is_not_there_is_no_log_without_errors() -> None:
    drill = Asked("0\n", f"grep: {LOG}: No such file or directory\n")
    with pytest.raises(CouldNotLookError, match="the log of worker-1: grep: "):
        drill.seen(as_written.error_lines_have_stayed, error_lines=0)


@pytest.mark.parametrize(
    ("listed", "connected", "met"),
    [
        ("root 2 grep worker.ts\nroot 1 sh -c ps aux | grep worker.ts\n", [], True),
        ("root 1 sh -c ps aux | grep worker.ts\n", [], False),
        ("root 2 grep worker.ts\n", ["worker-1"], False),
    ],
)
def test_a_search_that_finds_nothing_or_a_worker_that_runs_is_seen(
    listed: str, connected: list[str], met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_written, "workers", lambda _: connected)
    assert Asked(listed).seen(as_written.search_finds_itself).met is met
