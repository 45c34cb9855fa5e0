"""The first signal stops the steps; from then on, and all through the restore, signals are noted only."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from drillbook.signals import STOPPING, Shield, Stopped

from .support import DEADLINE_S, until

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
