"""What `drillbook drills` is asked for, where it drills it, and that status 0 says that all of it is proven."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drillbook.commands.fleet import command, fleet, listing
from drillbook.commands.fleet.listing import listed
from drillbook.errors import DrillbookError
from drillbook.evidence.redaction import Redactor
from drillbook.model.verdict import Outcome
from tests.support.pytests import STAGING, Ends, Pytests, Runs, all_proven, proven

pytestmark = pytest.mark.unit

STEPS = """\
from drillbook import fault, given, recovery, then

@given("it is well")
def well(drill): ...

@fault("it breaks")
def breaks(drill): ...

@then("it hurts")
def hurts(drill): ...

@recovery("it is mended")
def mended(drill): ...
"""
SCENARIO = """
  @{tag}
  Scenario: {name}
    Given it is well
    When it breaks
    Then it hurts
    When it is mended
    Then it hurts
"""
MINE, LAB = "inventories/mine.yml", "inventories/lab/hosts.yml"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with the drills Alpha and Beta of x, and Gamma of y; nothing here resolves its inventories."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("DRILLBOOK_INVENTORY", raising=False)
    before = set(sys.modules)
    tags = {"Alpha": "slow", "Beta": "quick", "Gamma": "quick"}
    alpha, beta, gamma = (SCENARIO.format(name=name, tag=tag) for name, tag in tags.items())
    ordinary = "  Scenario: Ordinary\n    Given it is well\n"
    for name, text in {
        "pytest.ini": f"[pytest]\ndrillbook_inventory = {MINE}\nmarkers =\n  slow\n  quick\n",
        "steps/all.py": STEPS,
        "features/x.feature": f"Feature: X\n{alpha}{beta}",
        "features/y.feature": f"Feature: Y\n{gamma}{ordinary}",
        MINE: "all: {vars: {drillbook_environment: {name: mine, kind: staging}}}\n",
        LAB: "all: {vars: {state: \"{{ lookup('ansible.builtin.env', 'DRILLBOOK_LAB_STATE') }}\"}}\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "steps":
            del sys.modules[name]


def names(*words: str, options: tuple[str, ...] = ()) -> list[str]:
    return [each.name for each in listed(words, options).scenarios]


@pytest.mark.parametrize("options", [(), ("-p", "no:doctest")])
def test_where_nobody_names_features_the_conftest_of_other_tests_is_not_read(
    root: Path, options: tuple[str, ...]
) -> None:
    (root / "tests").mkdir()
    (root / "tests/conftest.py").write_text("raise RuntimeError('this is none of the drills')\n")
    (root / "pytest.ini").write_text((root / "pytest.ini").read_text() + "testpaths = tests\n")
    assert names(options=options) == ["Alpha", "Beta", "Gamma"]


@pytest.mark.parametrize(
    ("words", "options", "found"),
    [
        ((), (), ["Alpha", "Beta", "Gamma"]),
        ((), ("-k", "Gamma"), ["Gamma"]),
        ((), ("-p", "no:doctest"), ["Alpha", "Beta", "Gamma"]),
        ((), ("-m", "quick"), ["Beta", "Gamma"]),
        (("features",), ("--deselect=features/x.feature::Alpha",), ["Beta", "Gamma"]),
        (("features/x.feature::Beta",), (), ["Beta"]),
        ((), ("-k", "Alpha or Beta", "features/x.feature::Beta"), ["Beta"]),
        ((), ("features/y.feature", "-x"), ["Gamma"]),
        (("features/y.feature",), ("-n2",), ["Gamma"]),
        # of Alpha only a control is asked for: that is no proof, and has its row
        ((), ("--deselect=features/x.feature::Alpha[no-fault]", "features/x.feature"), ["Alpha", "Beta"]),
        ((), ("-k", "Alpha and no-fault"), ["Alpha"]),
    ],
)
def test_only_what_is_asked_for_is_listed(
    root: Path, words: tuple[str, ...], options: tuple[str, ...], found: list[str]
) -> None:
    assert names(*words, options=options) == found


@pytest.mark.parametrize("addopts", ["-k Alpha", "-m slow", "-n2 -k Alpha"])
def test_what_the_ini_leaves_out_is_not_asked_for(root: Path, addopts: str) -> None:
    with (root / "pytest.ini").open("a") as ini:
        ini.write(f"addopts = {addopts}\n")
    assert names() == ["Alpha"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("-k", "nobody"), "there is nothing to drill: no scenario is asked for (no tests collected (10 deselected)"),
        (("-k", "Ordinary"), "there is nothing to drill: no scenario has a fault and a recovery"),
    ],
)
def test_where_nothing_is_asked_for_that_is_said_in_one_line(root: Path, options: tuple[str, ...], says: str) -> None:
    with pytest.raises(DrillbookError) as caught:
        listed((), options)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------ the command


def drills(
    monkeypatch: pytest.MonkeyPatch,
    ends: Ends,
    *options: str,
    labs: int | None = None,
    titles: dict[str, str] | None = None,
) -> tuple[int, list[str], Pytests]:
    """The command with pytests that end as they are told: its status, what it said, and those pytests."""
    children, said = Pytests(ends), list[str]()
    children.titles = titles or {}

    def with_them(listing: Any, labs: Any, options: Any, folder: Any, results: Any) -> fleet.Fleet:
        return fleet.Fleet(listing, labs, options, folder, results, children)

    monkeypatch.setattr(command, "Fleet", with_them)
    return command.run((), labs, options, said.append), said, children


def table(root: Path) -> dict[str, object]:
    (path,) = root.glob("evidence/*-drills-*/content/drills.json")
    kept: dict[str, object] = json.loads(path.read_text())
    return kept


def test_what_is_left_out_is_not_missed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said, children = drills(monkeypatch, all_proven, "-k", "Beta")
    assert children.proved == [(STAGING, ["features/x.feature::Beta"])]
    assert (status, said[0]) == (0, f"1 drills with their controls, on {MINE} one after the other")
    assert any(line.startswith("1 of 1 drills PASSED and proven") for line in said)


def test_a_proof_without_one_of_its_controls_is_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(scenario: str) -> tuple[int | None, Runs]:
        return None, [run for run in proven(scenario) if run["control"] != "no-fault"]

    status, said, _ = drills(monkeypatch, without, "-k", "not no-fault and not Gamma")
    assert status == Outcome.INVALID.exit_status
    assert "NOT PROVEN, no-fault: this control was not run: Alpha, 01.log" in said


@pytest.mark.parametrize(
    ("inventories", "on_labs"),
    [
        ((), False),
        ((MINE,), False),
        ((LAB,), True),
        (("inventories/lab",), True),
        ((MINE, LAB), True),
        (("inventories/nowhere",), False),
        (("inventories/another_lab",), True),
    ],
)
def test_labs_are_for_an_inventory_that_finds_its_lab_by_its_variable(
    root: Path, inventories: tuple[str, ...], on_labs: bool
) -> None:
    (root / "inventories/another_lab").mkdir()
    (root / "inventories/another_lab/hosts.yml").write_text((root / LAB).read_text())
    assert listed((), tuple(f"--inventory={each}" for each in inventories)).on_labs is on_labs


def test_the_variable_names_the_staging_as_everywhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLBOOK_INVENTORY", LAB)
    assert listed(()).inventory == LAB
    assert listed(()).on_labs


def test_a_staging_has_the_same_table_and_no_labs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said, children = drills(monkeypatch, all_proven)
    assert (status, children.ran, len(children.proved)) == (0, [], 1)
    kept = table(root)
    assert (kept["labs"], kept["inventory"]) == (None, MINE)
    assert any(line.endswith("content/drills.md") for line in said)


def test_a_staging_that_is_left_broken_has_the_status_of_that(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(scenario: str) -> tuple[int | None, Runs]:
        return None, [{**proven(scenario)[0], "outcome": "NOT_RESTORED"}]

    status, said, _ = drills(monkeypatch, breaks)
    assert status == Outcome.NOT_RESTORED.exit_status
    assert f"{MINE}: left broken by 'Alpha': nothing further is drilled there" in said


def test_a_staging_has_no_number_of_labs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DrillbookError, match=f"--labs 3: the inventory {MINE} does not describe an embedded lab"):
        drills(monkeypatch, all_proven, labs=3)
    assert not (root / "evidence").exists()


def test_a_title_with_a_secret_is_shown_as_the_drill_shows_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_alpha(scenario: str) -> tuple[int | None, Runs]:
        if scenario.endswith("::Alpha"):
            return all_proven(scenario)
        return None, [{**proven(scenario)[0], "outcome": "NOT_RESTORED"}]

    places = ("x.feature::Alpha", "x.feature::Beta", "y.feature::Gamma")
    titles = {f"features/{at}": f"{at[11:]} with ***" for at in places}
    _, said, _ = drills(monkeypatch, only_alpha, titles=titles)
    rows = table(root)["drills"]
    assert isinstance(rows, list)
    # also the one that was not run
    assert [row["scenario"] for row in rows] == ["Alpha with ***", "Beta with ***", "Gamma with ***"]
    assert next(line for line in said if "left broken by" in line).count("Beta with ***") == 1


def test_a_summary_is_for_one_session(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DrillbookError, match=r"drills\.json says the same"):
        drills(monkeypatch, all_proven, "--summary=x.json")


@pytest.mark.parametrize(
    ("options", "drilled", "left"), [(("-x",), 1, 2), (("--maxfail=2",), 2, 1), (("--maxfail", "9"), 3, None)]
)
def test_after_as_many_failures_as_pytest_bears_nothing_new_begins(
    root: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], drilled: int, left: int | None
) -> None:
    """The pytest that failed ends by itself, and another one took its place."""

    def fails(scenario: str) -> tuple[int | None, Runs]:
        return Outcome.INVALID.exit_status, [{**proven(scenario)[0], "outcome": "INVALID"}]

    status, said, children = drills(monkeypatch, fails, *options)
    assert sum(len(scenarios) for _, scenarios in children.proved) == drilled
    assert status == Outcome.INVALID.exit_status
    told = f"stopped after {drilled} failures, as --maxfail or -x asks: {left} not run"
    assert (told in said) is (left is not None)
    rows = table(root)["drills"]
    assert isinstance(rows, list)
    assert [row["outcome"] for row in rows].count("not run") == (left or 0)


def test_a_title_is_hidden_also_where_no_pytest_has_told_of_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor()
    redactor.add("token", "Alpha-swordfish")
    monkeypatch.setattr(listing, "known_secrets", lambda _config: redactor)
    (root / "features/x.feature").write_text(
        (root / "features/x.feature").read_text().replace("Alpha", "Alpha-swordfish")
    )
    _, said, _ = drills(monkeypatch, lambda _scenario: (-9, []))
    assert "swordfish" not in str((said, table(root)))
    assert "[REDACTED:token]" in str(table(root))
