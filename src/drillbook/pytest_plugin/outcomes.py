"""How each drill of a session ended: one value, on the item, in the session's list and on pytest's reports.

The rule: an outcome is set once, and the first one stays. Only an outcome against a drill that had ended well replaces
it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.junitxml import xml_key

from drillbook.errors import DrillbookError
from drillbook.evidence.machine_paths import without_machine
from drillbook.evidence.proofs import write_proof
from drillbook.evidence.reader import read_document
from drillbook.evidence.render.numbers import Numbers, numbers_of
from drillbook.model.control import REPEATED
from drillbook.model.printable import printable
from drillbook.model.proof import Proof, Run, proofs
from drillbook.model.record import Record, RepeatRecord
from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_session import drill_session, session_key

if TYPE_CHECKING:
    from drillbook.engine.session import DrillSession

OF_A_DRILL = "#"
"""In JUnit's names, between the node id of a drill and the name of a number."""


@dataclass(frozen=True, slots=True)
class DrillOutcome:
    """How one run of a drill ended. `scenario` is its node id as a drill, whatever control this was.

    `evidence` is relative to the rootdir. `unmissed`: a control left out a task, and it made no difference.
    """

    nodeid: str
    scenario: str
    control: str
    outcome: Outcome
    reason: str
    evidence: str | None = None
    unmissed: bool = False
    repeat: RepeatRecord | None = None
    numbers: Numbers = field(default_factory=dict)
    """What the drill measured; empty for a drill that did not begin."""

    @property
    def good(self) -> bool:
        """Whether the run, and what followed at its end, showed what they were to show."""
        return self.outcome.good and (self.repeat is None or self.repeat.outcome.good)

    @property
    def run(self) -> Run:
        """The run, in the form for a proof."""
        return Run(self.scenario, self.control, self.outcome, self.reason, self.evidence, self.unmissed)

    def parts(self) -> tuple[DrillOutcome, ...]:
        """The run, and the control that was its end as a run of its own."""
        if self.repeat is None:
            return (self,)
        ids = f"{self.scenario.removesuffix(']')}-" if self.scenario.endswith("]") else f"{self.scenario}["
        own = replace(
            self,
            nodeid=f"{ids}{REPEATED}]",
            control=str(REPEATED),
            outcome=self.repeat.outcome,
            reason=self.repeat.reason,
            unmissed=False,
            numbers={},
        )
        return self, own

    def as_json(self) -> dict[str, Any]:
        """Texts only, because xdist takes nothing else. Without the node id, which every report has."""
        return {
            "scenario": self.scenario,
            "control": self.control,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "evidence": self.evidence,
            "unmissed": self.unmissed,
            "repeat": self.repeat and {"outcome": self.repeat.outcome.value, "reason": self.repeat.reason},
            "numbers": dict(self.numbers),
        }

    @classmethod
    def from_json(cls, nodeid: str, told: Mapping[str, Any]) -> DrillOutcome:
        """What `as_json` gave."""
        said = told["repeat"]
        repeat = said and RepeatRecord(Outcome(said["outcome"]), said["reason"])
        return cls(nodeid=nodeid, **{**told, "outcome": Outcome(told["outcome"]), "repeat": repeat})


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says about its drill: whether it had begun, its outcome so far, and how it ended if it has ended.

    It is no part of `user_properties`: pytest writes those into each JUnit test case, and JUnit's schema forbids that.
    """

    begun: bool = False
    standing: Outcome | None = None
    ended: DrillOutcome | None = None

    def put_on(self, report: pytest.TestReport) -> None:
        """Put it on the report, so that xdist's controller gets it, too."""
        vars(report)["drill"] = {
            "begun": self.begun,
            "standing": self.standing and self.standing.value,
            "ended": self.ended and self.ended.as_json(),
        }

    @classmethod
    def on(cls, report: pytest.TestReport) -> Told | None:
        """What the report says about its drill; None when it has none."""
        told: Mapping[str, Any] | None = getattr(report, "drill", None)
        if told is None:
            return None
        return cls(
            told["begun"],
            told["standing"] and Outcome(told["standing"]),
            told["ended"] and DrillOutcome.from_json(report.nodeid, told["ended"]),
        )


begun_key = pytest.StashKey[bool]()
"""Set on the item once its drill exists."""
outcome_key = pytest.StashKey[DrillOutcome]()
"""Set on the item once its drill has an outcome."""
ended_key = pytest.StashKey[list[DrillOutcome]]()
"""Set on the session's configuration: each drill that ended, and each control."""


def told(item: pytest.Item, standing: Outcome | None = None) -> Told:
    """What a report now says about the item's drill."""
    return Told(item.stash.get(begun_key, False), standing, item.stash.get(outcome_key, None))


def conclude(
    item: ScenarioItem,
    outcome: Outcome,
    reason: str,
    evidence: Path | None,
    repeat: RepeatRecord | None = None,
    *,
    unmissed: bool = False,
    record: Record | None = None,
) -> None:
    """Tell reports, JUnit and the exit status how the drill ended. An earlier outcome stays."""
    if outcome_key in item.stash:
        return
    ended = DrillOutcome(
        nodeid=item.nodeid,
        scenario=item.drill_nodeid,
        control=str(item.scenario.control) if item.scenario.control is not None else "",
        outcome=outcome,
        reason=said(item.config, reason),
        evidence=os.path.relpath(evidence, item.config.rootpath) if evidence is not None else None,
        unmissed=unmissed,
        repeat=_shown(item.config, repeat),
        numbers=numbers_of(record) if record is not None else {},
    )
    item.stash[outcome_key] = ended
    keep(item.config, ended)


def said(config: pytest.Config, text: str) -> str:
    """A text for JUnit, proofs, tables and summaries: without secrets, paths of this machine and characters that a
    terminal would obey.
    """
    session = config.stash.get(session_key, None)
    return printable(without_machine(text if session is None else session.redactor.text(text), config.rootpath))


def _shown(config: pytest.Config, repeat: RepeatRecord | None) -> RepeatRecord | None:
    return None if repeat is None else replace(repeat, reason=said(config, repeat.reason))


def conclude_anew(item: ScenarioItem, outcome: Outcome, reason: str, repeat: RepeatRecord | None) -> None:
    """A late finding speaks against a drill that had ended well."""
    before = item.stash[outcome_key]
    shown = _shown(item.config, repeat) or before.repeat
    ended = replace(before, outcome=outcome, reason=said(item.config, reason), unmissed=False, repeat=shown)
    item.stash[outcome_key] = ended
    keep(item.config, ended)


def keep(config: pytest.Config, ended: DrillOutcome) -> None:
    """Keep each part once in the session's list, and where JUnit has a place for it: in a property of the suite."""
    for part in ended.parts():
        _keep_one(config, part)


def _keep_one(config: pytest.Config, ended: DrillOutcome) -> None:
    known = config.stash[ended_key]
    if any((each.nodeid, each.outcome) == (ended.nodeid, ended.outcome) for each in known):
        return
    # nobody may read that a drill passed that ended otherwise
    outdated = [each for each in known if each.nodeid == ended.nodeid and each.outcome.good]
    known[:] = [each for each in known if each not in outdated]
    known.append(ended)
    junit = config.stash.get(xml_key, None)
    if junit is not None:
        gone = {name for each in outdated for name, _ in junit_properties(each)}
        junit.global_properties[:] = [each for each in junit.global_properties if each[0] not in gone]
        for name, value in junit_properties(ended):
            junit.add_global_property(name, value)


def junit_properties(ended: DrillOutcome) -> Iterator[tuple[str, str]]:
    """The outcome under the node id, and each number under the node id and its name.

    A number that was not measured has none.
    """
    where = f" ({ended.evidence})" if ended.evidence else ""
    yield ended.nodeid, f"{ended.outcome}: {ended.reason}{where}"
    for name, value in {"outcome": ended.outcome.value, **ended.numbers}.items():
        if value is not None:
            yield f"{ended.nodeid}{OF_A_DRILL}{name}", str(value).lower() if isinstance(value, bool) else str(value)


def runs_of(config: pytest.Config) -> list[Run]:
    """How the drills of this session and their controls have ended so far."""
    return [each.run for each in config.stash[ended_key]]


def rows_of(config: pytest.Config, runs: Sequence[Run]) -> list[dict[str, object]]:
    """The runs as JSON, each with its evidence folder."""
    return [asdict(run) | {"folder": str(config.rootpath / run.evidence) if run.evidence else None} for run in runs]


def keep_proofs(config: pytest.Config, runs: Sequence[Run]) -> None:
    """One folder for each runbook that was to be proven, whatever the result.

    A drill whose proof cannot be sealed has proven nothing.
    """
    for proof in proofs(runs):
        if not proof.whole:
            continue
        evidence = [config.rootpath / run.evidence for run in proof.runs if run.evidence]
        problem = _not_kept(drill_session(config), proof, evidence)
        if problem is not None:
            against = f"the proof is not sealed: {said(config, problem)}"
            drills = [each for each in config.stash[ended_key] if each.scenario == proof.scenario and not each.control]
            for each in drills:
                keep(config, replace(each, outcome=Outcome.INVALID, reason=against, unmissed=False, repeat=None))


def _not_kept(session: DrillSession, proof: Proof, evidence: Sequence[Path]) -> str | None:
    """Keep a proof, sealed in the ledger of its drills' environment, or nothing of it; then returns why."""
    folder = None
    try:
        folder = write_proof(session.evidence_root, proof, session.redactor, session.root)
        names = [read_document(each / "content" / "drill.json")["environment"]["name"] for each in evidence[:1]]
        # if no run has begun, none has left a record
        session.sealer.seal_proof(folder, *(names or [session.inventory.environment.name]))
    except DrillbookError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return str(error)
    return None
