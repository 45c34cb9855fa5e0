"""What each drill of a session came to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import xml_key

from drillbook.model.control.control import REPEATED
from drillbook.model.proof import Run
from drillbook.model.record import RepeatRecord
from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin.collection import ScenarioItem
from drillbook.pytest_plugin.drill_session import session_key

RUN_ID, OUTCOME, REASON, EVIDENCE = "run_id", "outcome", "reason", "evidence"
SCENARIO, CONTROL = "scenario", "control"
REPEAT, REPEAT_REASON = "repeat", "repeat_reason"
"""How recovery-twice ended, where it was the end of the drill."""
facts_key = pytest.StashKey[dict[str, str]]()
"""What reports carry of a drill. Not user_properties: pytest writes those into each JUnit test case, which JUnit's
schema does not allow."""
ended_key = pytest.StashKey[list[dict[str, Any]]]()


def named(item: ScenarioItem) -> dict[str, str]:
    """Which scenario (its node id as a drill) and as which control it is run."""
    return {
        SCENARIO: item.drill_nodeid,
        CONTROL: str(item.scenario.control) if item.scenario.control is not None else "",
    }


def conclude(
    item: ScenarioItem,
    outcome: Outcome,
    reason: str,
    evidence: Path | None,
    repeat: RepeatRecord | None = None,
) -> None:
    """Let reports, JUnit and the exit status know how the drill ended."""
    facts = item.stash.setdefault(facts_key, {})
    if OUTCOME in facts:
        return
    session = item.config.stash.get(session_key, None)
    said = reason if session is None else session.redactor.text(reason)
    facts |= {OUTCOME: outcome.value, REASON: said, **named(item), **conclude_repeat(repeat)}
    if evidence is not None:
        facts[EVIDENCE] = os.path.relpath(evidence, item.config.rootpath)
    ended_of(item.config, item.nodeid, facts)


def conclude_repeat(repeat: RepeatRecord | None) -> dict[str, str]:
    return {} if repeat is None else {REPEAT: repeat.outcome.value, REPEAT_REASON: repeat.reason}


def ended_of(config: pytest.Config, nodeid: str, facts: Mapping[str, str]) -> None:
    """Keep one row for each drill that ended, and for each control; both also as JUnit has a place for them."""
    _one_ended(config, nodeid, facts)
    if REPEAT in facts:
        row = f"{facts[SCENARIO].removesuffix(']')}-" if facts[SCENARIO].endswith("]") else f"{facts[SCENARIO]}["
        of = {OUTCOME: facts[REPEAT], REASON: facts[REPEAT_REASON], CONTROL: str(REPEATED)}
        _one_ended(config, f"{row}{REPEATED}]", {**facts, **of})


def _one_ended(config: pytest.Config, nodeid: str, facts: Mapping[str, str]) -> None:
    """JUnit's schema has a place for it where it is a property of the suite."""
    ended = config.stash[ended_key]
    if any(row["nodeid"] == nodeid and row["outcome"] == facts[OUTCOME] for row in ended):
        return
    outcome, evidence = Outcome(facts[OUTCOME]), facts.get(EVIDENCE)
    # of a drill that ended otherwise nobody is to read that it passed, too
    outdated = [row for row in ended if row["nodeid"] == nodeid and row["outcome"].good]
    ended[:] = [row for row in ended if row not in outdated]
    run = Run(facts[SCENARIO], facts[CONTROL], outcome, facts[REASON], evidence)
    ended.append({"nodeid": nodeid, "outcome": outcome, "reason": facts[REASON], "evidence": evidence, "run": run})
    junit = config.stash.get(xml_key, None)
    if junit is not None:
        if outdated:
            junit.global_properties[:] = [each for each in junit.global_properties if each[0] != nodeid]
        junit.add_global_property(nodeid, f"{outcome}: {facts[REASON]}" + (f" ({evidence})" if evidence else ""))
