"""A drill is run when somebody asks for drills; what is no drill is run as any test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import PYTEST_INI

if TYPE_CHECKING:
    from tests.conftest import Project

pytestmark = pytest.mark.unit

FEATURE = """\
Feature: F
  @severity:P0
  Scenario: D
    Given the system is healthy
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    When the recovery playbook "x" is run
    Then within 10 minutes the API reports "redis" as up

  Scenario: Looked at
    Given the system is healthy
"""
DRILL, LOOK, TEST = "features/x.feature::D", "features/x.feature::Looked at", "tests/test_a.py::test_drill"


def without_asking(project: Project, *lines: str) -> None:
    ini = PYTEST_INI.replace("drillbook_drill = true\n", "").replace("drillbook_features = .\n", "")
    project.write("pytest.ini", ini + "".join(f"{line}\n" for line in lines))


@pytest.fixture
def suite(project: Project) -> Project:
    """Drills beside the team's own tests, and an ini that says nothing of asking."""
    without_asking(project)
    project.feature(FEATURE)
    project.write("tests/test_a.py", "import pytest\n\ndef test_drill(): ...\n")
    return project


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["."],
        ["./features/.."],
        ["tests", "."],
        ["-k", "D or Looked or test_drill"],
        ["-m", "not severity_P1"],
        ["-m", "not slow or severity_P0"],
        ["-o", "testpaths=features tests"],
    ],
)
def test_nobody_has_asked_for_a_drill(suite: Project, args: list[str]) -> None:
    suite.pytester.makeini(
        (suite.path / "pytest.ini").read_text() + "markers = slow\n    severity_P1\n    severity_P0\n"
    )
    suite.pytester.path.joinpath("tox.ini").rename(suite.path / "pytest.ini")
    assert set(suite.ids(*args)) == {LOOK, TEST}
    suite.run(*args).assert_outcomes(passed=2, deselected=1)
    assert suite.ran == ["healthy"]


def test_the_root_that_is_named_by_its_own_path_is_no_feature(suite: Project) -> None:
    assert set(suite.ids(str(suite.path))) == {LOOK, TEST}


@pytest.mark.parametrize(
    ("args", "run"),
    [
        (["features"], [DRILL, LOOK]),
        (["features/"], [DRILL, LOOK]),
        (["./tests/../features"], [DRILL, LOOK]),
        (["features/x.feature"], [DRILL, LOOK]),
        ([DRILL], [DRILL]),
        (["tests", DRILL], [TEST, DRILL]),
        (["features", "-k", "not Looked"], [DRILL]),
        (["-m", "severity_P0"], [DRILL]),
        ([".", "-m", "severity_P0 and not slow"], [DRILL]),
        (["--drill"], [DRILL, LOOK, TEST]),
        (["-o", "drillbook_drill=true"], [DRILL, LOOK, TEST]),
        (["--prove", "-k", "not Looked"], [DRILL, f"{DRILL}[no-fault]", f"{DRILL}[no-recovery]", TEST]),
        (["--control=no-fault", "features"], [f"{DRILL}[no-fault]", LOOK]),
    ],
)
def test_who_names_features_or_a_tag_has_asked(suite: Project, args: list[str], run: list[str]) -> None:
    (suite.path / "pytest.ini").write_text(
        (suite.path / "pytest.ini").read_text() + "markers = slow\n    severity_P0\n"
    )
    assert suite.ids(*args) == run


def test_other_paths_ask_for_none(suite: Project) -> None:
    assert suite.ids("tests") == [TEST]


def test_who_stands_within_the_features_has_named_none(suite: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(suite.path / "features")
    assert suite.ids() == [LOOK]
    assert suite.ids(".") == [DRILL, LOOK]


def test_what_failed_last_is_not_asked_for_by_that(suite: Project) -> None:
    suite.write("pytest.ini", (suite.path / "pytest.ini").read_text().replace("-p no:cacheprovider ", ""))
    suite.steps("@then('it fails')\ndef fails(): raise ValueError")
    suite.feature(FEATURE.replace("as up\n", "as up\n    And it fails\n", 1))
    suite.run("features").assert_outcomes(passed=1, failed=1)
    suite.run("--lf", "-k", "D").assert_outcomes(deselected=1)
    assert suite.ids("--lf", "features", "-k", "D") == [DRILL]


def test_features_are_below_the_folders_of_the_ini(suite: Project) -> None:
    suite.write("tests/y.feature", FEATURE)
    suite.write("more/deep/z.feature", FEATURE.replace("  Scenario: Looked at\n    Given the system is healthy\n", ""))
    assert suite.ids("tests") == [TEST]
    assert set(suite.ids()) == {LOOK, TEST}
    without_asking(suite, "drillbook_features = more")
    assert suite.ids() == [TEST]
    assert suite.ids("more") == suite.ids("more/deep") == ["more/deep/z.feature::D"]
    without_asking(suite, "drillbook_features = .")
    assert DRILL not in suite.ids(".")
    assert DRILL in suite.ids("features")


def test_a_folder_of_features_that_is_not_there_is_an_error_of_usage(suite: Project) -> None:
    without_asking(suite, "drillbook_features = features faetures")
    ran = suite.run("tests")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"*drillbook_features: there is no folder {suite.path}/faetures"])
