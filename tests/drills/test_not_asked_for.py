"""A plain pytest breaks nothing and says so; a suite that is none of ours does not notice that we are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drills.conftest import Mini

pytestmark = pytest.mark.lab

HOW = "a drill breaks the system, so it runs when it is asked for: pytest features, -m TAG or --drill"


@pytest.mark.parametrize("more", [(), ("-n", "1"), ("--collect-only",)])
def test_a_drill_that_nobody_asks_for_is_named_and_left_alone(mini: Mini, more: tuple[str, ...]) -> None:
    mini.short()
    (mini.root / "test_a.py").write_text("def test_a(): ...\n")
    ran = mini.pytest(".", *more)
    assert ran.status == 0, ran.output
    assert "not run: features/web.feature::It breaks (not asked for)" in ran.output
    assert HOW in ran.output
    assert not ran.drills()
    assert not mini.broken


def test_it_fails_the_session_where_drills_are_required(mini: Mini) -> None:
    mini.short()
    (mini.root / "test_a.py").write_text("def test_a(): ...\n")
    ran = mini.pytest(".", "--require-drills")
    assert ran.status == 11, ran.output
    assert not ran.drills()


FOREIGN = {
    "tests/a.feature": "Feature: A\n  Scenario: S\n    Given nothing\n",
    "tests/test_a.py": (
        "from pytest_bdd import given, scenarios\nscenarios('a.feature')\n@given('nothing')\ndef nothing(): ...\n"
    ),
    "features/b.feature": "Feature: B\n  Scenario: T\n    Given something that only behave knows\n",
    "steps/broken.py": "raise SystemExit(3)\n",
    "test_b.py": "def test_b(): ...\n",
}


@pytest.fixture
def foreign(tmp_path: Path) -> Mini:
    """A suite of pytest-bdd, and of behave, in a root that nobody made for Drillbook."""
    for name, text in FOREIGN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Mini(tmp_path)


def test_another_suite_does_not_notice_us(foreign: Mini) -> None:
    ran = foreign.pytest("-W", "error", "-p", "no:pytest11.testinfra", ".")
    assert ran.status == 0, ran.output
    assert "2 passed" in ran.output
    assert "drill" not in ran.output.replace(str(foreign.root), "").replace("drillbook-", "")


def test_another_suite_may_go_without_pytest_bdd(foreign: Mini) -> None:
    ran = foreign.pytest("-W", "error", "-p", "no:pytest11.testinfra", "-p", "no:pytest-bdd", "test_b.py")
    assert ran.status == 0, ran.output


def test_who_names_a_feature_of_another_suite_reads_why_nothing_runs(foreign: Mini) -> None:
    ran = foreign.pytest("-p", "no:pytest11.testinfra", "features/b.feature")
    assert ran.status == 4
    assert (
        "features/b.feature is not a feature of Drillbook: those lie below features (drillbook_features)" in ran.output
    )


def test_beside_our_features_other_suites_have_theirs(mini: Mini) -> None:
    for name in ("tests/a.feature", "tests/test_a.py"):
        (mini.root / name).parent.mkdir(exist_ok=True)
        (mini.root / name).write_text(FOREIGN[name])
    ran = mini.pytest("tests")
    assert ran.status == 0, ran.output
    assert "1 passed" in ran.output


# ------------------------------------------------------------------ what a terminal and xdist may have


@pytest.mark.parametrize("more", [(), ("-n", "1")])
def test_what_a_system_answers_is_shown_and_not_obeyed(mini: Mini, more: tuple[str, ...]) -> None:
    (mini.root / "steps/answers.py").write_text(
        "from drillbook import given\n\n\n@given('it answers')\ndef answers():\n"
        "    print('half \\ud83d')\n    raise ValueError('\\x1b[2Jhalf \\ud83d')\n"
    )
    mini.feature("Given it answers", tags="@_x @_")
    ran = mini.pytest("features", *more)
    assert ran.status == 1, ran.output
    assert "ValueError: \\x1b[2Jhalf \\ud83d" in ran.output
    assert "INTERNALERROR" not in ran.output
    assert "\x1b[2J" not in ran.output
