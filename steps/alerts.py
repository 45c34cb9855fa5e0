"""Alerts. The system's own alerting sends them, and the checks look for them where people would see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drillbook import Drill, parse, then
from drillbook.checks import Check, Observation, Sample

FIRING, RESOLVED = "danger", "good"


@then(parse('within {deadline:Duration} an alert about "{subject}" reaches the "{channel}" channel'))
def alert_arrives(drill: Drill, deadline: float, subject: str, channel: str) -> None:
    drill.eventually(message(subject, channel, FIRING, drill.fault_at_s()).marking("alerted"), within=deadline)


@then(parse('within {deadline:Duration} the all-clear about "{subject}" reaches the "{channel}" channel'))
def all_clear_arrives(drill: Drill, deadline: float, subject: str, channel: str) -> None:
    drill.eventually(message(subject, channel, RESOLVED, drill.phase_opened_s()), within=deadline)


def message(subject: str, channel: str, colour: str, since_s: float) -> Check:
    """A check for a Slack-compatible message about the subject that arrived in this channel, in this colour, since an
    instant.
    """
    wanted = f"a message about {subject} in {channel}, coloured {colour}"

    def judge(sample: Sample) -> Observation:
        if not sample.ok or not isinstance(sample.value, (list, dict)):
            return Observation(met=False, observed=sample.error or "the channel cannot be read", required=wanted)
        arrived = [row for row in rows(sample.value) if row["monotonic_s"] >= since_s and fits(row["payload"])]
        if not arrived:
            return Observation(met=False, observed="no such message", required=wanted)
        return Observation(
            True, arrived[0]["payload"]["attachments"][0]["title"], wanted, at_s=arrived[0]["monotonic_s"]
        )

    def fits(body: Any) -> bool:
        return body.get("channel") == channel and any(
            each.get("color") == colour and subject.lower() in f"{each.get('title')} {each.get('text')}".lower()
            for each in body.get("attachments", [])
        )

    return Check(wanted, "alerts", judge)


def rows(value: Any) -> Sequence[Any]:
    """The messages in the sink's answer."""
    messages: Sequence[Any] = value["messages"] if isinstance(value, dict) else value
    return messages
