"""`drillbook prove`: a drill, its controls, and on request its recovery without each of its tasks.

The rule: pytest does the work, so that a proof runs as its drill does; here it is only called again for the tasks,
which nobody knows before the drill has run. A signal stops it, and nobody returns before the system is put back.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from drillbook.commands.children import Children, StoppedError
from drillbook.errors import DrillbookError
from drillbook.evidence.reader import read_record
from drillbook.model.proof import tasks_of
from drillbook.model.verdict import Outcome, worst

_SAID = {
    True: "\nstopping: the drill puts its system back\n",
    False: "\nbeing stopped already: the system is put back, which takes up to a minute\n",
}


def prove(arguments: Sequence[str], *, ablate: bool) -> int:
    """Run pytest with `--prove`; `arguments` are its own. Gives the exit status. Raises DrillbookError."""
    children = Children()
    with (
        tempfile.TemporaryDirectory(prefix="drillbook-prove-") as folder,
        children.stopping_on_signals(_SAID),
        ThreadPoolExecutor(1) as aside,  # the main thread is for the signals
    ):
        statuses = aside.submit(_statuses, children, arguments, Path(folder) / "runs.json", ablate=ablate).result()
    return worst_status(statuses)


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
                command = [*pytest, *controls, f"--scenario={scenario}", *arguments]
                statuses.append(children.run(command, None, {}))
    except StoppedError:
        statuses.append(Outcome.ABORTED.exit_status)
    return statuses


def _recoveries(told: Path) -> list[tuple[str, list[str]]]:
    """The scenarios whose drill passed, with the tasks of their recoveries."""
    try:
        runs: list[dict[str, Any]] = json.loads(told.read_text(encoding="utf-8"))
    except OSError as error:
        raise DrillbookError("no drill was run: there is no recovery whose tasks could be left out") from error
    passed = [run for run in runs if not run["control"] and run["outcome"] == Outcome.PASSED]
    return [(run["scenario"], tasks_of(read_record(Path(run["folder"])))) for run in passed]


def worst_status(statuses: Sequence[int]) -> int:
    """The status that names several sessions."""
    by_status = {outcome.exit_status: outcome for outcome in Outcome}
    # what is no outcome's status (a usage error of pytest, nothing collected) comes before all others
    strange = [status for status in statuses if status not in by_status]
    return strange[0] if strange else worst([by_status[status] for status in statuses]).exit_status
