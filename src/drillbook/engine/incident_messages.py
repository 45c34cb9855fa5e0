"""What people are told about an incident: the drill's own measurements, as a variable of the messages' playbooks.

The rule: a message states what was measured by then. What was not measured is None, and never made up. Telling people
recovers nothing: no criterion, no control and no time of a drill depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drillbook.engine.under_way import UnderWay
from drillbook.model.times.clock import rfc3339
from drillbook.model.times.timeline import Event, times
from drillbook.model.work_balance import Answered

VARIABLE = "drillbook_incident"


def reference(run_id: str) -> str:
    """The reference of a drill's messages: the end of the name of its evidence folder."""
    return run_id[:6]


def incident(drill: UnderWay) -> Mapping[str, Any]:
    """What is known by now. `*_at` are RFC 3339 in UTC, `*_s` seconds; `healthy_*` is the latest criterion so far."""
    log, objectives = drill.log, drill.objectives
    record, moments = log.record, log.moments
    fault = moments.get(Event.FAULT_INJECTED)
    healthy_s = max((kept.found.at_s for kept in drill.criteria), default=None)
    detect = times(moments, objectives.rto_clock).detect
    answers = [attempt.answered for attempt in drill.load.attempts] if drill.load is not None else []

    def at(mono_s: float | None) -> str | None:
        return None if mono_s is None else rfc3339(log.anchor.at(mono_s))

    def of(event: Event) -> str | None:
        return at(moments[event].at_s) if event in moments else None

    def since_fault(mono_s: float | None) -> float | None:
        return None if fault is None or mono_s is None else round(mono_s - fault.at_s, 1)

    return {
        "title": record.title,
        "reference": reference(record.run_id),
        "severity": objectives.severity,
        "environment": record.environment.name,
        "people": list(record.people),
        "rto_s": objectives.rto_s,
        "fault_at": of(Event.FAULT_INJECTED),
        "symptom_at": of(Event.SYMPTOM_OBSERVED),
        "recovery_at": of(Event.RECOVERY_STARTED),
        "healthy_at": at(healthy_s),
        "detect_s": None if detect is None else round(detect.seconds, 1),
        "healthy_s": since_fault(healthy_s),
        "elapsed_s": since_fault(time.monotonic()),
        "recoveries": [play.playbook for play in record.plays if play.purpose == "recovery"],
        "acknowledged": answers.count(Answered.ACKNOWLEDGED),
        "refused": answers.count(Answered.REFUSED),
    }
