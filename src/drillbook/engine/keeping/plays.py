"""What a playbook did, in the form of a drill's record: in the drill's own time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.model.record import PlayRecord, Purpose, to_plain
from drillbook.target.ansible.result import PlayResult


def play_record(result: PlayResult, *, step: int | None, purpose: str, zero_s: float, variables: object) -> PlayRecord:
    """A play's result in drill time."""
    plain = result.as_record()
    tasks: list[Mapping[str, Any]] = [
        {**task, "started_s": round(task["started_s"] - zero_s, 3), "ended_s": round(task["ended_s"] - zero_s, 3)}
        for task in plain["tasks"]
    ]
    return PlayRecord(
        step=step,
        purpose=Purpose(purpose),
        playbook=result.playbook,
        variables=to_plain(variables),
        started_s=result.started_s - zero_s,
        ended_s=result.ended_s - zero_s,
        status=result.status,
        rc=result.rc,
        changed=result.changed,
        problems=list(result.unsaid()),
        hosts=to_plain(result.hosts),
        tasks=tasks,
        warm=result.warm,
        warnings=list(result.warnings),
    )
