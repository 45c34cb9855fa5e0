"""Selects evidence by a row, a tag, an outcome, a runbook, words, or the beginning of an id.

The rule: properties may fit many folders, and the newest comes first. An id must fit one: when several begin with it,
Drillbook does not guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing.statements import NOT_PROVEN, PROVEN
from drillbook.evidence.store.catalogue import Entry, Kind, entries, folders, read_entry
from drillbook.model.verdict import Outcome

_ROW = re.compile(r"[A-Za-z]{1,3}\d{1,4}[a-z]?")
_ID = re.compile(r"[0-9a-f]{4,32}")
_IN_A_NAME = 6
"""The digits of its run's id in a folder's name."""
NO_VERDICT = "NONE"
OUTCOMES = (*(each.value for each in Outcome), PROVEN, NOT_PROVEN, NO_VERDICT)
_NAMED = 10
"""The number of folders that are named when several fit an id."""


class NothingFoundError(DrillbookError):
    """There is no such evidence."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The wanted properties of an entry. Of each kind with values, one value must fit."""

    rows: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    words: tuple[str, ...] = ()
    """Each of these words must be somewhere in it."""

    def fits(self, entry: Entry) -> bool:
        """Whether the entry fits. An unreadable entry fits if its name alone can decide."""
        if entry.problem is not None:
            return not (self.rows or self.tags or self.outcomes or self.runbooks or self.environments) and (
                not self.kinds and all(_stands_in(word, entry) for word in self.words)
            )
        rows, tags = {each.casefold() for each in entry.rows}, set(entry.tags)
        return (
            _any_of(self.rows, lambda each: each.casefold() in rows)
            and _any_of(self.tags, lambda each: each.removeprefix("@") in tags)
            and _any_of(self.outcomes, lambda each: each == (entry.outcome or NO_VERDICT))
            and _any_of(self.runbooks, lambda each: any(_is_clause(each, clause) for clause in entry.runbooks))
            and _any_of(self.environments, lambda each: each in {entry.environment, entry.environment_kind})
            and (not self.kinds or entry.kind in self.kinds)
            and all(_stands_in(word, entry) for word in self.words)
        )


def wanted(
    words: Sequence[str],
    *,
    rows: Sequence[str] = (),
    tags: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    runbooks: Sequence[str] = (),
    environments: Sequence[str] = (),
    kinds: Sequence[Kind] = (),
) -> Wanted:
    """The form of a word decides: `R1` is a row, `@severity:P0` a tag, `redis.md#failover` a runbook; all else is text.

    Raises DrillbookError for an unknown outcome.
    """
    loose: dict[str, list[str]] = {"row": [*rows], "tag": [*tags], "runbook": [*runbooks], "word": []}
    for word in words:
        loose[_look(word)].append(word)
    named = tuple(each.upper().replace("-", "_") for each in outcomes)
    for each in named:
        if each not in OUTCOMES:
            raise DrillbookError(f"--outcome {each}: there is no such outcome: write one of {', '.join(OUTCOMES)}")
    return Wanted(
        tuple(loose["row"]),
        tuple(loose["tag"]),
        named,
        tuple(loose["runbook"]),
        tuple(environments),
        tuple(kinds),
        tuple(loose["word"]),
    )


def found(root: Path, asked: Wanted) -> Iterator[Entry]:
    """The fitting entries of `root`, the newest first."""
    return filter(asked.fits, entries(root))


def the_one(root: Path, asked: Wanted, named: str | None = None) -> Entry:
    """The one with this id, folder or name, else the newest that fits; only drills, if no kind is given.

    `named` is what people call `root`. Raises NothingFoundError when there is none, DrillbookError when several fit an
    id.
    """
    if len(asked.words) == 1 and replace(asked, words=(), kinds=()) == Wanted():
        of_id = by_id(root, asked.words[0])
        if len(of_id) > 1:
            names = "".join(f"\n  {each.name}" for each in of_id[:_NAMED])
            more = f"\n  and {len(of_id) - _NAMED} more" if len(of_id) > _NAMED else ""
            raise DrillbookError(
                f"{asked.words[0]}: {len(of_id)} folders of evidence begin with it: give one more digit{names}{more}"
            )
        if of_id:
            return read_entry(of_id[0])
    of_kind = asked if asked.kinds else replace(asked, kinds=(Kind.DRILL,))
    one = next(found(root, of_kind), None)
    if one is None:
        raise NothingFoundError(nothing(root, asked, named))
    return one


def by_id(root: Path, text: str) -> list[Path]:
    """The folders whose name, or whose run's id, begins like this; an id needs four digits."""
    named = [each for each in folders(root) if re.match(r"\d{8}T", text) and each.name.startswith(text)]
    if named or not _ID.fullmatch(text):
        return named
    short = [each for each in folders(root) if each.name[-_IN_A_NAME:].startswith(text[:_IN_A_NAME])]
    if len(text) <= _IN_A_NAME:
        return short
    return [each for each in short if read_entry(each).id.startswith(text)]


def nothing(root: Path, asked: Wanted, named: str | None = None) -> str:
    """The sentence that nothing fits. It also counts the unreadable folders, one of which might have fitted."""
    every, where = list(entries(root)), named or root
    if not every:
        return f"there is no evidence in {where}: no drill has been run here, or --evidence names another folder"
    unread = sum(each.problem is not None for each in every)
    damaged = f"; {unread} of them cannot be read" if unread else ""
    shows = "'drillbook evidence list' shows all" if asked != Wanted() else "there are only controls, proofs or tables"
    return f"none of the {len(every)} folders of evidence in {where} fits what you asked for{damaged}: {shows}"


def _look(word: str) -> str:
    if word.startswith("@"):
        return "tag"
    if _ROW.fullmatch(word):
        return "row"
    return "runbook" if re.search(r"\.md(#|$)", word) else "word"


def _any_of(asked: Sequence[str], fits: Callable[[str], bool]) -> bool:
    return not asked or any(map(fits, asked))


def _is_clause(asked: str, clause: str) -> bool:
    """A document matches each of its clauses, wherever it lies."""
    document, hash_mark, anchor = asked.partition("#")
    of, _, at = clause.partition("#")
    return (of == document or of.endswith(f"/{document}")) and (not hash_mark or at == anchor)


def _stands_in(word: str, entry: Entry) -> bool:
    if _ID.fullmatch(word) and entry.id.startswith(word):
        return True
    texts = (entry.title, entry.scenario, entry.feature, entry.reason or "", entry.control or "", entry.folder.name)
    return any(word.casefold() in text.casefold() for text in texts)
