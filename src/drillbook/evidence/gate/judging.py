"""Which scenarios are proven as they are in the working tree. A pure function of proofs, digests and the clock.

The rule: a proof makes a scenario fresh if its files are those that are here, if it is young enough, and if no later
run of the same files speaks against it. A change of Drillbook itself asks for one drill of each family, not for all.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from drillbook.evidence.gate.kept import KeptProof
from drillbook.model.record import ArtefactKind, ArtefactRecord, EngineRecord
from drillbook.model.tags import tag_values

DAY_S = 86400.0
_AHEAD = timedelta(minutes=5)
"""How far another machine's clock may be ahead of ours."""


class State(StrEnum):
    """How a scenario stands."""

    FRESH = "fresh"
    NEVER = "never proven"
    FAILED = "failed"
    """Its last run with the current files speaks against it."""
    CHANGED = "changed"
    OLD = "old"
    ENGINE = "engine"
    """It is fresh except for Drillbook itself, and must be drilled for its family."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario to be proven; `text_sha256` is the digest of what its feature says about it."""

    nodeid: str
    feature: str
    line: int
    name: str
    tags: tuple[str, ...]
    text_sha256: str
    kept_as: str | None = None
    """The node id that its proofs have, where a secret in its title was replaced there; people see this one."""

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that its tags `@row:` name."""
        return tag_values(self.tags, "row")

    @property
    def families(self) -> frozenset[str]:
        """The letters of its rows (R of `@row:R1`); without a row, its feature."""
        letters = frozenset(row.rstrip("0123456789") or row for row in self.rows)
        return letters or frozenset({self.feature})

    @property
    def command(self) -> str:
        """What makes the gate pass for it."""
        # pytest knows it by no title in which something was replaced
        return f"drillbook drills {shlex.quote(self.nodeid if self.kept_as is None else self.feature)}"

    def shown(self, proofs: Iterable[KeptProof]) -> Asked:
        """As people may see it: under the title of its proofs."""
        named = next((each for each in proofs if each.scenario != self.nodeid), None)
        return self if named is None else replace(self, name=named.name, kept_as=named.scenario)


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs from the one of the proof."""

    kind: ArtefactKind
    path: str
    sentence: str


class Tree(Protocol):
    """The working tree."""

    def of(self, path: str) -> str | None:
        """The digest of a file; None when it is missing."""

    def of_clause(self, path: str, anchor: str) -> str | None:
        """The digest of a runbook's clause; None when it is missing."""

    def is_ignored(self, path: str) -> bool:
        """Whether git ignores the file: then another checkout need not have it."""

    def added(self, proof: KeptProof) -> Iterable[tuple[ArtefactKind, str]]:
        """Files that the proof does not know, but that would take part now, as others of their folder did."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one scenario stands, and why: `proof` is the one that decides; None when there is none."""

    asked: Asked
    state: State
    sentences: tuple[str, ...]
    proof: KeptProof | None = None
    changes: tuple[Change, ...] = ()

    @property
    def fresh(self) -> bool:
        """Whether nothing needs to be done."""
        return self.state is State.FRESH


def judge(
    asked: Sequence[Asked],
    proofs: Mapping[str, Sequence[KeptProof]],
    tree: Tree,
    engine: EngineRecord,
    *,
    now: datetime,
    max_age_s: float,
) -> list[Standing]:
    """How each scenario stands. `proofs` holds the known proofs of each by its node id, in any order."""
    found = [_standing(each, proofs.get(each.nodeid, ()), tree, now, max_age_s) for each in asked]
    return _with_engine(found, proofs, tree, engine)


def _standing(asked: Asked, proofs: Sequence[KeptProof], tree: Tree, now: datetime, max_age_s: float) -> Standing:
    newest = sorted(proofs, key=lambda each: each.moment, reverse=True)
    telling = [each for each in newest if each.proven or each.speaks_against]
    same = next((each for each in telling if not changes(asked, each, tree)), None)
    if same is not None and not same.proven:
        sentence = f"Its run at {same.proven_at} had exactly these files, and was not proven: {same.against}."
        return Standing(asked, State.FAILED, (sentence,), same)
    if same is not None:
        return _of_age(asked, same, now, max_age_s)
    proven = next((each for each in telling if each.proven), None)
    if proven is None:
        last = f" Its last run, at {newest[0].proven_at}: {newest[0].against}." if newest else ""
        return Standing(asked, State.NEVER, (f"It was never proven.{last}",), next(iter(newest), None))
    found = changes(asked, proven, tree)
    return Standing(asked, State.CHANGED, tuple(each.sentence for each in found), proven, found)


def _of_age(asked: Asked, proof: KeptProof, now: datetime, max_age_s: float) -> Standing:
    age = now - proof.moment
    if age < -_AHEAD:
        sentence = f"Its proof has the time {proof.proven_at}, which is in the future: a clock is wrong."
        return Standing(asked, State.OLD, (sentence,), proof)
    if age.total_seconds() > max_age_s:
        days, most = age.total_seconds() / DAY_S, max_age_s / DAY_S
        sentence = f"Its proof is {days:.1f} days old ({proof.proven_at}), and the limit is {most:g} days."
        return Standing(asked, State.OLD, (sentence,), proof)
    return Standing(asked, State.FRESH, (), proof)


# ---- what has changed ---------------------------------------------------------------------------------------------

_NAMES = {
    ArtefactKind.STEPS: "step module",
    ArtefactKind.PLAYBOOK: "playbook",
    ArtefactKind.ROLE: "role's file",
    ArtefactKind.MODULE: "module",
    ArtefactKind.MODULE_UTIL: "module's helper",
    ArtefactKind.TEMPLATE: "template",
    ArtefactKind.INVENTORY: "inventory's file",
    ArtefactKind.RUNBOOK: "runbook",
    ArtefactKind.FEATURE: "feature",
}


def changes(asked: Asked, proof: KeptProof, tree: Tree) -> tuple[Change, ...]:
    """The files of the working tree that differ from those of this proof, each once, sorted."""
    if not proof.artefacts:
        sentence = f"Its proof of {proof.proven_at} does not say with which files it was made."
        return (Change(ArtefactKind.FEATURE, asked.feature, sentence),)
    by_clause = {each.path for each in proof.artefacts if each.clause is not None}
    found = [
        change
        for each in proof.artefacts
        if (each.clause is not None or each.path not in by_clause)
        and (change := _change(asked, each, tree)) is not None
    ]
    for kind, path in tree.added(proof):
        sentence = f"The {_NAMES[kind]} {path} is new, and has not been drilled."
        found.append(Change(kind, path, sentence))
    return tuple(dict.fromkeys(sorted(found, key=lambda each: (each.path, each.sentence))))


def _change(asked: Asked, artefact: ArtefactRecord, tree: Tree) -> Change | None:
    kind, path, clause = artefact.kind, artefact.path, artefact.clause
    what = f"{_NAMES[kind]} {path}"
    if kind is ArtefactKind.FEATURE and artefact.clause_sha256 is not None:
        now, then = asked.text_sha256, artefact.clause_sha256
        what = f"scenario '{asked.name}' of {path}"
    elif artefact.clause_sha256 is not None and clause is not None:
        now, then = tree.of_clause(path, clause) or "", artefact.clause_sha256
        what = f"clause {path}#{clause}"
    else:
        now, then = tree.of(path) or "", artefact.sha256
    if now == then:
        return None
    if not now and tree.is_ignored(path):
        return None
    if not now:
        return Change(kind, path, f"The {what} is not there any more, and was when this was proven.")
    return Change(kind, path, f"The {what} has not been drilled since it changed.")


# ---- one drill of each family -------------------------------------------------------------------------------------


def _with_engine(
    found: list[Standing], proofs: Mapping[str, Sequence[KeptProof]], tree: Tree, engine: EngineRecord
) -> list[Standing]:
    """Make one scenario stale in each family that no proof of this Drillbook covers.

    A family with a scenario that is already stale needs no other.
    """

    def by_this_engine(each: Standing) -> bool:
        of = proofs.get(each.asked.nodeid, ())
        return any(proof.proven and proof.engine == engine and not changes(each.asked, proof, tree) for proof in of)

    fresh = [each for each in found if each.fresh]
    covered = [each.asked for each in found if not each.fresh or by_this_engine(each)]
    chosen = {each.nodeid for each in one_of_each_family([each.asked for each in fresh], covered, ages_of(fresh))}
    sentence = f"No drill of its family has been proven since Drillbook itself changed (now {engine.version})."
    return [
        replace(each, state=State.ENGINE, sentences=(sentence,)) if each.asked.nodeid in chosen else each
        for each in found
    ]


def ages_of(found: Iterable[Standing]) -> Mapping[str, str]:
    """When each scenario was proven, by its node id."""
    return {each.asked.nodeid: each.proof.proven_at for each in found if each.proof is not None}


def one_of_each_family(
    members: Sequence[Asked], covered: Iterable[Asked] = (), proven_at: Mapping[str, str] | None = None
) -> list[Asked]:
    """One scenario of each family outside `covered`: the one with the oldest proof.

    Small families come first, because one of their scenarios may also belong to a large one.
    """
    ages = proven_at or {}
    done = {family for each in covered for family in each.families}
    by_family: dict[str, list[Asked]] = {}
    for each in members:
        for family in each.families:
            by_family.setdefault(family, []).append(each)
    chosen: list[Asked] = []
    for family in sorted(by_family, key=lambda name: (len(by_family[name]), name)):
        if family not in done:
            one = min(by_family[family], key=lambda each: (ages.get(each.nodeid, ""), each.nodeid))
            chosen.append(one)
            done |= one.families
    return chosen
