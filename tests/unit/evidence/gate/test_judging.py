"""A scenario is fresh by a proof of the files that are here, that is young, and that nothing later speaks against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drillbook.evidence.gate.judging import DAY_S, Asked, Standing, State, judge, one_of_each_family
from drillbook.evidence.gate.kept import KeptProof, KeptRun
from drillbook.model.record import ArtefactKind, ArtefactRecord, EngineRecord
from drillbook.model.verdict import Outcome

pytestmark = pytest.mark.unit

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ENGINE, OTHER_ENGINE = EngineRecord("0.1.0", "e1"), EngineRecord("0.1.0", "e2")
NODEID = "features/redis.feature::It is cut"
HELD = tuple(KeptRun(name, Outcome.HELD, "") for name in ("no-fault", "no-recovery", "recovery-twice"))
"""The controls of a proof."""
ASKED = Asked(NODEID, "features/redis.feature", 9, "It is cut", ("row:R1", "row:P4", "rto:10m"), "s1")
ARTEFACTS = (
    ArtefactRecord(ArtefactKind.FEATURE, "features/redis.feature", "f1", "It is cut", "s1"),
    ArtefactRecord(ArtefactKind.PLAYBOOK, "playbooks/recovery/x.yml", "x1"),
    ArtefactRecord(ArtefactKind.ROLE, "playbooks/roles/service/tasks/main.yml", "r1"),
    ArtefactRecord(ArtefactKind.RUNBOOK, "runbooks/redis.md", "m1"),
    ArtefactRecord(ArtefactKind.RUNBOOK, "runbooks/redis.md", "m1", "start", "c1"),
    ArtefactRecord(ArtefactKind.RUNBOOK, "runbooks/people.md", "p1"),
)


class Tree:
    """A working tree of digests."""

    def __init__(self, **changed: str | None) -> None:
        of_files = {each.path: each.sha256 for each in ARTEFACTS}
        names = {"feature": 0, "playbook": 1, "role": 2, "redis": 3, "people": 5}
        self.files: dict[str, str | None] = {**of_files}
        self.files |= {ARTEFACTS[names[name]].path: to for name, to in changed.items() if name in names}
        self.clause = changed.get("clause", "c1")
        self.ignored = ""
        self.new: list[tuple[ArtefactKind, str]] = []

    def of(self, path: str) -> str | None:
        return self.files.get(path)

    def of_clause(self, path: str, anchor: str) -> str | None:
        return self.clause if (path, anchor) == ("runbooks/redis.md", "start") else None

    def is_ignored(self, path: str) -> bool:
        return path == self.ignored

    def added(self, proof: KeptProof) -> Iterable[tuple[ArtefactKind, str]]:
        del proof
        return self.new


def proof(days: float = 1.0, outcome: Outcome = Outcome.PASSED, **more: Any) -> KeptProof:
    """One that is so many days old; of another outcome than PASSED it proves nothing."""
    proven = outcome is Outcome.PASSED
    made = KeptProof(
        scenario=NODEID,
        feature="features/redis.feature",
        name="It is cut",
        proven=proven,
        against=None if proven else f"the drill ended {outcome}: it stayed red",
        proven_at=(NOW - timedelta(days=days)).isoformat().replace("+00:00", "Z"),
        runs=(KeptRun(None, outcome, "so it was", "0123456789abcdef"), *HELD),
        engine=ENGINE,
        artefacts=ARTEFACTS,
    )
    return replace(made, **more)


def standing(*proofs: KeptProof, tree: Tree | None = None, asked: Asked = ASKED, age: float = 30) -> Standing:
    (found,) = judge([asked], {NODEID: proofs}, tree or Tree(), ENGINE, now=NOW, max_age_s=age * DAY_S)
    return found


def test_a_scenario_is_fresh_by_a_proof_of_what_is_here() -> None:
    found = standing(proof())
    assert (found.state, found.sentences, found.proof) == (State.FRESH, (), proof())


def test_what_was_never_proven_is_not_fresh() -> None:
    assert standing().state is State.NEVER
    assert standing().sentences == ("It was never proven.",)
    alone = proof(proven=False, against="its controls were not run")
    assert standing(alone).state is State.NEVER
    assert standing(alone).sentences[0].endswith("its controls were not run.")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"playbook": "x2"}, "The playbook playbooks/recovery/x.yml has not been drilled since it changed."),
        (
            {"role": "r2"},
            "The role's file playbooks/roles/service/tasks/main.yml has not been drilled since it changed.",
        ),
        ({"clause": "c2"}, "The clause runbooks/redis.md#start has not been drilled since it changed."),
        ({"people": "p2"}, "The runbook runbooks/people.md has not been drilled since it changed."),
        (
            {"playbook": None},
            "The playbook playbooks/recovery/x.yml is not there any more, and was when this was proven.",
        ),
        ({"clause": None}, "The clause runbooks/redis.md#start is not there any more, and was when this was proven."),
    ],
)
def test_a_change_is_told_by_its_file(changed: dict[str, str | None], sentence: str) -> None:
    found = standing(proof(), tree=Tree(**changed))
    assert (found.state, found.sentences) == (State.CHANGED, (sentence,))


def test_a_change_elsewhere_in_the_runbook_or_the_feature_is_none_of_this_scenario() -> None:
    assert standing(proof(), tree=Tree(redis="m2", feature="f2")).fresh


def test_a_change_of_the_scenario_itself_is_told() -> None:
    found = standing(proof(), asked=replace(ASKED, text_sha256="s2"))
    assert found.sentences == (
        "The scenario 'It is cut' of features/redis.feature has not been drilled since it changed.",
    )


def test_a_new_file_of_a_role_has_not_been_drilled() -> None:
    tree = Tree()
    tree.new.append((ArtefactKind.ROLE, "playbooks/roles/service/tasks/new.yml"))
    found = standing(proof(), tree=tree)
    assert found.sentences == (
        "The role's file playbooks/roles/service/tasks/new.yml is new, and has not been drilled.",
    )


def test_a_file_that_git_leaves_alone_is_not_missed_in_another_checkout() -> None:
    tree = Tree(playbook=None)
    assert not standing(proof(), tree=tree).fresh
    tree.ignored = "playbooks/recovery/x.yml"
    assert standing(proof(), tree=tree).fresh
    tree = Tree(playbook="x2")
    tree.ignored = "playbooks/recovery/x.yml"
    assert not standing(proof(), tree=tree).fresh, "it is here, and is another one"


def test_a_proof_that_names_no_files_proves_nothing_of_these() -> None:
    assert standing(proof(artefacts=())).state is State.CHANGED


def test_an_old_proof_is_too_old_and_one_of_the_future_is_none() -> None:
    assert standing(proof(29.9)).fresh
    found = standing(proof(31))
    assert found.state is State.OLD
    assert found.sentences[0].startswith("Its proof is 31.0 days old (2026-10-31T00:00:00Z), and the limit is 30 days")
    assert standing(proof(31), age=60).fresh
    assert standing(proof(-1 / 24 / 60)).fresh
    assert standing(proof(-1)).state is State.OLD


def test_a_younger_proof_of_the_same_files_counts_and_one_of_others_does_not() -> None:
    others = (*ARTEFACTS[:1], replace(ARTEFACTS[1], sha256="x0"), *ARTEFACTS[2:])
    assert standing(proof(31), proof(2), proof(3)).fresh
    assert standing(proof(3), proof(2, artefacts=others)).fresh, "the change was taken back"
    assert standing(proof(2, artefacts=others)).state is State.CHANGED


def test_what_failed_later_with_the_same_files_speaks_against_it() -> None:
    found = standing(proof(2), proof(1, Outcome.NOT_RECOVERED))
    assert found.state is State.FAILED
    assert "was not proven: the drill ended NOT_RECOVERED: it stayed red." in found.sentences[0]
    assert standing(proof(1), proof(2, Outcome.NOT_RECOVERED)).fresh


def test_what_was_stopped_or_failed_with_other_files_does_not() -> None:
    others = (*ARTEFACTS[:1], replace(ARTEFACTS[1], sha256="x2"), *ARTEFACTS[2:])
    assert standing(proof(2), proof(1, Outcome.ABORTED)).fresh
    assert standing(proof(2), proof(1, Outcome.NOT_RECOVERED, artefacts=others)).fresh


# ---- families -----------------------------------------------------------------------------------------------------


def asked(name: str, *rows: str) -> Asked:
    return Asked(f"f::{name}", "f", 1, name, tuple(f"row:{each}" for each in rows), "s1")


def test_a_family_is_the_letter_of_a_row_or_the_feature() -> None:
    assert ASKED.families == {"R", "P"}
    assert asked("a").families == {"f"}
    assert asked("a", "PX12").families == {"PX"}


def test_one_of_each_family_is_the_one_that_was_proven_longest_ago() -> None:
    members = [asked("a", "R1"), asked("b", "R2"), asked("c", "Q1"), asked("d", "Q2", "P4"), asked("e")]
    ages = {
        "f::a": "2026-01-02",
        "f::b": "2026-01-01",
        "f::c": "2026-01-01",
        "f::d": "2026-01-03",
        "f::e": "2026-01-01",
    }
    assert [each.name for each in one_of_each_family(members, (), ages)] == ["d", "e", "b"]
    assert [each.name for each in one_of_each_family(members, [asked("z", "R9", "P1")], ages)] == ["e", "c"]
    assert one_of_each_family([]) == []


def test_another_drillbook_makes_one_of_each_family_stale_and_no_more() -> None:
    members = [asked("a", "R1"), asked("b", "R2"), asked("c", "Q1"), asked("d", "Q2")]
    files = (replace(ARTEFACTS[1], path="playbooks/recovery/x.yml"),)

    def states(**engines: EngineRecord | None) -> dict[str, State]:
        proofs = {
            each.nodeid: [proof(scenario=each.nodeid, engine=engines[each.name], artefacts=files)] for each in members
        }
        found = judge(members, proofs, Tree(), ENGINE, now=NOW, max_age_s=30 * DAY_S)
        return {each.asked.name: each.state for each in found if not each.fresh}

    assert states(a=ENGINE, b=ENGINE, c=ENGINE, d=ENGINE) == {}
    assert states(a=OTHER_ENGINE, b=ENGINE, c=ENGINE, d=OTHER_ENGINE) == {}
    assert states(a=OTHER_ENGINE, b=OTHER_ENGINE, c=None, d=ENGINE) == {"a": State.ENGINE}
    assert states(a=OTHER_ENGINE, b=OTHER_ENGINE, c=OTHER_ENGINE, d=None) == {"a": State.ENGINE, "c": State.ENGINE}


def test_what_is_stale_anyway_stands_for_its_family() -> None:
    members = [asked("a", "R1"), asked("b", "R2")]
    proofs = {"f::b": [proof(scenario="f::b", engine=OTHER_ENGINE, artefacts=ARTEFACTS[1:2])]}
    found = judge(members, proofs, Tree(), ENGINE, now=NOW, max_age_s=30 * DAY_S)
    assert [each.state for each in found] == [State.NEVER, State.FRESH]
