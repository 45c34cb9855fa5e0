"""Which scenarios the gate is asked about, and how they stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from drillbook.commands.fleet.listing import collected
from drillbook.errors import DrillbookError
from drillbook.evidence.gate.found import DEFAULT_PROOFS, Proofs, WorkingTree
from drillbook.evidence.gate.judging import Asked, Standing, ages_of, judge, one_of_each_family
from drillbook.evidence.gate.verified import Signatures
from drillbook.evidence.provenance import engine
from drillbook.evidence.store.reach import readable
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.trust import Trust, TrustError, read_trust
from drillbook.model.times.clock import wall_now
from drillbook.model.times.durations import parse_duration
from drillbook.pytest_plugin.options import read_ini


@dataclass(frozen=True, slots=True)
class Question:
    """The options of the gate."""

    max_age: str
    features: Sequence[str] = ()
    options: Sequence[str] = ()
    """pytest's."""
    require: Sequence[str] = ()
    """Tags: only scenarios that have one of them."""
    environment: str | None = None
    evidence: str | None = None
    """A folder, or the URL of a store; None: the ini's place."""
    proofs: Path | None = None
    trust: Path | None = None
    """The keys that must have signed a kept proof; None: no signature is needed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How each requested scenario stands."""

    standings: tuple[Standing, ...]
    root: Path
    proofs: Proofs
    now: datetime
    max_age_s: float

    @property
    def passed(self) -> bool:
        """Whether each is proven with the files that are here."""
        return bool(self.standings) and all(each.fresh for each in self.standings)

    def stale(self, *, one_a_family: bool = False) -> list[str]:
        """The node ids of what the gate refuses, with one drill for each family that has none among them."""
        refused = [each.asked for each in self.standings if not each.fresh]
        fresh = [each for each in self.standings if each.fresh]
        more = one_of_each_family([each.asked for each in fresh], refused, ages_of(fresh)) if one_a_family else []
        chosen = {each.nodeid for each in (*refused, *more)}
        return [each.asked.nodeid for each in self.standings if each.asked.nodeid in chosen]


def answer(question: Question, tell: Callable[[str], None]) -> Answer:
    """Collect, read and judge. Raises DrillbookError: there is nothing to judge, or an option is wrong."""
    try:
        max_age_s = parse_duration(question.max_age)
    except ValueError:
        raise DrillbookError(f"--max-age {question.max_age}: write days or hours, as 30d or 12h") from None
    root, asked = _asked(question)
    named = question.evidence
    evidence = readable(read_ini(root).place.named if named is None else named, tell, records_only=True)
    kept = question.proofs or root / DEFAULT_PROOFS
    tree, now = WorkingTree(root), wall_now()
    proofs = Proofs(evidence, kept, tree, question.environment, tell)
    if question.trust is not None:
        proofs.why_not = Signatures(kept, _trust(question.trust), Clock(now)).why_not
    known = {each.nodeid: proofs.of(each) for each in asked}
    shown = [each.shown(known[each.nodeid]) for each in asked]
    standings = judge(shown, known, tree, engine(), now=now, max_age_s=max_age_s)
    return Answer(tuple(standings), root, proofs, now, max_age_s)


def _trust(path: Path) -> Trust:
    try:
        return read_trust(path)
    except TrustError as error:
        raise DrillbookError(f"{path}: {error}") from error


def stale(
    features: Sequence[str],
    options: Sequence[str],
    tell: Callable[[str], None],
    *,
    max_age: str,
    one_a_family: bool = False,
    trust: Path | None = None,
) -> list[str]:
    """What the gate refuses of these features, for pytest to run; says when that is nothing. Raises DrillbookError."""
    found = answer(Question(max_age, features, options, trust=trust), tell)
    nodeids = found.stale(one_a_family=one_a_family)
    refused = sum(not each.fresh for each in found.standings)
    more = f", and {len(nodeids) - refused} more for their families" if one_a_family else ""
    tell(f"{refused} of {len(found.standings)} scenarios are not proven as they are here{more}")
    return [f"{found.root}/{each}" for each in nodeids]


def _asked(question: Question) -> tuple[Path, list[Asked]]:
    config, items = collected(question.features, question.options)
    by_drill = {
        item.drill_nodeid: Asked(
            item.drill_nodeid,
            item.scenario.feature_path,
            item.scenario.line,
            item.scenario.name,
            tuple(sorted(item.scenario.tags)),
            item.scenario.text_sha256,
        )
        for item in items
    }
    if not by_drill:
        raise DrillbookError("there is nothing to judge: no scenario has a fault and a recovery")
    tags = {each.removeprefix("@") for each in question.require}
    asked = [each for each in by_drill.values() if not tags or _has(each.tags, tags)]
    if not asked:
        named = " or ".join(f"@{each}" for each in sorted(tags))
        raise DrillbookError(f"there is nothing to judge: none of {len(by_drill)} scenarios is tagged {named}")
    return config.rootpath, asked


def _has(tags: Collection[str], wanted: Collection[str]) -> bool:
    """A tag with a value matches both its full text and its key alone, as `severity:P0` and `severity`."""
    return any(tag in wanted or tag.partition(":")[0] in wanted for tag in tags)
