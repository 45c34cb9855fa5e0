"""The contents of a folder of evidence: one entry for each drill, control, proof and table, the newest first.

The rule: an entry says what its JSON says, and reads no more of it than a list needs. An unreadable folder is an entry,
too: damaged evidence never looks like missing evidence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from drillbook.evidence.files import name_parts
from drillbook.evidence.reader import RecordError, read_document
from drillbook.evidence.render.drill_table import SCHEMA as TABLE_SCHEMA
from drillbook.evidence.sealing.statements import NOT_PROVEN, PROVEN
from drillbook.model.proof import SCHEMA as PROOF_SCHEMA
from drillbook.model.tags import tag_values
from drillbook.model.verdict import Outcome


class Kind(StrEnum):
    """What a folder is evidence of."""

    DRILL = "drill"
    CONTROL = "control"
    PROOF = "proof"
    TABLE = "drills"
    """The table of a `drillbook drills`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder of evidence. `id` is the run's, or as much of it as the folder's name has."""

    folder: Path
    id: str
    started_at: str
    kind: Kind | None = None
    """None for an unreadable folder."""
    title: str = ""
    outcome: str | None = None
    """The outcome of a drill or a control; PROVEN or NOT_PROVEN for a proof and a table; None without a verdict."""
    reason: str | None = None
    feature: str = ""
    scenario: str = ""
    environment: str = ""
    environment_kind: str = ""
    control: str | None = None
    tags: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    recover_s: float | None = None
    problem: str | None = None
    """Why it cannot be read."""

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows of its scenario in the table of scenarios, as the tags `@row:` name them."""
        return tag_values(self.tags, "row")


def folders(root: Path) -> list[Path]:
    """The folders of evidence in `root`, the newest first by their names."""
    try:
        return sorted((each for each in root.iterdir() if name_parts(each.name)), reverse=True)
    except OSError:
        return []


def entries(root: Path) -> Iterator[Entry]:
    """The entries of `root`, the newest first; each is read when the caller asks for it."""
    return map(read_entry, folders(root))


def read_entry(folder: Path) -> Entry:
    """The entry of a folder; with `problem` if the folder cannot be read."""
    content = folder / "content"
    unread = _unread(folder)
    read = next((_READERS[name] for name in _READERS if (content / name).exists()), None)
    if read is None:
        return _damaged(unread, "holds no record (content/drill.json, proof.json or drills.json)")
    try:
        return read(unread, content)
    except RecordError as error:
        return _damaged(unread, error.why)
    except OSError as error:
        return _damaged(unread, f"cannot be read ({error.strerror})")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return _damaged(unread, f"was damaged after it was written ({type(error).__name__}: {error})")


def is_listed(name: str) -> bool:
    """Whether a list or a summary reads this file, named from the folder that holds evidence."""
    return name.endswith((*(f"/content/{each}" for each in _READERS), "/content/drills.md"))


def _unread(folder: Path) -> Entry:
    """What the name of the folder says."""
    named = name_parts(folder.name)
    if named is None:
        return Entry(folder, "", "", title=folder.name)
    at, title, run = named
    return Entry(folder, run, f"{at[:4]}-{at[4:6]}-{at[6:11]}:{at[11:13]}:{at[13:]}", title=title)


def _damaged(entry: Entry, why: str) -> Entry:
    return Entry(entry.folder, entry.id, entry.started_at, title=entry.title, problem=why)


def _drill(unread: Entry, content: Path) -> Entry:
    said = read_document(content / "drill.json")
    scenario, environment = said["scenario"], said["environment"]
    control, outcome, times = (said.get(name) for name in ("control", "outcome", "times"))
    return Entry(
        unread.folder,
        str(said["run_id"]),
        str(said["started_at"]),
        Kind.DRILL if control is None else Kind.CONTROL,
        f"{said['feature']['name']}: {scenario['name']}",
        None if outcome is None else Outcome(outcome).value,
        said.get("reason"),
        said["feature"]["path"],
        scenario["name"],
        environment["name"],
        environment["kind"],
        None if control is None else control["name"],
        tuple(map(str, scenario["tags"])),
        tuple(map(str, scenario["runbooks"])),
        times["recover_s"] if times else None,
    )


def _proof(unread: Entry, content: Path) -> Entry:
    """A proof says how its runs ended; the rest comes from its drill, if that lies beside it."""
    said = _document(content / "proof.json", PROOF_SCHEMA)
    feature, _, scenario = str(said["scenario"]).rpartition("::")
    drill = next((run["evidence"] for run in said["runs"] if run["control"] is None), None)
    of = Entry(unread.folder, "", "")
    if drill is not None:
        beside = read_entry(unread.folder.parent / PurePosixPath(drill).name)
        of = beside if beside.problem is None else of
    return Entry(
        unread.folder,
        unread.id,
        unread.started_at,
        Kind.PROOF,
        of.title or scenario,
        PROVEN if said["proven"] else NOT_PROVEN,
        said["against"],
        of.feature or feature,
        of.scenario or scenario,
        of.environment,
        of.environment_kind,
        tags=of.tags,
        runbooks=of.runbooks,
        recover_s=of.recover_s,
    )


def _table(unread: Entry, content: Path) -> Entry:
    said = _document(content / "drills.json", TABLE_SCHEMA)
    rows = said["drills"]
    good = sum(row["outcome"] == Outcome.PASSED and bool(row["proven"]) for row in rows)
    return Entry(
        unread.folder,
        unread.id,
        unread.started_at,
        Kind.TABLE,
        f"{good} of {len(rows)} drills PASSED and proven",
        PROVEN if good == len(rows) else NOT_PROVEN,
        tags=tuple(f"row:{each}" for row in rows for each in row["rows"]),
    )


def _document(path: Path, schema: str) -> Mapping[str, Any]:
    said = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(said, dict) or said.get("schema") != schema:
        raise RecordError(path, f"is no {path.name} of the schema {schema}")
    return said


_READERS: Mapping[str, Callable[[Entry, Path], Entry]] = {
    "drill.json": _drill,
    "proof.json": _proof,
    "drills.json": _table,
}
