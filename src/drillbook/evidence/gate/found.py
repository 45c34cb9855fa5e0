"""The proofs in the evidence and their compact form below proofs/, and the working tree that they are compared with.

The rule: an unreadable proof is reported and proves nothing. No more is read of a scenario than decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from drillbook.errors import DrillbookError
from drillbook.evidence.artefacts import Digests, files_of_inventories, files_of_role, of_role
from drillbook.evidence.files import dumps, name_parts, short_file_part, write_atomically
from drillbook.evidence.gate.judging import Asked, changes
from drillbook.evidence.gate.kept import KeptProof, KeptProofError, attempt, file_of, from_json, kept_proof
from drillbook.evidence.gate.signed import attestation_of
from drillbook.evidence.provenance import is_ignored
from drillbook.evidence.reader import RecordError, read_document, read_record
from drillbook.evidence.redaction import MARKER_START, may_stand_for
from drillbook.evidence.store.catalogue import folders
from drillbook.model.proof import SCHEMA as PROOF_SCHEMA
from drillbook.model.proof import proof_of
from drillbook.model.record import ArtefactKind, Record

DEFAULT_PROOFS = "proofs"
MOST = 10
"""The number of a scenario's proofs, and of its drills without a proof, that are read until one decides."""
Tell = Callable[[str], None]
T = TypeVar("T")


class WorkingTree:
    """The files that lie below `root` now; each is read once."""

    def __init__(self, root: Path) -> None:
        self._root, self._digests = root.resolve(), Digests(root)
        self._below: dict[str, frozenset[str]] = {}

    def of(self, path: str) -> str | None:
        """The digest of a file; None when it is missing."""
        return self._digests.of(path)

    def of_clause(self, path: str, anchor: str) -> str | None:
        """The digest of a clause; None when it is missing."""
        return self._digests.of_clause(path, anchor)

    def is_ignored(self, path: str) -> bool:
        """Whether git ignores it."""
        return is_ignored(self._root, path)

    def added(self, proof: KeptProof) -> Iterator[tuple[ArtefactKind, str]]:
        """Files of the same roles and inventories that did not exist when the proof was made."""
        known = {each.path for each in proof.artefacts}
        for role in sorted({role for path in known if (role := of_role(path)) is not None}):
            for path in sorted(self._all(role, lambda role: files_of_role(self._root, role)) - known):
                if not self.is_ignored(path):
                    yield ArtefactKind.ROLE, path
        if any(each.kind is ArtefactKind.INVENTORY for each in proof.artefacts):
            for path in sorted(self._all(proof.inventory, self._of_inventory) - known):
                if not self.is_ignored(path):
                    yield ArtefactKind.INVENTORY, path

    def _of_inventory(self, named: str) -> set[str]:
        return files_of_inventories(self._root, [self._root / each for each in named.split(", ")])

    def _all(self, name: str, look: Callable[[str], Iterable[str]]) -> frozenset[str]:
        if name not in self._below:
            self._below[name] = frozenset(look(name))
        return self._below[name]


@dataclass
class Proofs:
    """What is known of scenarios, from the evidence at `evidence` and from the kept proofs at `kept`.

    `environment` names an environment, or a kind of it: then proofs of others do not count.
    """

    evidence: Path
    kept: Path
    tree: WorkingTree
    environment: str | None = None
    tell: Tell = lambda _sentence: None
    why_not: Callable[[Path], str | None] = lambda _path: None
    """Why no trusted key has signed a kept proof; None when one has, or nobody asks for a signature."""
    _told: set[str] = field(default_factory=set)

    def of(self, asked: Asked) -> list[KeptProof]:
        """The newest proofs of a scenario until one decides, and later drills of it without a proof.

        A title with a secret in it was kept without that: of those that it may be, the text of the scenario decides.
        """
        exact = self._of(asked)
        if exact:
            return exact
        named = (replace(asked, nodeid=each) for each in self._hidden if may_stand_for(each, asked.nodeid))
        found = [each for one in named for each in self._of(one)]
        return [each for each in found if _has_text(each, asked)] or [each for each in found if _has_text(each)]

    def _of(self, asked: Asked) -> list[KeptProof]:
        compact = self.kept_one(asked.nodeid)
        compact = compact if compact is not None and self._is_here(compact) else None
        found = [] if compact is None else [compact]
        for folder in self._proof_folders.get(asked.nodeid, ())[:MOST]:
            if compact is not None and _is_known(compact, folder):
                break
            proof = self._read(_proof, folder)
            if proof is None or not self._is_here(proof):
                continue
            found.append(proof)
            if proof.proven and not changes(asked, proof, self.tree):
                break
        asked = replace(asked, name=found[0].name) if found else asked
        found += self._drills(asked, found)
        return [each for each in found if self._is_here(each)]

    def kept_one(self, nodeid: str) -> KeptProof | None:
        """The compact proof of a scenario; None when there is no readable one."""
        path = self.kept / file_of(nodeid)
        if not path.is_file():
            return None
        proof = self._read(_compact, path)
        if proof is not None and proof.scenario != nodeid:
            self._say(f"{path}: it is the proof of {proof.scenario}")
            return None
        why_not = self.why_not(path)
        if why_not is not None:
            self._say(f"{path}: {why_not}: it proves nothing")
            return None
        return proof

    def keep(self, proof: KeptProof) -> Path | None:
        """Write a proof in its compact form; returns None when this one, or a newer one, is already there."""
        there = self.kept_one(proof.scenario)
        if there is not None and there.moment >= proof.moment:
            return None
        path = self.kept / file_of(proof.scenario)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            attestation_of(path).unlink(missing_ok=True)  # of another proof
        except OSError as error:
            raise DrillbookError(f"{path.parent}: the proof cannot be kept: {error.strerror}") from error
        write_atomically(path, dumps(proof.as_json()))
        return path

    @cached_property
    def _hidden(self) -> list[str]:
        """The node ids of what is proven under a title in which a secret was replaced."""
        marked = (path for path in self.kept.glob("**/*.json") if MARKER_START.encode() in path.read_bytes())
        kept = [self._read(_compact, path) for path in sorted(marked)]
        named = [each.scenario for each in kept if each is not None] + [*self._proof_folders]
        return [each for each in dict.fromkeys(named) if MARKER_START in each]

    # ------------------------------------------------------------------ the evidence

    @cached_property
    def _folders(self) -> list[Path]:
        """The folders of runs, the newest first."""
        return folders(self.evidence)

    @cached_property
    def _proof_folders(self) -> Mapping[str, list[Path]]:
        """The folders of proofs by their scenarios, the newest first."""
        found: dict[str, list[Path]] = {}
        for folder in self._folders:
            path = folder / "content" / "proof.json"
            if "-proof-" in folder.name and path.is_file():
                said = self._read(_document, path)
                if said is not None:
                    found.setdefault(str(said["scenario"]), []).append(folder)
        return found

    def _drills(self, asked: Asked, known: Iterable[KeptProof]) -> Iterator[KeptProof]:
        """Drills of the scenario that are later than its proofs and belong to no proof."""
        proofs = list(known)
        runs = {run.run_id for each in proofs for run in each.runs}
        since = max((_stamp(each.proven_at) for each in proofs if each.proven), default="")
        part, read = short_file_part(asked.name), 0
        for folder in self._folders:
            stamp, title, _ = name_parts(folder.name) or ("", "", "")
            if stamp <= since or read >= MOST:
                return
            if title == part:
                read += 1
                record = self._read(_drill, folder, asked)
                if record is not None and record.run_id not in runs:
                    yield attempt(asked.nodeid, record)

    def _is_here(self, proof: KeptProof) -> bool:
        return self.environment is None or self.environment in proof.environment.values()

    def _read(self, read: Callable[..., T], *what: object) -> T | None:
        try:
            return read(*what)
        except (RecordError, KeptProofError, OSError) as error:
            self._say(str(error))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self._say(f"{what[0]}: it was damaged after it was written ({type(error).__name__}: {error})")
        return None

    def _say(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self.tell(sentence)


def _document(path: Path) -> Mapping[str, Any]:
    """proof.json. Raises KeptProofError."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise KeptProofError(f"{path}: it is not JSON ({error})") from error
    if not isinstance(said, dict) or said.get("schema") != PROOF_SCHEMA or not said.get("runs"):
        raise KeptProofError(f"{path}: it is no proof of the schema {PROOF_SCHEMA}")
    try:
        made = proof_of(said)
    except ValueError as error:
        raise KeptProofError(f"{path}: {error}") from error
    if said["proven"] and not made.proven:
        raise KeptProofError(f"{path}: it says that it is proven, and its runs do not prove it: {made.against}")
    return said


def _proof(folder: Path) -> KeptProof:
    """The proof in a folder of the evidence. Raises KeptProofError, RecordError."""
    path = folder / "content" / "proof.json"
    said = _document(path)
    records: dict[str, Record | None] = {"": None}
    for run in said["runs"]:
        name = PurePosixPath(run["evidence"] or "").name
        if name not in records:
            records[name] = read_record(folder.parent / name)
    try:
        return kept_proof(said, [records[PurePosixPath(run["evidence"] or "").name] for run in said["runs"]])
    except KeptProofError as error:
        raise KeptProofError(f"{path}: {error}") from error


def _drill(folder: Path, asked: Asked) -> Record | None:
    """An ended drill of this scenario; None for any other. Raises RecordError."""
    path = folder / "content" / "drill.json"
    if not path.is_file():
        return None
    said = read_document(path)
    if said.get("control") is not None or said.get("outcome") is None:
        return None
    if (said["feature"]["path"], said["scenario"]["name"]) != (asked.feature, asked.name):
        return None
    return read_record(folder)


def _compact(path: Path) -> KeptProof:
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (KeptProofError, ValueError) as error:
        raise KeptProofError(f"{path}: {error}: it proves nothing; remove it") from error


def _has_text(proof: KeptProof, asked: Asked | None = None) -> bool:
    """Whether it knows the text of its scenario by a digest, and that is the text of this one."""
    texts = [each.clause_sha256 for each in proof.artefacts if each.kind is ArtefactKind.FEATURE]
    return any(each is not None and (asked is None or each == asked.text_sha256) for each in texts)


def _stamp(moment: str) -> str:
    """`20261122T203101Z` for `2026-11-22T20:31:01.123Z`: the form in the names of folders."""
    return re.sub(r"[-:]|\.\d+", "", moment)


def _is_known(compact: KeptProof, folder: Path) -> bool:
    """Whether the proof of a folder is the kept one, or an older one."""
    if folder.name.partition("-")[0] < _stamp(compact.proven_at):
        return True
    drill = str(_document(folder / "content" / "proof.json")["runs"][0]["evidence"] or "")
    return drill.rpartition("-")[2] == (compact.runs[0].run_id or "")[:6]
