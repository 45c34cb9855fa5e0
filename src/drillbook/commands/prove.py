"""`drillbook prove`: a drill, its controls, and on request its recovery without each of its tasks.

The rule: pytest does the work, so that a proof runs as its drill does. This module only calls it again for the tasks,
which nobody knows before the drill has run. A signal stops it, and nobody returns before the system is put back. Status
0 says that each requested scenario is proven, whatever pytest was told to leave out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from drillbook.commands.children import Children, StoppedError
from drillbook.errors import DrillbookError
from drillbook.evidence.reader import read_record
from drillbook.model.proof import Proof, Run, tasks_of
from drillbook.model.verdict import Outcome, worst
from drillbook.target.private_folders import PrivateFolder

_OF_A_RUN = ("scenario", "control", "reason")
_SAID = {
    True: "\nstopping: the drill puts its system back\n",
    False: "\nbeing stopped already: the system is put back, which takes up to a minute\n",
}


def _silently(_sentence: str) -> None:
    return None


def prove(arguments: Sequence[str], *, ablate: bool, say: Callable[[str], None] = _silently) -> int:
    """Run pytest with `--prove`; `arguments` are its own. Returns the exit status. Raises DrillbookError.

    `say` gets one sentence about why nothing, or not all, is proven.
    """
    children = Children()
    with (
        PrivateFolder("prove") as folder,
        children.stopping_on_signals(_SAID),
        ThreadPoolExecutor(1) as aside,  # the main thread is for the signals
    ):
        told = folder / "runs.json"
        statuses = aside.submit(_statuses, children, arguments, told, ablate=ablate).result()
        against = why_not_proven(_told(told))
    status = worst_status(statuses)
    if against is None or children.stopped_by is not None:
        return status
    say(against)
    return status or Outcome.INVALID.exit_status


def why_not_proven(told: Mapping[str, Any]) -> str | None:
    """Why not each requested scenario is proven, as one sentence; None when each is."""
    runs = [
        Run(**{name: row[name] for name in _OF_A_RUN} | {"outcome": Outcome(row["outcome"])}) for row in told["runs"]
    ]
    if not runs:
        return "nothing is proven: pytest has run no drill"
    asked_for = dict.fromkeys([*told["asked_for"], *(run.scenario for run in runs)])
    against = [
        f"{proof.scenario} is not proven: {proof.against}"
        for proof in (Proof(each, tuple(run for run in runs if run.scenario == each)) for each in asked_for)
        if not proof.proven
    ]
    if not against:
        return None
    return against[0] + (f" (and {len(against) - 1} more of {len(asked_for)} are not)" if len(against) > 1 else "")


def _told(path: Path) -> Mapping[str, Any]:
    """What the session with the proofs has reported; nothing, if it did not get that far."""
    try:
        told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {"asked_for": [], "runs": []}
    return told


def _statuses(children: Children, arguments: Sequence[str], told: Path, *, ablate: bool) -> list[int]:
    pytest = [sys.executable, "-m", "pytest"]
    statuses = []
    try:
        statuses.append(children.run([*pytest, "--prove", f"--runs-to={told}", *arguments], None, {}))
        if not ablate or children.stopped_by is not None:
            return statuses
        for scenario, tasks in _recoveries(told):
            controls = [f"--control=without:{task}" for task in tasks]
            if controls:
                # its summary is that of the proof
                command = [*pytest, *controls, f"--scenario={scenario}", *arguments, "--summary="]
                statuses.append(children.run(command, None, {}))
    except StoppedError:
        statuses.append(Outcome.ABORTED.exit_status)
    return statuses


def _recoveries(told: Path) -> list[tuple[str, list[str]]]:
    """The scenarios whose drill passed, with the tasks of their recoveries."""
    runs = _told(told)["runs"]
    if not runs:
        raise DrillbookError("no drill was run: there is no recovery whose tasks could be left out")
    passed = [run for run in runs if not run["control"] and run["outcome"] == Outcome.PASSED]
    return [(run["scenario"], tasks_of(read_record(Path(run["folder"])))) for run in passed]


def worst_status(statuses: Sequence[int]) -> int:
    """The status that names several sessions."""
    by_status = {outcome.exit_status: outcome for outcome in Outcome}
    # a status that is no outcome's (a usage error of pytest, nothing collected) comes before all others
    strange = [status for status in statuses if status not in by_status]
    return strange[0] if strange else worst([by_status[status] for status in statuses]).exit_status
