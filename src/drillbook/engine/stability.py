"""After the last criterion: every met criterion must still hold. The system is recovered only when all hold together.

The rule: a criterion that broke again may come back until its own deadline, and counts from its last return. The moment
of the recovery is a sample's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from drillbook.checks import Check
from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.engine.keeping.waits import telling
from drillbook.engine.under_way import Kept, UnderWay
from drillbook.errors import CouldNotLookError
from drillbook.model.phases import Phase
from drillbook.model.record import Role
from drillbook.model.times.timeline import Event, Moment
from drillbook.model.times.windows import Judged, last_recovery
from drillbook.model.verdict import FindingKind
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import judge, not_met, watch

ROUNDS = 10


def settle(drill: UnderWay) -> None:
    """Judge the criteria as a whole: mark the moment of the recovery, or find the criterion that did not hold."""
    log, prober = drill.log, drill.prober
    if not prober.alive:
        log.find(Phase.CRITERIA, FindingKind.UNKNOWN, "the prober stopped: nobody saw whether it stayed so")
        return
    for _ in range(ROUNDS):
        end_s = time.monotonic()
        try:
            moments = [(kept, _still(log, prober, kept, end_s)) for kept in drill.criteria]
            broken = [kept for kept, moment in moments if moment is None]
            if not broken:
                # a bound holds with and without the incident: it dates no recovery where anything else does
                dating = [each for kept, each in moments if each and kept.record.role is not Role.BOUND]
                _recovered(log, dating or [each for _, each in moments if each is not None], end_s)
                return
            again = [_met_again(log, prober, kept) for kept in broken]
        except CouldNotLookError as error:
            log.find(Phase.CRITERIA, FindingKind.UNKNOWN, str(error))
            return
        if not all(again):
            break
    for kept in broken:
        sentence = f"{kept.check.name}: it was so, but it did not stay so to the end of the criteria"
        log.find(Phase.CRITERIA, FindingKind.FAILED, sentence)


def look_again(
    log: DrillLog,
    prober: Prober,
    check: Check,
    step: int,
    *,
    since_s: float,
    within_s: float,
    length_s: float = 0.0,
    first_only: bool = False,
) -> tuple[FindingKind, str] | None:
    """Look again at an earlier step's check, from `since_s` on; returns why it is not met, None when it is.

    It has `within_s` from now on, however long the looks before it took.
    """
    until_s = time.monotonic() + within_s
    tell = telling(log, check, until_s + length_s)
    record = log.check(
        check, step=step, since_s=since_s, deadline_s=None if first_only else until_s, window_s=length_s or None
    )
    try:
        watched = watch(
            prober, check, since_s=since_s, until_s=until_s, length_s=length_s, first_only=first_only, tell=tell
        )
    except CouldNotLookError as error:
        record.unknown, record.observed = True, str(error)
        return FindingKind.UNKNOWN, str(error)
    log.watched(record, watched)
    if watched.found is None:
        return FindingKind.FAILED, not_met(check, watched, None if first_only else within_s, length_s)
    return None


def still_met(drill: UnderWay) -> None:
    """After a second run of the recoveries: the criteria of the last recovery must be met again, in the same time.

    The later recovery may have mended what an earlier one met, so only the last one's criteria count. A dated event, as
    a message that arrived, does not happen again. When no criterion is left, nothing is shown.
    """
    log = drill.log
    since_s, last = time.monotonic(), max(log.recovered_steps)
    lasting = [kept for kept in drill.criteria if kept.record.step > last and not kept.dated]
    if not lasting:
        sentence = "no criterion after the last recovery can be looked at again after its second run"
        log.find(Phase.REPEAT, FindingKind.UNKNOWN, sentence)
    for kept in lasting:
        record = kept.record
        assert record.since_s is not None
        against = look_again(
            log,
            drill.prober,
            kept.check,
            record.step,
            since_s=since_s,
            within_s=log.at(kept.until_s) - record.since_s,
            length_s=record.window_s or 0.0,
            first_only=record.deadline_s is None,
        )
        if against is not None:
            kind = FindingKind.BETRAYED if against[0] is FindingKind.FAILED else against[0]
            log.find(Phase.REPEAT, kind, f"after the second run of the recovery: {against[1]}")


def _recovered(log: DrillLog, moments: Sequence[Moment], end_s: float) -> None:
    if moments:
        latest = max(moments, key=lambda moment: moment.at_s)
        if latest.bounded:
            # not before the others were seen to be met
            since_s = max(moment.at_s - moment.uncertainty_s for moment in moments)
            latest = replace(latest, uncertainty_s=latest.at_s - since_s)
        log.mark(Event.RECOVERED, latest)
        log.mark(Event.STABLE, Moment(end_s, 0.0, "end of the criteria"))


def _met_again(log: DrillLog, prober: Prober, kept: Kept) -> bool:
    """Whether the broken criterion comes back in its time. Raises CouldNotLookError when nobody could see that."""
    assert isinstance(kept.check.source, str)
    now = time.monotonic()
    if now + prober.endpoint(kept.check.source).longest_gap_s > kept.until_s:
        return False
    watched = watch(prober, kept.check, since_s=now, until_s=kept.until_s, length_s=kept.record.window_s or 0.0)
    if watched.found is None:
        return False
    kept.found, kept.record.found_s = watched.found, log.at(watched.found.at_s)
    kept.record.breaks += 1
    return True


def _still(log: DrillLog, prober: Prober, kept: Kept, end_s: float) -> Moment | None:
    """When the check was met for good; None when it no longer is.

    Raises CouldNotLookError when nobody looked for a part of the time between then and the end of the criteria.
    """
    found, check = kept.found, kept.check
    if not isinstance(check.source, str):
        return kept.moment
    samples = prober.of(check.source).all()
    # from that look on, in the order of asking: one asked before it may have hung until after it
    first = next((number for number, sample in enumerate(samples) if sample.done_s == found.at_s), None)
    samples = samples[first:] if first is not None else [each for each in samples if each.done_s >= found.at_s]
    judged = [Judged(sample.sent_s, sample.done_s, judge(check, sample).met) for sample in samples]
    begin, breaks, met = last_recovery(judged)
    kept.record.breaks += breaks
    if not breaks:
        prober.refuse_unseen(check.name, check.source, found.at_s, end_s)
        return kept.moment
    held_s = samples[-1].done_s - begin.done_s if begin is not None else 0.0
    if not met or begin is None or held_s < (kept.record.window_s or 0.0):
        return None
    prober.refuse_unseen(check.name, check.source, begin.done_s, end_s)
    kept.record.found_s = log.at(begin.done_s)
    return Moment(begin.done_s, found.uncertainty_s, check.name)
