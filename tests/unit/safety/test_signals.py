"""The first signal stops the steps; from then on, and all through the restore, signals are noted only."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.evidence.writer import Recorder
from drillbook.safety.journal import Journal
from drillbook.safety.signals import STOPPING, Shield, Stopped
from drillbook.target.probing.series import Series
from tests.support.unit import DEADLINE_S, until

pytestmark = pytest.mark.unit


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def shield(told: list[str]) -> Iterator[Shield]:
    # under nohup a hang-up is ignored, and stays so: the tests begin where a terminal does
    found = {number: signal.signal(number, signal.SIG_DFL) for number in STOPPING}
    before = {number: signal.getsignal(number) for number in STOPPING}
    shield = Shield(told.append)
    yield shield
    shield.release()
    after = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in found.items():
        signal.signal(number, handler)
    assert after == before


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_the_first_signal_stops_and_the_next_are_noted(shield: Shield, told: list[str], number: signal.Signals) -> None:
    shield.raise_on_signal()
    with pytest.raises(Stopped, match=number.name):
        signal.raise_signal(number)
    signal.raise_signal(number)
    until(lambda: told == [f"{number.name} received; the system is being put back first"], "noted")


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_no_signal_stops_the_putting_back(shield: Shield, told: list[str], number: signal.Signals) -> None:
    shield.raise_on_signal()
    shield.hold()
    for _ in range(3):
        signal.raise_signal(number)
    until(lambda: len(told) == 3, "noted")


IN_THE_MIDDLE = """
def work():
    signal.raise_signal(signal.SIGINT)
    done.append("whole")
"""


def in_module(name: str, done: list[str]) -> Callable[[], None]:
    """A function of this module, with all that stands in it, that a signal interrupts in its middle."""
    namespace: dict[str, Any] = {**vars(importlib.import_module(name)), "signal": signal, "done": done}
    exec(IN_THE_MIDDLE, namespace)
    work: Callable[[], None] = namespace["work"]
    return work


PROTECTED = [each.__module__ for each in (DrillLog, Journal, Recorder, Series)]


@pytest.mark.parametrize("module", ["threading", *PROTECTED, "coverage.sqldata"])
def test_what_an_exception_would_leave_half_done_is_let_through_first(shield: Shield, module: str) -> None:
    done: list[str] = []
    shield.raise_on_signal()
    with pytest.raises(Stopped, match="SIGINT"):
        in_module(module, done)()
        threading.Event().wait(DEADLINE_S)
    assert done == ["whole"]
    assert shield.stopped_by == "SIGINT"


@pytest.mark.parametrize("module", ["drillbook.target.probing.waiting", "textwrap", "coverage.execfile"])
def test_anything_else_is_stopped_at_once(shield: Shield, module: str) -> None:
    done: list[str] = []
    shield.raise_on_signal()
    with pytest.raises(Stopped):
        in_module(module, done)()
    assert done == []


def test_what_does_not_come_to_its_end_is_stopped(shield: Shield, monkeypatch: pytest.MonkeyPatch) -> None:
    # as if the two seconds were over: a test that waited for them would only be slow
    monkeypatch.setattr("drillbook.safety.signals.FINISH_S", 0.0)
    done: list[str] = []
    shield.raise_on_signal()
    with pytest.raises(Stopped):
        in_module(Journal.__module__, done)()
    assert done == []


def test_a_stop_is_an_interrupt_for_pytest() -> None:
    assert issubclass(Stopped, KeyboardInterrupt)


def test_handlers_are_given_back(shield: Shield) -> None:
    before = signal.getsignal(signal.SIGTERM)
    shield.raise_on_signal()
    assert signal.getsignal(signal.SIGTERM) != before
    shield.release()
    assert signal.getsignal(signal.SIGTERM) == before
    shield.hold()
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_of_the_main_thread_nothing_is_touched(shield: Shield) -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=shield.raise_on_signal)
    thread.start()
    thread.join(DEADLINE_S)
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_exit_of_the_process_is_a_stop(shield: Shield) -> None:
    before = os._exit
    shield.raise_on_signal()
    with pytest.raises(Stopped, match=r"os\._exit\(0\)"):
        os._exit(0)
    shield.release()
    assert os._exit is before


def test_an_exit_that_cannot_be_stopped_is_none_that_went_well() -> None:
    """From another thread, or a second time: the process ends, and not with 0. A child ends as it says."""
    code = """
import os, sys, threading
from drillbook.safety.signals import Shield
Shield(print).raise_on_signal()
child = os.fork()
if not child:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
threading.Thread(target=os._exit, args=(0,)).start()
threading.Event().wait()
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=DEADLINE_S, check=False)
    assert done.returncode == 13
