"""Is a runbook proven? Only when its drill passed and every control held. A pure function of how the runs ended.

The rule: a control that did not run, or that showed nothing, proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drillbook.model.control import STANDARD, ControlKind
from drillbook.model.record import Purpose, Record
from drillbook.model.verdict import Outcome

SCHEMA = "drillbook/proof/1"


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of a scenario ended. `control` is empty for the drill itself; `evidence` is its folder.

    `unmissed`: the control left out a task of the recovery, and every criterion still held.
    """

    scenario: str
    control: str
    outcome: Outcome
    reason: str
    evidence: str | None = None
    unmissed: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """The runs of one scenario (by its node id), and whether they prove it."""

    scenario: str
    runs: tuple[Run, ...]

    @property
    def whole(self) -> bool:
        """Whether the drill itself is among the runs. Without it the runs say nothing about the runbook."""
        return any(not run.control for run in self.runs)

    @property
    def against(self) -> str | None:
        """Why the runbook is not proven; None when it is."""
        if not self.whole:
            return "the drill itself was not run"
        for run in self.runs:
            if not run.control and run.outcome is not Outcome.PASSED:
                return f"the drill ended {run.outcome}: {run.reason}"
        for kind in STANDARD:
            of_kind = [run for run in self.runs if run.control == kind.value]
            if not of_kind:
                return f"{kind}: this control was not run"
            for run in of_kind:  # a second one that held takes nothing back
                if run.outcome is not Outcome.HELD:
                    return f"{kind}: {run.outcome}: {run.reason}"
        return None

    @property
    def proven(self) -> bool:
        """Whether the drill passed and every control held."""
        return self.against is None

    def as_json(self) -> Mapping[str, Any]:
        """The proof in the form of proof.json."""
        return {
            "schema": SCHEMA,
            "scenario": self.scenario,
            "proven": self.proven,
            "against": self.against,
            "runs": [
                {
                    "control": run.control or None,
                    "outcome": run.outcome.value,
                    "reason": run.reason,
                    "evidence": run.evidence,
                }
                for run in self.runs
            ],
        }


def proof_of(document: Mapping[str, Any]) -> Proof:
    """The proof in an object of proof.json. Raises ValueError with a sentence when it is not as `as_json` makes it."""
    known = {"schema", "scenario", "proven", "against", "runs"}
    if set(document) != known:
        named = ", ".join(sorted(known ^ set(document)))
        raise ValueError(f"it has not the fields of a proof: {named} is missing or not known"[:300])
    scenario, rows, against = document["scenario"], document["runs"], document["against"]
    if not isinstance(scenario, str) or not isinstance(rows, list):
        raise ValueError("scenario is no text, or runs is no list")
    if document["proven"] is not (against is None) or not isinstance(against, str | None):
        raise ValueError("it contradicts itself: proven and against do not say the same")
    return Proof(scenario, tuple(_run_of(row, scenario) for row in rows))


def _run_of(row: object, scenario: str) -> Run:
    match row:
        case {
            "control": str() | None as control,
            "outcome": str() as outcome,
            "reason": str() as reason,
            "evidence": str() | None as evidence,
        }:
            return Run(scenario, control or "", Outcome(outcome), reason, evidence)
    raise ValueError("a run has not a control, an outcome, a reason and an evidence")


def proofs(runs: Iterable[Run]) -> list[Proof]:
    """One proof for each scenario that had a control run, in the order of the runs."""
    by_scenario: dict[str, list[Run]] = {}
    for run in runs:
        by_scenario.setdefault(run.scenario, []).append(run)
    return [Proof(scenario, tuple(of)) for scenario, of in by_scenario.items() if any(run.control for run in of)]


_NOT_A_TASK = (
    "include_tasks",
    "import_tasks",
    "include_role",
    "import_role",
    "meta",
    "setup",
    "gather_facts",
    "validate_argument_spec",
)


def tasks_of(record: Record) -> list[str]:
    """The tasks that the recovery of a drill ran, each as FILE:LINE and once, in their order.

    It leaves out what Ansible adds by itself, and tasks that only include others: the included tasks stand for them.
    """
    found: dict[str, None] = {}
    for play in record.plays:
        if play.purpose is not Purpose.RECOVERY:
            continue
        for task in play.tasks:
            ran = task["status"] in {"ok", "changed"} and task["path"]
            if ran and task["action"].rpartition(".")[2] not in _NOT_A_TASK:
                found[task["path"]] = None
    return list(found)


def unmissed(runs: Sequence[Run]) -> list[str]:
    """The tasks (FILE:LINE) that a control left out while every criterion still held."""
    prefix = f"{ControlKind.WITHOUT_TASK}:"
    return [run.control.removeprefix(prefix) for run in runs if run.unmissed]
