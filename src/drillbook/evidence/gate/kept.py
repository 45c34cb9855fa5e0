"""A proof in its compact form: what was proven about one scenario, when, how its controls ended, and with which files.

The rule: it is a function of the proof and of the records of its runs. It has no samples and no plays. A reader can
look up what it says in the evidence, as long as that is kept. When it is not, these few kilobytes remain.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drillbook.model.proof import Proof, Run
from drillbook.model.record import ArtefactKind, ArtefactRecord, EngineRecord, Record, to_plain
from drillbook.model.tags import tag_values
from drillbook.model.verdict import Outcome

SCHEMA = "drillbook/kept-proof/1"
AGAINST = frozenset({Outcome.NOT_RECOVERED, Outcome.INVALID, Outcome.NOT_RESTORED, Outcome.BETRAYED})
"""Outcomes that speak against a runbook; an aborted run says nothing about it."""


class KeptProofError(Exception):
    """A kept proof cannot be read; the sentence says why."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run of a proof: the drill (`control` is None), or one of its controls."""

    control: str | None
    outcome: Outcome
    reason: str
    run_id: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class KeptProof:
    """The result of a proof. `scenario` is the node id of its drill; `proven_at` is when the last of its runs ended."""

    scenario: str
    feature: str
    name: str
    proven: bool
    against: str | None
    proven_at: str
    runs: tuple[KeptRun, ...]
    tags: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    inventory: str = ""
    times: Mapping[str, Any] = field(default_factory=dict)
    work: Mapping[str, int] | None = None
    harness: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)
    engine: EngineRecord | None = None
    artefacts: tuple[ArtefactRecord, ...] = ()
    timings: Mapping[str, Any] | None = None
    """The windows by which the system was verified; None where no step asked for them."""

    @property
    def shortened(self) -> bool:
        """Whether the system was watched for less than after a real incident."""
        return self.timings is not None and self.timings.get("full") is not True

    @property
    def moment(self) -> datetime:
        """`proven_at` as a moment."""
        return datetime.fromisoformat(self.proven_at)

    @property
    def speaks_against(self) -> bool:
        """Whether one of its runs ended in a way that speaks against the runbook."""
        return not self.proven and any(run.outcome in AGAINST for run in self.runs)

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that its tags `@row:` name."""
        return tag_values(self.tags, "row")

    def as_json(self) -> dict[str, Any]:
        """The content of its file in proofs/."""
        plain = {name: to_plain(getattr(self, name)) for name in self.__slots__}
        plain["artefacts"] = [
            {name: value for name, value in row.items() if value is not None} for row in plain["artefacts"]
        ]
        return {"schema": SCHEMA, **plain}


_TIMES = ("detect_s", "alert_s", "act_s", "recover_s", "recover_uncertainty_s", "rto_s", "rto_met", "bounds")
_WORK = ("attempted", "acknowledged", "completed", "lost_count", "duplicated_count", "accepted_lost")


def kept_proof(proof: Mapping[str, Any], records: Sequence[Record | None]) -> KeptProof:
    """The kept proof from proof.json and from the record of each run (None: it left none). Raises KeptProofError.

    The files are those of all runs: a control may break something of its own.
    """
    drill = records[0] if records else None
    if drill is None or proof["runs"][0]["control"] is not None:
        raise KeptProofError("there is no record of the drill itself")
    rows = list(zip(proof["runs"], records, strict=True))
    ends = [record.ended_at for _, record in rows if record is not None and record.ended_at is not None]
    work = drill.work
    return KeptProof(
        scenario=str(proof["scenario"]),
        feature=drill.feature.path,
        name=drill.scenario.name,
        proven=bool(proof["proven"]),
        against=proof["against"],
        proven_at=max(ends, default=drill.started_at),
        runs=tuple(_run(row, record) for row, record in rows),
        tags=tuple(drill.scenario.tags),
        environment={"name": drill.environment.name, "kind": drill.environment.kind},
        inventory=drill.inventory,
        times={name: getattr(drill.times, name) for name in _TIMES},
        work=None if work is None else {name: getattr(work, name) for name in _WORK},
        harness=drill.harness,
        git=drill.git,
        engine=drill.engine,
        artefacts=_all_of(record for record in records if record is not None),
        timings=None if drill.timings is None else to_plain(drill.timings),
    )


def attempt(scenario: str, record: Record) -> KeptProof:
    """A drill that ran without its controls: it proves nothing, but may speak against the runbook."""
    assert record.outcome is not None
    ended = f"the drill ended {record.outcome}: {record.reason}"
    proof = {
        "scenario": scenario,
        "proven": False,
        "against": "its controls were not run" if record.outcome.good else ended,
        "runs": [{"control": None, "outcome": record.outcome.value, "reason": record.reason or ""}],
    }
    return kept_proof(proof, [record])


def _run(row: Mapping[str, Any], record: Record | None) -> KeptRun:
    outcome = Outcome(row["outcome"])
    of_drill = record is not None and (record.control is not None) == (row["control"] is not None)
    if record is None or not of_drill:  # recovery-twice, when it was the end of its drill
        return KeptRun(row["control"], outcome, str(row["reason"]), None if record is None else record.run_id)
    times = (record.started_at, record.ended_at, record.duration_s)
    return KeptRun(row["control"], outcome, str(row["reason"]), record.run_id, *times)


def _all_of(records: Iterable[Record]) -> tuple[ArtefactRecord, ...]:
    """Two runs may have met two versions of a file: then both are named, and neither counts as that of the tree."""
    found = {(each.path, each.clause or "", each.sha256): each for record in records for each in record.artefacts}
    return tuple(found[place] for place in sorted(found))


# ---- as a file ----------------------------------------------------------------------------------------------------


def file_of(scenario: str) -> str:
    """The file of a scenario (by its node id) below proofs/, in characters that every file system takes.

    Two scenarios never share one, whatever their titles are.
    """
    feature, _, title = scenario.partition("::")
    folder = _part(feature.removesuffix(".feature").removeprefix("features/"))
    return f"{folder}/{_part(title)}-{hashlib.sha256(scenario.encode()).hexdigest()[:6]}.json"


def _as_run(run: KeptRun) -> Run:
    return Run("", run.control or "", run.outcome, run.reason)


def _part(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:64].rstrip("-") or "unnamed"


def from_json(document: object) -> KeptProof:
    """A proof from the content of its file. Raises KeptProofError."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise KeptProofError(f"it is none of the schema {SCHEMA}")
    known = {name: value for name, value in document.items() if name != "schema"}
    try:
        known["runs"] = tuple(KeptRun(**{**run, "outcome": Outcome(run["outcome"])}) for run in known["runs"])
        known["artefacts"] = tuple(
            ArtefactRecord(**{**row, "kind": ArtefactKind(row["kind"])}) for row in known["artefacts"]
        )
        known["engine"] = None if known["engine"] is None else EngineRecord(**known["engine"])
        known["tags"] = tuple(map(str, known["tags"]))
        made = KeptProof(**known)
        moment = made.moment
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KeptProofError(f"it was damaged after it was written ({type(error).__name__}: {error})") from error
    texts = (made.scenario, made.feature, made.name)
    tables = (made.environment, made.times, made.harness, made.git, made.timings or {})
    if not all(isinstance(each, str) for each in texts) or not all(isinstance(each, dict) for each in tables):
        raise KeptProofError("it was damaged after it was written: a field of it is of another kind")
    if moment.tzinfo is None or made.proven is not (made.against is None):
        raise KeptProofError("it contradicts itself")
    against = Proof(made.scenario, tuple(map(_as_run, made.runs))).against if made.proven else None
    if against is not None:
        raise KeptProofError(f"it says that it is proven, and its runs do not prove it: {against}")
    return made
