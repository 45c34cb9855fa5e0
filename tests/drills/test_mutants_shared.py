"""Mutants that share a session: one for each outcome, with all mutants that end so, and a twin that passes among them.

What each must show is what those with a session of their own show (test_mutants.py), read from what the session says of
its feature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from .conftest import Ran, serving
from .mutants import PASSED, REFUSED, STATUS, Mutant
from .mutants.shared import CONFTEST, SHARING, TWIN, takes_over, told
from .mutants.tables import SHARED, TABLES, name_of, parameters

pytestmark = pytest.mark.lab

Session = Callable[[str], Ran]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The session of all mutants that have to end so; it runs when the first of them is looked at."""
    with ExitStack() as stack:

        @cache
        def run(ends: str) -> Ran:
            folder = tmp_path_factory.mktemp("shared")
            mini = stack.enter_context(serving(folder / "mini"))
            mini.variables = {"XDG_STATE_HOME": str(folder / "state")}
            mini.deadline_s = 600
            (mini.root / "conftest.py").write_text(CONFTEST)
            for mutant in SHARED:
                if mutant.ends == ends:
                    takes_over(mini, name_of(mutant), mutant.edits, folder / name_of(mutant))
            return mini.pytest("features", "--junitxml=junit.xml")

        yield run


@pytest.mark.parametrize("mutant", parameters(*TABLES, shared=True))
def test_it_does_not_pass(session: Session, mutant: Mutant) -> None:
    ran = session(mutant.ends)
    assert ran.status in STATUS[mutant.ends], ran.output
    its = told(ran, name_of(mutant))
    assert re.search(mutant.why, its.said), its.said or ran.output
    assert not its.passed, ran.output
    assert its.outcomes == (set() if mutant.ends == REFUSED else {mutant.ends}), ran.output
    assert its.broken is mutant.broken


@pytest.mark.parametrize("ends", SHARING)
def test_only_the_good_twin_passes_among_them(session: Session, ends: str) -> None:
    ran = session(ends)
    twin = told(ran, TWIN)
    if ends == REFUSED:  # nothing runs where a file is refused
        assert not ran.drills()
        assert not re.search(r"\d passed", ran.output), ran.output
        return
    assert twin.outcomes == {PASSED}, ran.output
    assert twin.passed
    assert re.findall(r"(\d+) passed", ran.output) == ["1"], ran.output


def test_a_mutant_that_others_would_feel_cannot_share(tmp_path: Path) -> None:
    (alone,) = (mutant for mutant in TABLES["steps"] if mutant.name == "endpoint is not sampled")
    with serving(tmp_path / "mini") as mini, pytest.raises(AssertionError, match="which others use"):
        takes_over(mini, "m", alone.edits, tmp_path / "scratch")
