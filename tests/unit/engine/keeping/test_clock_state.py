"""The state of the clock is the kernel's word, and where there is none, there is a reason."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.engine.keeping.clock_state import clock_state
from drillbook.model.record import ClockRecord

pytestmark = pytest.mark.unit


def kernel(monkeypatch: pytest.MonkeyPatch, answer: int, *, status: int = 0, errno: int = 0) -> None:
    def adjtimex(asked: Any) -> int:
        asked._obj.maxerror, asked._obj.esterror, asked._obj.status = 21_000, 4_000, status
        ctypes.set_errno(errno)
        return answer

    monkeypatch.setattr(ctypes, "CDLL", lambda _name, use_errno: SimpleNamespace(adjtimex=adjtimex))


def test_this_kernel_says_something_or_why_not() -> None:
    found = clock_state()
    assert (found.synchronised is None) is (found.reason is not None)


def test_a_clock_that_is_synchronised_and_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(monkeypatch, 0)
    assert clock_state() == ClockRecord(True, 0.021, 0.004)
    kernel(monkeypatch, 5)
    assert clock_state().synchronised is False
    kernel(monkeypatch, 0, status=0x0040)
    assert clock_state().synchronised is False


def test_a_kernel_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(monkeypatch, -1, errno=1)
    assert clock_state() == ClockRecord(reason="the kernel does not tell it here: Operation not permitted")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name, use_errno: SimpleNamespace())
    assert "no adjtimex" in (clock_state().reason or "")
