"""Makes the example drill beside it: a PASSED cut of the network between the API and Redis, as the lab shows it.

Run `python tests/data/drill_example/generate.py` after a change of the record's shape. Numbers come from a fixed seed,
so that the files change only when this program or the record does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drillbook.evidence.files import dumps
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import (
    ArtefactKind,
    ArtefactRecord,
    AttemptRecord,
    CheckRecord,
    ClockRecord,
    EngineRecord,
    EnvironmentRecord,
    EventRecord,
    FaultRecord,
    FeatureRecord,
    LeftOutRecord,
    ObservationRecord,
    PhaseRecord,
    PlayRecord,
    PopulationRecord,
    PrerequisiteRecord,
    ProbeRecord,
    Purpose,
    Record,
    ScenarioRecord,
    StepRecord,
    StepStatus,
    TimesRecord,
    UndoState,
    WorkRecord,
    to_plain,
)
from drillbook.model.times.clock import rfc3339
from drillbook.model.times.overhead import overhead
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import Axis, Outcome, Verdict

HERE = Path(__file__).resolve().parent
BEGAN = datetime(2026, 11, 22, 20, 31, 1, 204000, UTC)
END_S = 96.412
CUT_S, BACK_S = 12.731, 41.385
LOAD_S = (4.312, 92.118)
RATE = 10


@dataclass(frozen=True, slots=True)
class Watched:
    """An endpoint of the example: how it is sampled, whether the cut hits it, and its usual latency."""

    name: str
    kind: str
    per_second: int
    hit: bool
    usual_ms: float
    timeout_s: float = 1.0


ENDPOINTS = (
    Watched("api_health", "http", 10, True, 2.1),
    Watched("api_live", "http", 2, False, 1.2),
    Watched("redis", "redis", 5, False, 0.35),
    Watched("metrics", "http", 2, False, 3.4),
    Watched("database", "sql", 2, False, 0.6),
)

Row = Mapping[str, Any]


def example() -> tuple[dict[str, Any], dict[str, list[Row]], list[Row]]:
    """(drill.json, samples by endpoint, attempts)."""
    chance = random.Random(20261122)
    samples = {each.name: _samples(chance, each) for each in ENDPOINTS}
    attempts = _attempts(chance)
    record = _record(samples, attempts)
    record.overhead = overhead(record.as_json(), [(at_s, at_s + 0.004) for at_s in (3.1, 20.0, 61.3)])
    plain = record.as_json()
    # the example stays as an early version wrote it: a record without the fields that came later
    del plain["scenario"]["description"], plain["objectives"]["accepted_lost"]
    return plain, samples, attempts


def _samples(chance: random.Random, watched: Watched) -> list[Row]:
    rows: list[Row] = []
    at = chance.random() / watched.per_second
    while at < END_S - 1:
        status: int | None = 200 if watched.kind == "http" else None
        ok, error, took_ms = True, None, watched.usual_ms * chance.lognormvariate(0, 0.35)
        if watched.hit and CUT_S <= at < BACK_S:
            if at < CUT_S + 2.2:  # the API still waits for Redis, longer than the probe waits for the API
                ok, status, error, took_ms = (
                    False,
                    None,
                    "no answer in time",
                    watched.timeout_s * 1000 + chance.random(),
                )
            else:
                ok, status, took_ms = False, 503, watched.usual_ms * chance.lognormvariate(0, 0.3)
        elif watched.hit and BACK_S <= at < BACK_S + 0.6:
            took_ms = 40 * chance.lognormvariate(0, 0.5)
        done = at + took_ms / 1000
        rows.append(
            {
                "endpoint": watched.name,
                "sent_s": round(at, 3),
                "done_s": round(done, 3),
                "ok": ok,
                "status": status,
                "error": error,
                "latency_ms": round(took_ms, 3),
            }
        )
        at = max(at + 1 / watched.per_second, done)
    return rows


def _attempts(chance: random.Random) -> list[Row]:
    rows: list[Row] = []
    at, count = LOAD_S[0], 0
    while at < LOAD_S[1]:
        count += 1
        status: int | None = 202
        answered, took_s = "acknowledged", 0.004 * chance.lognormvariate(0, 0.4)
        if CUT_S <= at < CUT_S + 1.1 and chance.random() < 0.3:
            answered, status, took_s = "unknown", None, 5.0
        elif CUT_S + 14 <= at < BACK_S:  # the buffer in memory is full: throttled
            answered, status, took_s = "refused", 503, 0.002
        rows.append(
            {
                "id": f"drill-3f9c2a71-{count:06d}",
                "sent_s": round(at, 3),
                "answered_s": round(at + took_s, 3),
                "answered": answered,
                "status": status,
            }
        )
        at += 1 / RATE
    return rows


def _record(samples: Mapping[str, Sequence[Row]], attempts: Sequence[Row]) -> Record:
    detected_s = _first(samples["api_health"], after_s=CUT_S, ok=False)
    healthy_s = _first(samples["api_health"], after_s=BACK_S, ok=True)
    alerted_s, acting_s, acted_s = 19.874, 38.902, 41.612
    events = (
        ("fault_injected", CUT_S, 0.182, "playbooks/faults/network_cut/inject.yml: Cut the way from api to redis"),
        ("symptom_observed", detected_s, 0.051, 'api "redis" is down'),
        ("alerted", alerted_s, 0.1, "a message in slack"),
        ("recovery_started", acting_s, 0.0, "recovery/redis/restore_network"),
        ("recovery_finished", acted_s, 0.0, "recovery/redis/restore_network"),
        ("first_healthy", healthy_s, 0.062, 'api "redis" is up'),
        ("recovered", healthy_s + 0.811, 0.112, "redis latency is at most 5 ms"),
        ("stable", 82.46, 0.0, "end of the criteria"),
        ("restored", 95.207, 0.0, "end of the restore"),
    )
    counts = {
        answer: sum(row["answered"] == answer for row in attempts) for answer in ("acknowledged", "refused", "unknown")
    }
    recover_s = healthy_s + 0.811 - CUT_S
    record = Record(
        run_id="3f9c2a71d0b84c0f9a4be0d1f2a3b4c5",
        title="The network between the API and Redis is cut",
        feature=FeatureRecord(
            name="Redis outage",
            path="features/redis_outage.feature",
            line=14,
            sha256="9b1f6f2b3ce3b5c6f1f1d0d7e8a94cb9a2f7e3f0a86f0b3a7f4f7d6e1c2b3a49",
        ),
        scenario=ScenarioRecord(
            name="The network between the API and Redis is cut",
            rule=None,
            tags=["row:R1", "rto:10m", "runbook:redis.md#restore-the-network", "severity:P0"],
            runbooks=["redis.md#restore-the-network"],
        ),
        environment=EnvironmentRecord("lab", "lab"),
        inventory="inventories/lab",
        harness={
            "python": "3.11.7",
            "os": "Linux x86_64",
            "drillbook": "0.1.0",
            "pytest": "9.2.0",
            "pytest-bdd": "9.0.1",
            "ansible-core": "2.19.14",
            "ansible-runner": "2.4.3",
            "pytest-testinfra": "10.2.2",
            "redis": "6.4.0",
            "httpx": "0.28.1",
        },
        git={"commit": "055cece0c7a1f4d2b89e63a5d1f0b7c4e2a98d61", "dirty": False},
        engine=EngineRecord("0.1.0", "8592b4cc04461a233477eb7a114d7952d334bd8da757f198bfc62ad123907a5c"),
        artefacts=[
            ArtefactRecord(
                ArtefactKind.FEATURE,
                "features/redis_outage.feature",
                "9b1f6f2b3ce3b5c6f1f1d0d7e8a94cb9a2f7e3f0a86f0b3a7f4f7d6e1c2b3a49",
            ),
            ArtefactRecord(
                ArtefactKind.PLAYBOOK,
                "playbooks/recovery/redis/restore_network.yml",
                "5d0f1c0f8b9f0f6d2b7ad2a4c21c5c9a9b0f5c1dbe7a4c8a6a3b0f9e8d7c6b5a",
            ),
            ArtefactRecord(
                ArtefactKind.RUNBOOK,
                "runbooks/redis.md",
                "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
                "restore-the-network",
                "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f",
            ),
        ],
        clock=ClockRecord(synchronised=True, max_error_s=0.021, estimated_error_s=0.004),
        population=PopulationRecord(
            2, 1, 1, [LeftOutRecord("features/redis_outage.feature::Redis refuses the application", "left out by -k")]
        ),
        attempts=[
            AttemptRecord(
                "9be1d2f3a4b5c63f9c2a71d0b84c0f9a",
                "2026-11-21T20:31:01.000Z",
                Outcome.NOT_RECOVERED,
                "the criterion 'the API is well' was not met within 60 s",
            )
        ],
        process=4711,
        started_at=rfc3339(BEGAN),
        objectives=Objectives(600.0, Event.FAULT_INJECTED, "P0"),
        people=["Ada", "Grace"],
        prerequisites=[
            PrerequisiteRecord("2 people are present", "2 (Ada, Grace)", "at least 2, named with --present", met=True)
        ],
        times=TimesRecord(
            detect_s=detected_s - CUT_S,
            detect_uncertainty_s=0.233,
            alert_s=alerted_s - CUT_S,
            alert_uncertainty_s=0.282,
            act_s=acting_s - detected_s,
            act_uncertainty_s=0.051,
            recover_s=recover_s,
            recover_uncertainty_s=0.294,
            rto_s=600.0,
            rto_met=True,
        ),
        timeline=[
            EventRecord(event, rfc3339(BEGAN + timedelta(seconds=at_s)), at_s, doubt, source)
            for event, at_s, doubt, source in events
        ],
        phases=[
            PhaseRecord(phase, begin_s, end_s)
            for phase, begin_s, end_s in (
                (Phase.BASELINE, 0.214, 12.302),
                (Phase.FAULT, 12.302, 14.118),
                (Phase.SYMPTOMS, 14.118, acting_s),
                (Phase.RECOVERY, acting_s, acted_s),
                (Phase.CRITERIA, acted_s, 82.46),
                (Phase.RESTORE, 82.46, 95.207),
            )
        ],
        steps=_steps(acting_s, acted_s),
        checks=_checks(detected_s, alerted_s, healthy_s, acting_s),
        observations=[
            ObservationRecord(Phase.SYMPTOMS, 6, "the network from api to redis", {"open": False}, "", detected_s + 4),
            ObservationRecord(Phase.SYMPTOMS, 6, "Redis' own latency", 0.35, "ms", detected_s + 4.002),
        ],
        faults=[
            FaultRecord(
                "network_cut",
                {"client": "api", "server": "redis"},
                "b7f0a1e94d3c4f6c8d2e5a7b9c0d1e2f",
                undo=UndoState.GONE,
                took_effect=True,
            )
        ],
        plays=_plays(acting_s, acted_s),
        work=WorkRecord(
            attempted=len(attempts),
            acknowledged=counts["acknowledged"],
            refused=counts["refused"],
            unknown=counts["unknown"],
            completed=counts["acknowledged"] + 9,
            lost_count=0,
            duplicated_count=0,
            unexpected_count=0,
            recovered_count=9,
            skipped=0,
            lost=[],
            duplicated=[],
            unexpected=[],
            rates=[{"since_s": LOAD_S[0], "per_second": float(RATE)}, {"since_s": LOAD_S[1], "per_second": 0.0}],
        ),
        probes=[
            ProbeRecord(
                each.name,
                each.kind,
                len(samples[each.name]),
                sum(not row["ok"] for row in samples[each.name]),
                1 / each.per_second,
                each.timeout_s,
            )
            for each in ENDPOINTS
        ],
        probe_cpu_ratio=0.071,
        notes=["The API was throttling from 26.7 s on: its buffer of 100 jobs was full."],
    )
    reason = f"recovered in {recover_s:.1f} s of an RTO of 600 s"
    verdict = Verdict(Outcome.PASSED, reason, Axis(True), Axis(True), Axis(True))
    record.close(verdict, rfc3339(BEGAN + timedelta(seconds=END_S)), END_S)
    return record


def _first(rows: Sequence[Row], *, after_s: float, ok: bool) -> float:
    found: float = next(row["done_s"] for row in rows if row["sent_s"] >= after_s and row["ok"] is ok)
    return found


def _steps(acting_s: float, acted_s: float) -> list[StepRecord]:
    rows = (
        ("Given", "the system is healthy", Phase.BASELINE, 0.214, 4.05),
        ("And", "jobs are submitted at 10 per second", Phase.BASELINE, 4.3, 8.002),
        ("When", 'the network between "api" and "redis" is cut', Phase.FAULT, 12.302, 1.816),
        ("Then", 'within 30 seconds the API reports "redis" as down', Phase.SYMPTOMS, 14.118, 0.004),
        ("And", 'within 60 seconds an alert reaches the "slack" channel', Phase.SYMPTOMS, 14.122, 5.81),
        ("And", "the circuit breaker is open", Phase.SYMPTOMS, 19.94, 0.211),
        ("When", 'the recovery playbook "redis/restore_network" is run', Phase.RECOVERY, acting_s, acted_s - acting_s),
        ("Then", 'within 10 minutes the API reports "redis" as up', Phase.CRITERIA, acted_s, 0.9),
        ("And", "Redis answers within 5 ms for 30 seconds", Phase.CRITERIA, 42.512, 39.948),
    )
    return [
        StepRecord(number, keyword, text, 17 + number, phase, StepStatus.PASSED, began_s, took_s)
        for number, (keyword, text, phase, began_s, took_s) in enumerate(rows, start=1)
    ]


def _checks(detected_s: float, alerted_s: float, healthy_s: float, acting_s: float) -> list[CheckRecord]:
    return [
        CheckRecord(1, Phase.BASELINE, "api answers", "api_health", "a healthy answer", "status 200", True,
                    0.241, 0.05, since_s=0.214, samples=1),
        CheckRecord(1, Phase.BASELINE, "redis answers", "redis", "a healthy answer", "an answer", True,
                    0.262, 0.05, since_s=0.214, samples=1),
        CheckRecord(4, Phase.SYMPTOMS, 'api "redis" is down', "api_health", "is down", "no answer in time", True,
                    detected_s, 0.051, since_s=CUT_S, deadline_s=CUT_S + 30, samples=2),
        CheckRecord(5, Phase.SYMPTOMS, "a message in slack", "asked by the step", "at least 1", "1", True,
                    alerted_s, 0.1, since_s=CUT_S, deadline_s=CUT_S + 60, samples=58),
        CheckRecord(6, Phase.SYMPTOMS, "circuit breaker is open", "metrics", "is open", "open", True,
                    20.132, 0.2, since_s=CUT_S, samples=1),
        CheckRecord(8, Phase.CRITERIA, 'api "redis" is up', "api_health", "is up", "up", True,
                    healthy_s, 0.062, since_s=acting_s, deadline_s=acting_s + 600, samples=57),
        CheckRecord(9, Phase.CRITERIA, "redis latency is at most 5 ms", "redis", "is at most 5 ms", "0.41 ms", True,
                    healthy_s + 0.811, 0.112, window_s=30.0, until_s=healthy_s + 30.84, since_s=acting_s,
                    deadline_s=acting_s + 600, samples=651, breaks=1),
        CheckRecord(1, Phase.RESTORE, "api answers", "api_health", "a healthy answer", "status 200", True,
                    86.518, 0.05, since_s=86.48, deadline_s=146.48, samples=1),
        CheckRecord(1, Phase.RESTORE, "redis answers", "redis", "a healthy answer", "an answer", True,
                    86.571, 0.05, since_s=86.53, deadline_s=146.53, samples=1),
    ]  # fmt: skip


def _plays(acting_s: float, acted_s: float) -> list[PlayRecord]:
    return [
        _play(3, "fault", "playbooks/faults/network_cut/inject.yml", 12.302, 14.118,
              (("Read how api reaches redis", "ansible.builtin.uri", "ok", 12.6, 12.731),
               ("Cut the way from api to redis", "ansible.builtin.uri", "changed", CUT_S, 12.913),
               ("Nothing passes any more", "ansible.builtin.assert", "ok", 12.913, 14.0))),
        _play(7, "recovery", "playbooks/recovery/redis/restore_network.yml", acting_s, acted_s,
              (("Look for the rule that cuts the network", "ansible.builtin.uri", "ok", acting_s + 0.4, acting_s + 1.1),
               ("Open the way from api to redis", "ansible.builtin.uri", "changed", acting_s + 1.1, acting_s + 2.5))),
        _play(None, "undo", "playbooks/faults/network_cut/undo.yml", 82.51, 86.44,
              (("Open the way from api to redis", "ansible.builtin.uri", "ok", 83.0, 84.9),
               ("The way is open", "ansible.builtin.assert", "ok", 84.9, 86.3))),
    ]  # fmt: skip


def _play(  # noqa: PLR0917
    step: int | None,
    purpose: str,
    playbook: str,
    began_s: float,
    ended_s: float,
    rows: Sequence[tuple[str, str, str, float, float]],
) -> PlayRecord:
    changed = sum(status == "changed" for _, _, status, _, _ in rows)
    return PlayRecord(
        step=step,
        purpose=Purpose(purpose),
        playbook=playbook,
        variables={} if purpose == "recovery" else {"client": "api", "server": "redis"},
        started_s=began_s,
        ended_s=ended_s,
        status="successful",
        rc=0,
        changed=changed > 0,
        problems=[],
        warm=purpose != "undo",
        hosts={
            "proxy": {
                "ok": len(rows),
                "changed": changed,
                "failed": 0,
                "unreachable": 0,
                "skipped": 0,
                "rescued": 0,
                "ignored": 0,
            }
        },
        tasks=[
            {
                "play": "The network between two components",
                "task": task,
                "action": action,
                "host": "proxy",
                "status": status,
                "started_s": start_s,
                "ended_s": end_s,
                "message": "All assertions passed" if action.endswith("assert") else "",
                "path": f"{playbook}:{8 + 6 * place}",
                "check_mode": False,
            }
            for place, (task, action, status, start_s, end_s) in enumerate(rows)
        ],
    )


def texts() -> dict[str, str]:
    """The files below content/, by name."""
    record, samples, attempts = example()
    looks = sorted((row for rows in samples.values() for row in rows), key=lambda row: (row["done_s"], row["endpoint"]))
    return {
        "drill.json": dumps(record),
        "samples.ndjson": "".join(json.dumps(to_plain(row), sort_keys=True) + "\n" for row in looks),
        "work.ndjson": "".join(json.dumps(to_plain(row), sort_keys=True) + "\n" for row in attempts),
    }


if __name__ == "__main__":
    (HERE / "content").mkdir(exist_ok=True)
    for name, text in texts().items():
        (HERE / "content" / name).write_text(text, encoding="utf-8")
