"""After the last criterion: what was met must still be so; only when all hold together is the system recovered.

The rule: a criterion that broke again has until its own deadline to come back, and counts from its last return; and the
moment of the recovery is a sample's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from drillbook.checks import Check
from drillbook.chronicle import Chronicle
from drillbook.errors import CouldNotLookError
from drillbook.evidence.record import CheckRecord
from drillbook.phases import Phase
from drillbook.probe import Prober
from drillbook.timeline import Event, Found, Judged, Moment, last_recovery
from drillbook.verdict import FindingKind
from drillbook.watch import watch

ROUNDS = 10


@dataclass(slots=True)
class Kept:
    """A check that was met once, and has to be so again (baseline) or to stay so (criteria)."""

    check: Check
    record: CheckRecord
    found: Found
    until_s: float
    asked_too_late: bool
    """A look that nobody made before the step asked, and that was met at once: it says nothing about when it began."""


def settle(chronicle: Chronicle, prober: Prober, criteria: Sequence[Kept]) -> None:
    """Judge the criteria as a whole: marks the moment of the recovery, or finds what did not stay so."""
    if not prober.alive:
        chronicle.find(Phase.CRITERIA, FindingKind.UNKNOWN, "the prober stopped: nobody saw whether it stayed so")
        return
    for _ in range(ROUNDS):
        end_s = time.monotonic()
        moments = [(kept, _still(chronicle, prober, kept)) for kept in criteria]
        broken = [kept for kept, moment in moments if moment is None]
        if not broken:
            _recovered(chronicle, [(kept, moment) for kept, moment in moments if moment is not None], end_s)
            return
        again = [_met_again(chronicle, prober, kept) for kept in broken]
        if not all(again):
            break
    for kept in broken:
        sentence = f"{kept.check.name}: it was so, but it did not stay so to the end of the criteria"
        chronicle.find(Phase.CRITERIA, FindingKind.FAILED, sentence)


def _recovered(chronicle: Chronicle, moments: list[tuple[Kept, Moment]], end_s: float) -> None:
    dated = [moment for kept, moment in moments if not kept.asked_too_late]
    if moments:
        latest = max(dated or [moment for _, moment in moments], key=lambda moment: moment.at_s)
        chronicle.mark(Event.RECOVERED, latest)
        chronicle.mark(Event.STABLE, Moment(end_s, 0.0, "end of the criteria"))


def _met_again(chronicle: Chronicle, prober: Prober, kept: Kept) -> bool:
    try:
        watched = watch(
            prober,
            kept.check,
            since_s=time.monotonic(),
            until_s=kept.until_s,
            length_s=kept.record.window_s or 0.0,
        )
    except CouldNotLookError:
        return False
    if watched.found is None:
        return False
    kept.found, kept.record.found_s = watched.found, chronicle.at(watched.found.at_s)
    kept.record.breaks += 1
    return True


def _still(chronicle: Chronicle, prober: Prober, kept: Kept) -> Moment | None:
    """When the check was met for good; None when it no longer is."""
    found, check = kept.found, kept.check
    if not isinstance(check.source, str):
        return Moment(found.at_s, found.uncertainty_s, check.name)
    samples = prober.of(check.source).all()
    # from that look on, in the order of asking: one asked before it may have hung until after it
    first = next((number for number, sample in enumerate(samples) if sample.done_s == found.at_s), None)
    samples = samples[first:] if first is not None else [each for each in samples if each.done_s >= found.at_s]
    judged = [Judged(sample.sent_s, sample.done_s, check.judge(sample).met) for sample in samples]
    begin, breaks, met = last_recovery(judged)
    kept.record.breaks += breaks
    if not breaks:
        return Moment(found.at_s, found.uncertainty_s, check.name)
    held_s = samples[-1].done_s - begin.done_s if begin is not None else 0.0
    if not met or begin is None or held_s < (kept.record.window_s or 0.0):
        return None
    kept.record.found_s = chronicle.at(begin.done_s)
    return Moment(begin.done_s, found.uncertainty_s, check.name)
