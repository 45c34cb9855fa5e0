"""How long a play, an undo and the look at the baseline may take."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from drillbook.model.time_limits import TimeLimits
from drillbook.model.times.default_limits import BASELINE, PLAY, UNDO

pytestmark = pytest.mark.unit

HOUR = 3600.0


@pytest.mark.parametrize(
    ("tags", "rto_s", "of_ini", "limits"),
    [
        ([], None, {}, TimeLimits(600, 300, 60)),
        ([], 120.0, {}, TimeLimits(600, 300, 60)),
        (["rto:4h"], 4 * HOUR, {}, TimeLimits(4 * HOUR, 4 * HOUR, 60)),
        ([], 4 * HOUR, {PLAY: HOUR}, TimeLimits(4 * HOUR, 4 * HOUR, 60)),
        ([], None, {PLAY: 60.0, UNDO: HOUR, BASELINE: 90.0}, TimeLimits(60, HOUR, 90)),
        (["play-timeout:30s", "undo-timeout:1h", "baseline-timeout:2m"], HOUR, {PLAY: HOUR}, TimeLimits(30, HOUR, 120)),
    ],
)
def test_a_tag_wins_over_the_ini_and_nothing_ends_before_the_rto(
    tags: list[str], rto_s: float | None, of_ini: Mapping[str, float], limits: TimeLimits
) -> None:
    assert TimeLimits.of(tags, rto_s, of_ini) == limits
