"""Processes of one command: which signals stop them, and which do not."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drillbook.commands.children import SIGNALS, Children, StoppedError
from drillbook.evidence.sealing import passphrase
from drillbook_lab.base.poll import until

pytestmark = pytest.mark.unit

SAID = {True: "", False: ""}
WAITS_TO_BE_TOLD = """\
import sys, time
print("ready", flush=True)
try:
    time.sleep(20)  # ends by itself where nobody tells it
except KeyboardInterrupt:
    sys.exit(13)
"""


@contextmanager
def handled_by(number: signal.Signals, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN], ids=lambda handler: handler.name)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_each_of_them_stops_the_children_and_one_that_is_ignored_stays_ignored(
    number: signal.Signals, handler: signal.Handlers
) -> None:
    children = Children()
    with handled_by(number, handler):
        with children.stopping_on_signals(SAID):
            signal.raise_signal(number)
        assert signal.getsignal(number) is handler
    assert children.stopped_by == (None if handler is signal.SIG_IGN else number.name)


def test_children_are_told_although_their_parent_ignores_ctrl_c(tmp_path: Path) -> None:
    """As with `drillbook drills &` in a script: a child that inherited it would never be told."""
    children, log, statuses = Children(), tmp_path / "child.log", list[int]()
    command = [sys.executable, "-c", WAITS_TO_BE_TOLD]
    running = threading.Thread(target=lambda: statuses.append(children.run(command, log, {})))
    with handled_by(signal.SIGINT, signal.SIG_IGN), children.stopping_on_signals(SAID):
        running.start()
        until(lambda: log.exists() and log.read_text() == "ready\n", what="the child", within_s=30, every_s=0.01)
        signal.raise_signal(signal.SIGTERM)
        running.join()
    assert statuses == [13]


TALKS = """\
import json, socket, sys
line = socket.socket(fileno=int(sys.argv[1]))
read = line.makefile("r")
heard = []
for word in ("first", "more"):
    line.sendall(json.dumps(word).encode() + b"\\n")
    heard.append(read.readline())
line.sendall(json.dumps(heard).encode() + b"\\n")
sys.exit(5)
"""


def test_who_is_answered_hears_the_end_and_still_has_a_last_word(tmp_path: Path) -> None:
    said: list[object] = []

    def answer(line: str) -> str | None:
        said.append(json.loads(line))
        return "second" if len(said) == 1 else None

    talks = Children().converse(lambda number: [sys.executable, "-c", TALKS, str(number)], tmp_path / "log", {}, answer)
    assert talks == 5
    assert said == ["first", "more", ["second\n", ""]]


def test_who_ends_without_a_word_is_waited_for(tmp_path: Path) -> None:
    def dies(number: int) -> list[str]:
        return [sys.executable, "-c", f"import os, signal; os.write({number}, b'1'); os.kill(os.getpid(), 9)"]

    assert Children().converse(dies, tmp_path / "log", {}, lambda _: None) == -9


def test_nobody_is_talked_to_once_the_command_is_stopped(tmp_path: Path) -> None:
    children = Children()
    children.stop("SIGINT")
    with pytest.raises(StoppedError):
        children.converse(lambda _: [sys.executable, "-c", ""], tmp_path / "log", {}, lambda _: None)


HAS_IT = """\
import os, sys
from drillbook.evidence.sealing import passphrase
in_environment = "horse-battery" in [*os.environ.values()]
print(in_environment, passphrase.take(), passphrase.BY_PIPE in os.environ)
"""


@pytest.mark.parametrize(("program", "gets"), [("pytest", "horse-battery"), ("lab", "None")])
def test_a_pytest_gets_the_passphrase_by_a_pipe_and_no_other_child_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, gets: str
) -> None:
    monkeypatch.setattr(passphrase, "_held", ["horse-battery"])
    for how in ("run", "converse"):
        log = tmp_path / how
        command = [sys.executable, "-c", HAS_IT, program]
        if how == "run":
            assert Children().run(command, log, {}) == 0
        else:
            assert Children().converse(lambda _number: command, log, {}, lambda _line: None) == 0  # noqa: B023
        assert log.read_text() == f"False {gets} False\n"
