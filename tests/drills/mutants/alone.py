"""A mutant in a session of its own."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tests.drills.conftest import Mini, Ran

from . import PASSED, STATUS, Edit, Mutant


def changed(mini: Mini, edits: tuple[Edit, ...], args: tuple[str, ...] = (), *, proves: bool = False) -> Ran:
    """Run the changed repository."""
    for edit in edits:
        edit(mini)
    run = mini.prove if proves else mini.pytest
    return run("features", "--junitxml=junit.xml", *args)


def passed_in_junit(mini: Mini) -> list[str]:
    """The test cases of which JUnit says nothing bad."""
    path = mini.root / "junit.xml"
    cases = ElementTree.parse(path).iter("testcase") if path.exists() else ()
    return [case.get("name", "") for case in cases if case.find("failure") is None and case.find("error") is None]


def assert_that_it_does_not_pass(mini: Mini, mutant: Mutant) -> None:
    """It ends as its table says, for its reason, and nothing calls it passed."""
    ran = changed(mini, mutant.edits, mutant.args, proves=mutant.proves)
    assert ran.status in STATUS[mutant.ends], ran.output
    assert re.search(mutant.why, ran.output), ran.output
    assert not re.search(r"\d passed", ran.output), ran.output
    assert not passed_in_junit(mini), ran.output
    assert all(drill["outcome"] != PASSED for drill in ran.drills()), ran.output
    assert mini.broken is mutant.broken
