"""Finishes the record of a drill that died: it is ABORTED, and says what was undone after it.

The rule: what the dead drill had written stays; only what it could not write any more is added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from drillbook.evidence.files import dumps, write_atomically
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.model.verdict import Outcome
from drillbook.safety.journal import EntryState
from drillbook.safety.undo import Undone


def close_dead_run(
    folder: Path,
    undone: Sequence[Undone],
    known: Mapping[str, EntryState] | None = None,
    switches: Mapping[str, str] = MappingProxyType({}),
    by: str = "a later run",
) -> str | None:
    """Close content/drill.json of a drill whose process died; `by` is who put its faults back.

    Gives the sentence of why that could not be done: the record is there and cannot be read.

    Nothing happens where there is none, or where it is closed and its faults were gone already. `known` is what
    the journal says of every entry: a fault without one was never injected, since its undo was not on disk; one that is
    closed is gone, although the drill had no time to write it down. `switches` says what became of the dead man's
    switches, by entry.
    """
    path = folder / "content" / "drill.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"the record of the drill that died cannot be read and stays as it is, without a verdict: {error}"
    problems = [one.problem for one in undone if one.problem]
    for fault in record["faults"]:
        if known is not None and fault["undo"] == "pending":
            if fault["entry"] not in known:
                fault["undo"] = "never happened"
            elif known[fault["entry"]] is EntryState.CLOSED:
                fault["undo"] = "gone"
        for one in undone:
            if one.entry.id == fault["entry"]:
                fault["undo"] = "failed" if one.problem else "gone"
                fault["undo_problem"] = one.problem
                fault["switch"] = switches.get(one.entry.id, fault.get("switch"))
    if record["outcome"] is None:
        record["outcome"] = Outcome.NOT_RESTORED if problems else Outcome.ABORTED
        record["reason"] = (
            f"a fault could not be undone: {problems[0]}"
            if problems
            else f"the drill's process died in the phase {_last_phase(record)}; " + _what_became(record, undone)
        )
        record["axes"]["restored"] = {"holds": not problems, "reasons": problems}
        record["ended_at"] = rfc3339(wall_now())
        for step in record["steps"]:
            if step["status"] == "running":
                step["status"], step["error"] = "interrupted", "the drill's process died"
    if undone:
        names = ", ".join(one.entry.fault for one in undone)
        record["notes"].append(f"{rfc3339(wall_now())}: {'tried' if problems else 'undone'} by {by}: {names}")
    write_atomically(path, dumps(record))
    from drillbook.evidence.render.html import page

    # the record is what counts; `drillbook report` writes the page again and says why not
    with suppress(Exception):
        page.report(folder)
    return None


def _what_became(record: Mapping[str, Any], undone: Sequence[Undone]) -> str:
    if undone:
        return "its faults were undone afterwards"
    gone = any(fault["undo"] == "gone" for fault in record["faults"])
    return "its faults were undone by then" if gone else "nothing was broken by then"


def _last_phase(record: dict[str, object]) -> str:
    phases = record.get("phases")
    return str(phases[-1]["phase"]) if isinstance(phases, list) and phases else "baseline"
