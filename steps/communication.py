"""People are told. The team's playbooks send a message, and the checks look for it where people would read it."""

from __future__ import annotations

import re
from typing import Any

from drillbook import Drill, parse, recovery, then
from drillbook.checks import Check, Observation, Sample

SUBJECTS = {"initiating": "[ACTION]", "update": "[UPDATE]", "resolved": "[RESOLVED]"}
GAP = re.compile(r"^.*(?:\{\{.*|: *)$", re.MULTILINE)
"""A line that was not filled in. Ansible writes an empty text for a variable that is none."""
CHAT, MAIL = "alerts", "mail"


@recovery(parse('the message "{name}" is sent'))
def message_is_sent(drill: Drill, name: str) -> None:
    drill.announce(name)


@then(parse('within {deadline:Duration} the message "{name}" reaches {places:Names}'))
def message_arrives(drill: Drill, deadline: float, name: str, places: tuple[str, ...]) -> None:
    for place in places:
        drill.arrives(name, arrival(name, place, drill.reference), within=deadline)


def arrival(name: str, place: str, reference: str) -> Check:
    """A check for the message of this drill in a channel ("#incidents") or at an address.

    The message has the subject and the reference, and every line of it is filled in.
    """
    mark = SUBJECTS[name]
    wanted = f"the message {mark} with the reference {reference} at {place}"

    def judge(sample: Sample) -> Observation:
        if not sample.ok or not isinstance(sample.value, dict):
            return Observation(met=False, observed=sample.error or "the messages cannot be read", required=wanted)
        own = [row for row in sample.value["messages"] if fits(row)]
        if not own:
            return Observation(met=False, observed="no such message", required=wanted)
        gap = GAP.search(text_of(own[-1]))
        if gap is not None:
            return Observation(met=False, observed=f"it came with a gap: {gap[0].strip()}", required=wanted)
        return Observation(True, text_of(own[-1]).splitlines()[0], wanted, at_s=own[-1]["monotonic_s"])

    def fits(row: Any) -> bool:
        here = place in row["to"] if "@" in place else row.get("channel") == place
        text = text_of(row)
        return here and text.startswith(mark) and f"Reference: {reference}" in text

    return Check(wanted, MAIL if "@" in place else CHAT, judge)


def text_of(row: Any) -> str:
    """What a message says, its subject first."""
    if "payload" in row:
        return str(row["payload"].get("text") or "")
    return f"{row['subject']}\n\n{row['text']}"
