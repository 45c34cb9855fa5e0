"""Why a value of a record is missing, so that no reader must guess whether somebody forgot it.

The rule: each null of the record itself, and of its objectives, its times and its clock, has one sentence.
docs/evidence.md describes nulls within lists.
"""

from __future__ import annotations

from typing import Any

_UNDER_WAY = "the drill is under way, or was killed before its end"
_OF_RECORD = {
    "engine": "an earlier version of Drillbook wrote the record",
    "clock": "an earlier version of Drillbook wrote the record",
    "population": "no pytest session told which drills it has collected",
    "control": "it is the drill itself, and no control",
    "repeat": "the control recovery-twice was not the end of this drill",
    "timings": "no step asked how long a recovered system is to be watched",
    "work": "no work was submitted, or it was not balanced",
    "cleanup": "no work was to be taken away",
    "signature": _UNDER_WAY,
    "ended_at": _UNDER_WAY,
    "outcome": _UNDER_WAY,
    "reason": _UNDER_WAY,
    "duration_s": "the drill is under way, or was killed: nobody timed its end",
    "probe_cpu_ratio": "it is known at the end of a drill alone",
    "overhead": "it is known at the end of a drill alone",
}
_EMPTY = {
    "people": "nobody was named: --present says who is there",
    "git": "the repository is no git checkout, or there is no git",
    "artefacts": "an earlier version of Drillbook wrote the record",
}
_OF_OBJECTIVES = {
    "rto_s": "the feature has no tag @rto",
    "severity": "the feature has no tag @severity",
    "accepted_lost": "the scenario has no tag @accepts-data-loss: no loss is accepted",
}
_OF_TIMES = {
    "detect_s": "no symptom was observed",
    "alert_s": "no alert was waited for, or none came",
    "act_s": "no recovery was begun after a symptom",
    "recover_s": "it did not recover, or recovered and was not dated",
    "rto_s": "the feature has no tag @rto",
    "rto_met": "there is no time to recover, or no RTO",
}


def why_absent(record: Any) -> dict[str, str]:
    """The reason for each missing value, by its place, as `times.alert_s`."""
    found = {name: why for name, why in _OF_RECORD.items() if getattr(record, name) is None}
    found |= {name: why for name, why in _EMPTY.items() if not getattr(record, name)}
    if record.scenario.rule is None:
        found["scenario.rule"] = "the scenario stands below no Rule"
    found |= {f"objectives.{name}": why for name, why in _OF_OBJECTIVES.items() if _none(record.objectives, name)}
    ended = record.ended_at is not None
    for name, why in _OF_TIMES.items():
        if _none(record.times, name):
            found[f"times.{name}"] = why if ended else _UNDER_WAY
            if name.endswith("_s") and name != "rto_s":
                found[f"times.{name.removesuffix('_s')}_uncertainty_s"] = f"there is no {name}"
    if record.control is not None:
        found |= {
            f"control.{name}": why
            for name, why in (
                ("task", "the control leaves out no single task"),
                ("times_from", "no drill of this scenario had passed before: its waiting times are the feature's"),
            )
            if _none(record.control, name)
        }
    if record.clock is not None and record.clock.synchronised is None:
        for name in ("synchronised", "max_error_s", "estimated_error_s"):
            found[f"clock.{name}"] = record.clock.reason or "the kernel did not say"
    return dict(sorted(found.items()))


def _none(part: Any, name: str) -> bool:
    return getattr(part, name) is None
