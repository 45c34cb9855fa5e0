"""Monotonic seconds become wall time by one anchor; later steps of the wall clock change nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from drillbook.model.times.clock import Anchor, rfc3339, wall_now

pytestmark = pytest.mark.unit

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_rfc3339_is_utc_with_milliseconds() -> None:
    assert rfc3339(NOON + timedelta(microseconds=1500)) == "2026-11-22T12:00:00.001Z"
    assert rfc3339(NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2026-11-22T12:00:00.000Z"


def test_now_is_aware() -> None:
    assert wall_now().tzinfo is UTC


def test_an_anchor_reads_both_clocks_once() -> None:
    anchor = Anchor(100.0, NOON)
    assert anchor.at(101.5) == NOON + timedelta(seconds=1.5)
    assert anchor.at(99.0) == NOON - timedelta(seconds=1)
    assert anchor.since(101.23456) == 1.235
    assert anchor.since(99.0) == -1.0
    assert Anchor().wall.tzinfo is UTC
