"""The time that the harness itself adds to a drill: a pure function of the record's moments.

The rule: a recovery time never hides the harness' own part. The harness' part is the time in which Drillbook, pytest or
Ansible got ready or wrote something down, while neither the system nor the team's tasks did anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

Span = tuple[float, float]
"""From and to, in drill seconds."""


class Part(StrEnum):
    """What the harness did."""

    PLAY_START = "play start"
    """From the call of a playbook to the begin of its first task: Ansible starts and reads inventory and playbook."""
    PLAY_END = "play end"
    """From the end of a playbook's last task until the drill goes on."""
    BETWEEN_STEPS = "between steps"
    """From the end of a step to the begin of the next one, and from the drill's begin to its first step."""
    EVIDENCE = "evidence"
    """Writing the record, the samples and the work, outside the other parts."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span in which the harness did one thing, in drill seconds."""

    part: Part
    since_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Overhead:
    """Seconds by part; each instant counts once. `in_recover_s` is the harness' part of `recover_s`."""

    play_start_s: float
    play_end_s: float
    between_steps_s: float
    evidence_s: float
    total_s: float
    in_recover_s: float | None
    stretches: tuple[Stretch, ...]


def overhead(record: Mapping[str, Any], writes: Iterable[Span] = ()) -> Overhead:
    """The overhead of a drill.

    `record` is the content of drill.json; `writes` are the spans in which evidence was written.
    """
    found: list[Stretch] = []
    for part, spans in (
        (Part.PLAY_START, _play_starts(record["plays"])),
        (Part.PLAY_END, _play_ends(record["plays"])),
        (Part.BETWEEN_STEPS, _between_steps(record["steps"])),
        (Part.EVIDENCE, writes),
    ):
        # the first part in this order gets the instant
        taken = sorted((each.since_s, each.until_s) for each in found)
        found += [Stretch(part, *rest) for span in _merged(spans) for rest in _outside(span, taken)]
    found.sort(key=lambda each: each.since_s)
    sums = {part: sum(each.until_s - each.since_s for each in found if each.part is part) for part in Part}
    window = _recovering(record)
    return Overhead(
        play_start_s=sums[Part.PLAY_START],
        play_end_s=sums[Part.PLAY_END],
        between_steps_s=sums[Part.BETWEEN_STEPS],
        evidence_s=sums[Part.EVIDENCE],
        total_s=sum(sums.values()),
        in_recover_s=None if window is None else sum(_common(each, *window) for each in found),
        stretches=tuple(found),
    )


def _play_starts(plays: Iterable[Mapping[str, Any]]) -> Iterator[Span]:
    for play in plays:
        yield play["started_s"], min((task["started_s"] for task in play["tasks"]), default=play["ended_s"])


def _play_ends(plays: Iterable[Mapping[str, Any]]) -> Iterator[Span]:
    for play in plays:
        if play["tasks"]:
            yield max(task["ended_s"] for task in play["tasks"]), play["ended_s"]


def _between_steps(steps: Iterable[Mapping[str, Any]]) -> Iterator[Span]:
    run = [
        (step["started_s"], step["started_s"] + step["duration_s"])
        for step in steps
        if step["started_s"] is not None and step["duration_s"] is not None
    ]
    for (_, ended_s), (started_s, _) in pairwise([(0.0, 0.0), *run]):
        yield ended_s, started_s


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same instants as spans that do not overlap; empty spans are left out."""
    merged: list[Span] = []
    for since_s, until_s in sorted(span for span in spans if span[1] > span[0]):
        if merged and since_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until_s))
        else:
            merged.append((since_s, until_s))
    return merged


def _outside(span: Span, taken: Iterable[Span]) -> Iterator[Span]:
    """The parts of a span outside `taken`, which is sorted and has no overlaps."""
    since_s, until_s = span
    for begin_s, end_s in taken:
        if end_s <= since_s or begin_s >= until_s:
            continue
        if begin_s > since_s:
            yield since_s, begin_s
        since_s = end_s
        if since_s >= until_s:
            return
    yield since_s, until_s


def _recovering(record: Mapping[str, Any]) -> Span | None:
    """From the event that starts the RTO clock to `recovered`."""
    events = {each["event"]: each["at_s"] for each in record["timeline"]}
    clock = record["times"]["rto_clock"]
    return (events[clock], events["recovered"]) if clock in events and "recovered" in events else None


def _common(stretch: Stretch, since_s: float, until_s: float) -> float:
    return max(0.0, min(stretch.until_s, until_s) - max(stretch.since_s, since_s))
