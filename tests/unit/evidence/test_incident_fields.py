"""The record of a drill has what a post-mortem and an incident report ask for, or it is for a person to think of.

The rule: each field of both templates stands here, with the place in the record that it is read from. A field that no
record can fill says why; none is forgotten. The record is that of a real drill on the lab: the API was killed,
and afterwards the ladder was climbed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from drillbook.evidence.reader import read_record
from drillbook.model.phases import Phase
from drillbook.model.record import Purpose, Record, Role
from tests.support import ROOT

pytestmark = pytest.mark.unit

DRILL = ROOT / "tests/data/records/ladder"


@dataclass(frozen=True, slots=True)
class Person:
    """Nobody can read it off a record: a person has to think, to ask, or to promise."""

    why: str


def at(event: str) -> Callable[[Record], object]:
    """The first moment of this name, as the time of day."""
    return lambda record: next((each.at for each in record.timeline if each.event == event), None)


def observed(subject: str) -> Callable[[Record], object]:
    return lambda record: next((each.value for each in record.observations if each.subject == subject), None)


def symptoms(record: Record) -> object:
    return [f"{each.name}: {each.observed}" for each in record.checks if each.phase is Phase.SYMPTOMS and each.met]


def recoveries(record: Record) -> object:
    return [each.playbook for each in record.plays if each.purpose is Purpose.RECOVERY]


def verified(record: Record) -> object:
    return [each.name for each in record.checks if each.phase is Phase.CRITERIA and each.window_s]


def impact(record: Record) -> object:
    """What became of the work of users, and what they were answered."""
    work = record.work
    return work and {name: getattr(work, name) for name in ("acknowledged", "refused", "unknown", "lost_count")}


Place = Callable[[Record], object] | Person
POST_MORTEM: dict[str, Place] = {
    "title: date": lambda record: record.started_at,
    "Incident Summary: Date/Time": at("fault_injected"),
    "Incident Summary: Duration": lambda record: record.times.recover_s,
    "Incident Summary: Severity": lambda record: record.decisions[0].severity,
    "Incident Summary: Impact": impact,
    "Root Cause": Person("the record names the injected fault; why it could happen in production, people find"),
    "Timeline: Issue detected": at("symptom_observed"),
    "Timeline: Rollback initiated": at("recovery_started"),
    "Timeline: Rollback completed": at("recovery_finished"),
    "Timeline: Service verified": at("stable"),
    "What Went Well": Person("a judgement; the record has the margin to the RTO, and what was lost"),
    "What Went Wrong": Person("a judgement; the record has its findings, notes and the axes that do not hold"),
    "Action Items": Person("a promise, with an owner and a date"),
    "Preventive Measures": Person("a promise"),
    # the questions of the review
    "What was the root cause?": Person("as Root Cause"),
    "How was it detected?": symptoms,
    "How long did rollback take?": lambda record: [each.ended_s - each.started_s for each in record.plays],
    "Were there any complications?": lambda record: (record.findings, record.notes, record.faults),
    "Was documentation accurate?": lambda record: (record.outcome, record.repeat, record.scenario.runbooks),
    "What can be improved?": Person("a judgement"),
}  # fmt: skip
INCIDENT_REPORT: dict[str, Place] = {
    "title: date": lambda record: record.started_at,
    "title: brief description": lambda record: record.title,
    "Summary": lambda record: record.reason,
    "Timeline: Deployment initiated": at("fault_injected"),
    "Timeline: Issue detected": at("symptom_observed"),
    "Timeline: Rollback initiated": at("recovery_started"),
    "Timeline: Service restored": at("recovered"),
    "Root Cause": Person("as in the post-mortem"),
    "Resolution": recoveries,
    "Prevention": Person("a promise"),
    "Action Items: Fix root cause": Person("a promise"),
    "Action Items: Add monitoring/alerts": Person("a promise; the record has the time to detect and to alert"),
    "Action Items: Update documentation": Person("a promise; the record names the clauses that were executed"),
    "Action Items: Add tests": Person("a promise"),
}
BEFORE: dict[str, Place] = {
    # what has to be written down before a rollback
    "current version": observed("the version that answers"),
    "last stable version": observed("the last version that was well"),
    "error rate": observed("requests that fail, as users see it"),
    "queue status": observed("the queue's metrics"),
    "database state": observed("rows of the database"),
    "system resources": observed("resources of api-1"),
    "severity confirmed": lambda record: record.decisions[0].rule,
    # what is watched during one
    "health check status": verified,
    "error rate during it": lambda record: [each.metrics["error_rate"] for each in record.decisions],
    "p50, p95, p99": observed("p99 of look-ups"),
    "database connections": observed("connections of the database"),
    "metrics at the end": lambda record: [each.name for each in record.checks if each.role is Role.BOUND],
}
ALL = {"post-mortem": POST_MORTEM, "incident report": INCIDENT_REPORT, "before and during": BEFORE}
FIELDS = [pytest.param(place, id=f"{name}: {field}") for name, fields in ALL.items() for field, place in fields.items()]


@pytest.fixture(scope="module")
def record() -> Record:
    return read_record(DRILL)


@pytest.mark.parametrize("place", FIELDS)
def test_each_field_has_a_place_in_the_record_or_needs_a_person(place: Place, record: Record) -> None:
    if isinstance(place, Person):
        assert place.why
    else:
        assert place(record) not in (None, "", [], {})


def test_a_record_without_it_is_seen(record: Record) -> None:
    lacking = replace(record, timeline=[], observations=[], work=None, checks=[], plays=[])
    places = [
        POST_MORTEM["Timeline: Service verified"],
        BEFORE["current version"],
        POST_MORTEM["Incident Summary: Impact"],
    ]
    places += [POST_MORTEM["How was it detected?"], INCIDENT_REPORT["Resolution"]]
    assert [callable(place) and bool(place(lacking)) for place in places] == [False] * 5


def test_who_reads_it_knows_by_which_windows_it_was_verified(record: Record) -> None:
    assert record.timings is not None
    assert (record.timings.profile, record.timings.full) == ("ci", False)
