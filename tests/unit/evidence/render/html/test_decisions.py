"""The page of a drill that asked the decision table and climbed the ladder says so; that of another does not."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from drillbook.evidence.render.html.page import render
from tests.support import ROOT

pytestmark = pytest.mark.unit

DRILL = ROOT / "tests/data/records/ladder/content/drill.json"
SHORTER = "The recovered system was verified by the profile ci: windows immediate 3 s"


@pytest.fixture
def record() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DRILL.read_text(encoding="utf-8"))
    return read


def test_the_page_says_which_rule_fired_and_by_which_windows_it_was_verified(record: dict[str, Any]) -> None:
    page = render(record, {}, [])
    assert SHORTER in page
    for text in (
        "<h3>Decisions</h3>",
        "api-down",
        "api_up is no",
        "matrix, &#34;API completely down&#34;",
        "roll back now",
    ):
        assert text in page


@pytest.mark.parametrize("timings", [None, "x", {"profile": "ci"}, {"profile": "full", "full": True}])
def test_full_windows_and_none_and_damaged_ones_are_not_said(record: dict[str, Any], timings: Any) -> None:
    changed = copy.deepcopy(record)
    changed["timings"] = changed["timings"] | timings if isinstance(timings, dict) and "full" in timings else timings
    changed["decisions"] = []
    page = render(changed, {}, [])
    assert "The recovered system was" not in page
    assert "<h3>Decisions</h3>" not in page
