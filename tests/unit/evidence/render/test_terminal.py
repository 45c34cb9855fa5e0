"""What the terminal shows for each event, word by word."""

from __future__ import annotations

from typing import Any

import pytest

from drillbook.evidence.render.terminal import LONG_S, colours, lines, progress, status, times_line, work_line
from drillbook.model.times.durations import duration

pytestmark = pytest.mark.unit

DRILL = {
    "event": "drill",
    "title": "The network is cut",
    "where": "features/redis.feature:7",
    "environment": "lab",
    "objectives": {"rto_s": 600.0, "severity": "P0"},
}
WORK = {"acknowledged": 90, "refused": 5, "unknown": 1, "lost_count": 0, "duplicated_count": 2}
TIMES = {
    "detect_s": 1.019,
    "detect_uncertainty_s": 0.06,
    "alert_s": None,
    "act_s": 4.0,
    "act_uncertainty_s": 0.0,
    "recover_s": 12.3,
    "recover_uncertainty_s": 0.1,
}


def axes(valid: bool | None, recovered: bool | None, restored: bool | None) -> dict[str, Any]:
    held = {"valid": valid, "recovered": recovered, "restored": restored}
    return {name: {"holds": holds, "reasons": []} for name, holds in held.items()}


VERDICT = {
    "event": "verdict",
    "outcome": "PASSED",
    "reason": "recovered in 12.3 s of an RTO of 600 s",
    "axes": axes(True, True, True),
    "times": TIMES,
    "work": WORK,
    "evidence": "evidence/run",
}

GOLDEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "drill": (DRILL, ["", "The network is cut", "  features/redis.feature:7 on lab, P0, RTO 10 min"]),
    "drill without objectives": (
        {**DRILL, "objectives": {}},
        ["", "The network is cut", "  features/redis.feature:7 on lab"],
    ),
    "phase": ({"event": "phase", "phase": "baseline"}, ["  baseline"]),
    "passed": (
        {"event": "done", "status": "passed", "text": "Given it is healthy", "duration_s": 0.05},
        ["    ✓ Given it is healthy  0.05 s"],
    ),
    "failed": ({"event": "done", "status": "failed", "text": "Then x", "duration_s": 61}, ["    ✗ Then x  61 s"]),
    "skipped": ({"event": "done", "status": "skipped", "text": "Then x", "duration_s": 0}, ["    - Then x  0 s"]),
    "interrupted": (
        {"event": "done", "status": "interrupted", "text": "Then x", "duration_s": 42.12},
        ["    ! Then x  42.1 s"],
    ),
    "undone": (
        {"event": "undo", "fault": "network_cut", "problem": None},
        ["    ✓ network_cut is undone and proven gone"],
    ),
    "not undone": (
        {"event": "undo", "fault": "network_cut", "problem": "no host"},
        ["    ✗ network_cut is NOT undone: no host"],
    ),
    "cleaned up": ({"event": "cleanup", "problem": None}, ["    ✓ the work of the drill is cleaned up"]),
    "not cleaned up": (
        {"event": "cleanup", "problem": "no host"},
        ["    ✗ the work of the drill is NOT cleaned up: no host"],
    ),
    "note": ({"event": "note", "text": "waiting"}, ["    i waiting"]),
    "passed drill": (
        VERDICT,
        [
            "  PASSED: recovered in 12.3 s of an RTO of 600 s",
            "    valid yes, recovered yes, restored yes",
            "    detected after 1.02 s ±0.06, acted after 4.00 s ±0.00, recovered after 12.30 s ±0.10",
            "    work: 90 acknowledged, 5 refused, 1 unanswered; 0 lost, 2 duplicated",
            "    evidence: evidence/run",
        ],
    ),
    "passed drill whose second recovery is told": (
        {**VERDICT, "repeat": {"outcome": "BETRAYED", "reason": "it changed something"}, "times": {}, "work": None},
        [
            "  PASSED: recovered in 12.3 s of an RTO of 600 s",
            "  recovery-twice BETRAYED: it changed something",
            "    valid yes, recovered yes, restored yes",
            "    evidence: evidence/run",
        ],
    ),
    "drill that got nowhere": (
        {**VERDICT, "outcome": "INVALID", "reason": "no", "axes": axes(False, None, True), "times": {}, "work": None},
        ["  INVALID: no", "    valid NO, recovered not reached, restored yes", "    evidence: evidence/run"],
    ),
    "step": ({"event": "step", "text": "Given x"}, []),
    "detail": ({"event": "detail", "text": "x"}, []),
    "anything else": ({"event": "whatever"}, []),
}


@pytest.mark.parametrize(("event", "shown"), GOLDEN.values(), ids=list(GOLDEN))
def test_the_lines_of_an_event(event: dict[str, Any], shown: list[str]) -> None:
    assert lines(event) == shown


@pytest.mark.parametrize(("event", "shown"), GOLDEN.values(), ids=list(GOLDEN))
def test_colours_change_no_words(event: dict[str, Any], shown: list[str]) -> None:
    tagged = lines(event, lambda text, style: f"<{style}>{text}</{style}>")
    for style in ("bold", "green", "red", "yellow", "dim"):
        tagged = [line.replace(f"<{style}>", "").replace(f"</{style}>", "") for line in tagged]
    assert tagged == shown


@pytest.mark.parametrize(
    ("outcome", "style"),
    [("PASSED", "32"), ("NOT_RECOVERED", "31"), ("NOT_RESTORED", "31"), ("INVALID", "33"), ("ABORTED", "33")],
)
def test_an_outcome_has_its_colour(outcome: str, style: str) -> None:
    assert lines({**VERDICT, "outcome": outcome}, colours)[0].startswith(f"  \x1b[{style}m{outcome}\x1b[0m:")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"event": "step", "text": "Given x"}, "Given x"),
        ({"event": "detail", "text": "redis: observed\n  two lines"}, "redis: observed two lines"),
        ({"event": "done"}, ""),
        ({"event": "verdict"}, ""),
        ({"event": "drill"}, ""),
        ({"event": "phase"}, None),
        ({"event": "note", "text": "x"}, None),
    ],
)
def test_the_status_line(event: dict[str, Any], text: str | None) -> None:
    assert status(event) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.05, "0.05 s"),
        (1, "1 s"),
        (9.99, "9.99 s"),
        (42.12, "42.1 s"),
        (60, "60 s"),
        (119.9, "119.9 s"),
        (120, "2 min"),
        (125, "2 min 5 s"),
        (179.7, "3 min"),
        (600, "10 min"),
        (3600, "60 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_times_that_were_not_reached_are_left_out() -> None:
    assert times_line({}) == ""
    assert times_line({"alert_s": 0.0, "alert_uncertainty_s": 0.25}) == "alerted after 0.00 s ±0.25"


@pytest.mark.parametrize(
    ("lasted_s", "left_s", "width", "shown"),
    [
        (0.0, 60.0, 80, "… the API: down (0 s)"),
        (LONG_S - 0.1, 57.0, 80, "… the API: down (3 s)"),
        (LONG_S, 57.0, 80, "… the API: down (3 s, 57 s left)"),
        (700.2, 3599.6, 80, "… the API: down (700 s, 3600 s left)"),
        (61.0, -1.0, 80, "… the API: down (61 s, 0 s left)"),
        # a playbook's task, of which nobody knows
        (61.0, None, 80, "… the API: down (61 s)"),
        # the times are not what is cut
        (12.0, 48.0, 27, "… the AP… (12 s, 48 s left)"),
        (12.0, 48.0, 10, "… … (12 s,"),
    ],
)
def test_a_long_wait_says_how_long_it_still_may(lasted_s: float, left_s: float | None, width: int, shown: str) -> None:
    assert progress("the API: down", lasted_s, left_s, width) == shown


def test_the_balance_of_the_work() -> None:
    assert work_line({**WORK, "lost_count": 3}).endswith("; 3 lost, 2 duplicated")


@pytest.mark.parametrize(
    ("work", "says"),
    [
        ({"unknown": 3, "answered_otherwise": {"500": 3}}, "5 refused, 0 unanswered, 3 answered 500; 0 lost"),
        (
            {"unknown": 4, "answered_otherwise": {"500": 1, "429": 2}},
            "5 refused, 1 unanswered, 2 answered 429, 1 answered 500; 0 lost",
        ),
        ({"unknown": 2, "answered_otherwise": {}}, "5 refused, 2 unanswered; 0 lost"),
    ],
)
def test_only_what_was_not_answered_is_unanswered(work: dict[str, Any], says: str) -> None:
    assert says in work_line({**WORK, **work})


def test_a_time_that_is_only_bounded_is_written_as_a_bound() -> None:
    assert times_line({**TIMES, "bounds": ["recover"]}).endswith("recovered after at most 12.30 s")
