"""What is shown while a drill runs: whole lines in a log, a status line on a terminal, and never a reason to stop."""

from __future__ import annotations

import os
import pty
import socket
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drillbook.pytest_plugin.output import live_output
from drillbook.pytest_plugin.output.live_output import Mailbox, Post, Screen
from tests.support.unit import DEADLINE_S, until

pytestmark = pytest.mark.unit

STEP = {"event": "step", "text": "Then it is up"}
DONE = {"event": "done", "status": "passed", "text": "Then it is up", "duration_s": 1}
WAIT = {"event": "detail", "text": "the API: down"}
NOTE = {"event": "note", "text": "a note"}
CLEAR = "\r\x1b[K"


class Shown:
    """A screen, and what was written to it so far."""

    def __init__(self, read: int, write: int, *, tty: bool, colour: bool = False) -> None:
        self.screen = Screen(write, tty=tty, colour=colour)
        self._read = read
        self._seen = b""
        self._reader = threading.Thread(target=self._pump, daemon=True)
        self._reader.start()

    def _pump(self) -> None:
        while True:
            try:
                data = os.read(self._read, 65536)
            except OSError:  # a pty whose other side is closed
                return
            if not data:
                return
            self._seen += data

    @property
    def text(self) -> str:
        return self._seen.decode()

    def closed(self) -> str:
        """Everything, after the end."""
        self.screen.close()
        self._reader.join(DEADLINE_S)
        assert not self._reader.is_alive()
        os.close(self._read)
        return self.text


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_output, "REDRAW_S", 0.01)
    monkeypatch.setattr(live_output, "POLL_S", 0.01)


def on_pipe(colour: bool = False) -> Shown:
    read, write = os.pipe()
    return Shown(read, write, tty=False, colour=colour)


def on_terminal() -> Shown:
    read, write = pty.openpty()
    mode = termios.tcgetattr(write)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(write, termios.TCSANOW, mode)
    return Shown(read, write, tty=True)


def test_a_log_has_whole_lines_and_nothing_else() -> None:
    shown = on_pipe()
    for event in (STEP, {"event": "detail", "text": "half"}, DONE, NOTE):
        shown.screen(event)
    assert shown.closed() == "    ✓ Then it is up  1 s\n    i a note\n"


def test_a_line_is_there_at_once() -> None:
    shown = on_pipe()
    shown.screen(NOTE)
    until(lambda: shown.text == "    i a note\n", "the line")
    shown.closed()


def test_colours_when_they_are_wanted() -> None:
    shown = on_pipe(colour=True)
    shown.screen(NOTE)
    assert shown.closed() == "    \x1b[33mi\x1b[0m a note\n"


def test_a_log_hears_that_a_long_step_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_output, "HEARTBEAT_S", 0.02)
    shown = on_pipe()
    shown.screen(STEP)
    until(lambda: shown.text.count("… Then it is up (for 0 s)\n") >= 2, "two signs of life")
    shown.screen({**STEP, "worker": "gw1"})
    until(lambda: "[gw1]     … Then it is up (for 0 s)\n" in shown.text, "a worker's sign of life")
    shown.closed()


def test_a_log_hears_nothing_when_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_output, "HEARTBEAT_S", 0.0)
    shown = on_pipe()
    shown.screen(STEP)
    until(lambda: "…" in shown.text, "a sign of life")
    shown.screen(DONE)
    text = shown.closed()
    assert text.endswith("    ✓ Then it is up  1 s\n")


def test_a_terminal_has_a_status_line_that_goes_when_the_step_ends() -> None:
    shown = on_terminal()
    shown.screen(STEP)
    until(lambda: f"{CLEAR}    … Then it is up (0 s)" in shown.text, "the status line")
    shown.screen({"event": "detail", "text": "the API: down"})
    until(lambda: f"{CLEAR}    … the API: down (0 s)" in shown.text, "the detail")
    shown.screen(DONE)
    text = shown.closed()
    assert text.endswith(f"{CLEAR}    ✓ Then it is up  1 s\n{CLEAR}")
    assert text.count("\n") == 1


def test_a_wait_on_a_terminal_says_what_is_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drillbook.evidence.render.terminal.LONG_S", 0.0)
    shown = on_terminal()
    shown.screen(STEP)
    shown.screen({**WAIT, "left_s": 1000.4})
    until(lambda: "… the API: down (0 s, 1000 s left)" in shown.text, "what is left")
    # what follows and is no wait has no end that anybody knows
    shown.screen({"event": "detail", "text": "a task"})
    until(lambda: "… a task (0 s)" in shown.text, "the task")
    shown.closed()


def test_a_log_hears_nothing_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drillbook.evidence.render.terminal.LONG_S", 0.0)
    monkeypatch.setattr(live_output, "HEARTBEAT_S", 0.02)
    shown = on_pipe()
    shown.screen({**WAIT, "left_s": 1000.4})
    until(lambda: "    … the API: down (for 0 s)\n" in shown.text, "a sign of life")
    assert "left" not in shown.closed()


def test_a_status_line_is_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shown = on_terminal()
    shown.screen({"event": "step", "text": "x" * 100 + "\n" + "y"})
    until(lambda: "x" in shown.text)
    text = shown.closed()
    assert {len(line) for line in text.split(CLEAR)} == {0, 39}


def test_lines_of_several_workers_say_whose_they_are() -> None:
    shown = on_pipe()
    shown.screen({**NOTE, "worker": "gw0"})
    shown.screen({**DONE, "worker": "gw1"})
    assert shown.closed() == "[gw0]     i a note\n[gw1]     ✓ Then it is up  1 s\n"


def test_a_terminal_shows_what_all_workers_do() -> None:
    shown = on_terminal()
    shown.screen({**STEP, "worker": "gw0"})
    shown.screen({"event": "step", "text": "When it is cut", "worker": "gw1"})
    until(lambda: "… Then it is up (0 s) | … When it is cut (0 s)" in shown.text, "both")
    shown.closed()


def test_what_is_no_utf_8_is_shown_all_the_same() -> None:
    shown = on_pipe()
    shown.screen({"event": "note", "text": "half \ud800"})
    assert shown.closed() == "    i half \\ud800\n"


def test_an_answer_moves_no_cursor_and_changes_no_colour() -> None:
    shown = on_pipe()
    shown.screen({"event": "note", "text": "\x1b[2Jred\r\x9b1m\u202eback", "more": [{"\x07": "\x00"}]})
    assert shown.closed() == "    i \\x1b[2Jred\\r\\x9b1m\\u202eback\n"


@pytest.mark.parametrize("tty", [False, True])
def test_a_screen_that_nobody_reads_stops_nothing(tty: bool) -> None:
    """`pytest ... | head`: each write raises BrokenPipeError."""
    read, write = os.pipe()
    screen = Screen(write, tty=tty, colour=False)
    os.close(read)
    screen(STEP)
    screen(NOTE)
    screen(NOTE)
    screen.close()


def test_a_screen_that_is_closed_stops_nothing() -> None:
    shown = on_pipe()
    shown.closed()
    shown.screen(NOTE)
    assert not shown.screen._thread.is_alive()


class Board:
    """A screen of a mailbox that keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "bad":
            raise KeyError("title")
        self.events.append(event)


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def mailbox(board: Board) -> Iterator[Mailbox]:
    mailbox = Mailbox(board)  # type: ignore[arg-type]
    yield mailbox
    mailbox.close()


def test_events_of_workers_reach_the_controller_with_their_names(mailbox: Mailbox, board: Board) -> None:
    posts = [Post(mailbox.address, worker) for worker in ("gw0", "gw1")]
    for number in range(5):
        for post in posts:
            post({"event": "note", "text": str(number)})
    until(lambda: len(board.events) == 10, "all")
    for worker in ("gw0", "gw1"):
        assert [event["text"] for event in board.events if event["worker"] == worker] == list("01234")
    for post in posts:
        post.close()


def test_a_temporary_folder_may_have_a_long_name(tmp_path: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("t" * 100)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    mailbox = Mailbox(board)  # type: ignore[arg-type]
    assert len(mailbox.address) > 107
    post = Post(mailbox.address, "gw0")
    post({"event": "note", "text": "it arrives"})
    mailbox.close()
    post.close()
    assert [event["text"] for event in board.events] == ["it arrives"]
    assert list(folder.iterdir()) == []


def test_what_was_sent_before_the_end_is_shown(board: Board) -> None:
    mailbox = Mailbox(board)  # type: ignore[arg-type]
    post = Post(mailbox.address, "gw0")
    for number in range(8):
        post({"event": "note", "text": str(number)})
    mailbox.close()
    post.close()
    assert len(board.events) == 8


def test_an_event_that_is_too_large_is_named(mailbox: Mailbox, board: Board) -> None:
    post = Post(mailbox.address, "gw0")
    post({"event": "verdict", "reason": "x" * 200_000})
    post(NOTE)
    until(lambda: len(board.events) == 2, "both")
    assert board.events[0]["event"] == "note"
    assert "too large to be shown here" in board.events[0]["text"]
    assert "verdict" in board.events[0]["text"]
    assert board.events[1] == {**NOTE, "worker": "gw0"}
    post.close()


@pytest.mark.parametrize("garbage", [b"{not json", b"[1]", b"", b"\xff", b'{"event": "bad"}', b'{"text": "x"}'])
def test_what_cannot_be_shown_hides_nothing_that_follows(mailbox: Mailbox, board: Board, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(garbage, mailbox.address)
    post = Post(mailbox.address, "gw0")
    post(NOTE)
    until(lambda: len(board.events) == 1, "the note")
    post.close()


def test_a_mailbox_leaves_nothing_behind(board: Board) -> None:
    mailbox = Mailbox(board)  # type: ignore[arg-type]
    folder = Path(mailbox.address).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    mailbox.close()
    assert not folder.exists()
    assert not mailbox._thread.is_alive()


def test_an_event_to_nobody_is_not_shown_and_stops_nothing(board: Board) -> None:
    mailbox = Mailbox(board)  # type: ignore[arg-type]
    mailbox.close()
    post = Post(mailbox.address, "gw0")
    post(NOTE)
    post.close()
    post(NOTE)
    assert board.events == []


def test_a_controller_that_takes_nothing_does_not_hold_the_drill(tmp_path: Path) -> None:
    address = str(tmp_path / "events")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(address)
        post = Post(address, "gw0")
        post._socket.settimeout(0.001)
        for _ in range(600):  # more than any kernel queues
            post(NOTE)
        assert Post(address, "gw1")._socket.gettimeout() == 1
        post.close()


@pytest.mark.parametrize(("ci", "term", "tty"), [("", "xterm", True), ("true", "xterm", False), ("", "dumb", False)])
def test_only_a_real_terminal_has_a_status_line(monkeypatch: pytest.MonkeyPatch, ci: str, term: str, tty: bool) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("TERM", term)
    read, write = pty.openpty()
    with open(write, "w", closefd=False) as stdout:
        monkeypatch.setattr(sys, "__stdout__", stdout)
        screen = live_output.screen(colour=False)
        assert screen._tty is tty
        screen.close()
        os.fstat(write)  # the screen owned a copy
    os.close(write)
    os.close(read)


def test_a_pipe_is_no_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CI", raising=False)
    with (tmp_path / "log").open("w") as stdout:
        monkeypatch.setattr(sys, "__stdout__", stdout)
        screen = live_output.screen(colour=False)
        screen(NOTE)
        screen.close()
    assert (tmp_path / "log").read_text() == "    i a note\n"
