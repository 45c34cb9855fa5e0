"""What is wrong with a feature is said when it is collected, all at once, and nothing of it runs."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

pytestmark = pytest.mark.unit

X = "features/x.feature"


@dataclass(frozen=True)
class Case:
    """A feature that is refused with exactly these lines, and its twin that runs; `more` is a further step module."""

    refused: str
    says: list[str]
    accepted: str
    more: str = ""


def body(steps: str, head: str = "Feature: F\n  Scenario: S\n") -> str:
    """A feature of one scenario, its first step on line 3."""
    return head + textwrap.indent(textwrap.dedent(steps).strip("\n"), "    ") + "\n"


HEALTHY = body("Given the system is healthy")
DRILL = """
    Given the system is healthy
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    When the recovery playbook "x" is run
    Then within 10 minutes the API reports "redis" as up
    """

CASES = {
    "syntax": Case(
        "Feature: F\n  Scenario: S\n    Given the system is healthy\n  Nonsense\n  Then what\n  | a\n",
        [
            (
                f"{X}:4: syntax error: 'Nonsense' cannot stand here, where the end of the file, a table row, "
                "a doc string (\"\"\"), a step, a tag, 'Examples:', 'Scenario:' or 'Rule:' is expected"
            )
        ],
        HEALTHY,
    ),
    "syntax, several": Case(
        HEALTHY + "  Nonsense\n    Given the system is healthy\n  More\n",
        [f"{X}:4: syntax error: 'Nonsense' cannot*", f"{X}:6: syntax error: 'More' cannot*"],
        HEALTHY,
    ),
    "table": Case(
        body("Given the people\n  | a | b |\n  | a |"),
        [f"{X}:5: syntax error: inconsistent cell count within the table"],
        body("Given the people\n  | a | b |\n  | a | b |"),
        more="@given('the people')\ndef people(datatable): ...",
    ),
    "open doc string": Case(
        body('Given the text\n  """\n  one'),
        [f'{X}:6: syntax error: the file ends here, where a doc string (""") is expected'],
        body('Given the text\n  """\n  one\n  """'),
        more="@given('the text')\ndef text(docstring): ...",
    ),
    "language": Case(
        "# language: xx\n" + HEALTHY,
        [f"{X}:1: syntax error: language not supported: xx"],
        "# language: en\n" + HEALTHY,
    ),
    "empty file": Case("", [f"{X}:1: there is no Feature in this file"], HEALTHY),
    "only a comment": Case("# Feature: F\n", [f"{X}:1: there is no Feature in this file"], HEALTHY),
    "no scenarios": Case("\nFeature: F\n  Text.\n", [f"{X}:2: the feature has no scenarios"], HEALTHY),
    "no steps": Case(
        "Feature: F\n  Background:\n    Given the system is healthy\n  Scenario: S\n",
        [f"{X}:4: the scenario 'S' has no steps: it would prove nothing"],
        "Feature: F\n  Background:\n    Given the system is healthy\n  Scenario: S\n    Given the system is healthy\n",
    ),
    "no name": Case(
        body("Given the system is healthy", "Feature: F\n  Scenario:\n"),
        [f"{X}:2: the scenario has no name: give it one, it is run and reported by its name"],
        HEALTHY,
    ),
    "and first": Case(
        body("And the system is healthy"),
        [f"{X}:3: 'And the system is healthy' is the first step here: begin it with Given, When or Then"],
        body("Given the system is healthy\nAnd the system is healthy"),
    ),
    "duplicate name": Case(
        HEALTHY + "  Scenario: S\n    Given the system is healthy\n",
        [f"{X}:4: the scenario 'S' has the name of the one on line 2"],
        HEALTHY + "  Scenario: S2\n    Given the system is healthy\n",
    ),
    "duplicate name across rules": Case(
        "Feature: F\n" + "".join(f"  Rule: R{n}\n    Scenario: S\n      Given the system is healthy\n" for n in (1, 2)),
        [f"{X}:6: the scenario 'S' has the name of the one on line 3"],
        "Feature: F\n"
        + "".join(f"  Rule: R{n}\n    Scenario: S{n}\n      Given the system is healthy\n" for n in (1, 2)),
    ),
    "name of a rule": Case(
        HEALTHY + "  Rule: S\n    Scenario: T\n      Given the system is healthy\n",
        [f"{X}:4: the rule 'S' has the name of the one on line 2"],
        HEALTHY + "  Rule: R\n    Scenario: T\n      Given the system is healthy\n",
    ),
    "names that make one node id": Case(
        HEALTHY.replace("S\n", "a [x]\n") + "  Scenario: a (x)\n    Given the system is healthy\n",
        [f"{X}:4: the scenario 'a (x)' has the name of the one on line 2"],
        HEALTHY.replace("S\n", "a [x]\n") + "  Scenario: a (y)\n    Given the system is healthy\n",
    ),
    "undefined, with the nearest": Case(
        body('Given the system is healhty\nThen within 30 lightyears the API reports "redis" as down'),
        [
            f"{X}:3: 'Given the system is healhty' is not defined; the nearest are:",
            "    @given the system is healthy  (steps/system.py:8)",
            f"{X}:4: 'Then within 30 lightyears the API reports \"redis\" as down' is not defined; the nearest are:",
            '    @then within {deadline:Duration} the API reports "{component}" as {state:State}  (steps/system.py:20)',
        ],
        body('Given the system is healthy\nThen within 30 seconds the API reports "redis" as down'),
    ),
    "undefined, unlike anything": Case(
        body("Given xyzzy"), [f"{X}:3: 'Given xyzzy' is not defined, and no sentence is similar"], HEALTHY
    ),
    "undefined, at most three": Case(
        body("Given the lamp is off"),
        [
            f"{X}:3: 'Given the lamp is off' is not defined; the nearest are:",
            "    @given the lamp is 1  (steps/more.py:*)",
            "    @given the lamp is 2  (steps/more.py:*)",
            "    @given the lamp is 3  (steps/more.py:*)",
        ],
        body("Given the lamp is 4"),
        more="\n".join(f"@given('the lamp is {n}')\ndef lamp{n}(): ..." for n in range(1, 5)),
    ),
    "another type of step": Case(
        body("When the system is healthy"),
        [
            f"{X}:3: 'When the system is healthy' is a When here, but is defined as a Given:",
            "    @given the system is healthy  (steps/system.py:8)",
        ],
        HEALTHY,
    ),
    "ambiguous": Case(
        body('Given the "api" is there'),
        [
            f"{X}:3: 'Given the \"api\" is there' meets 2 step definitions:",
            '    @given the "{name}" is there  (steps/more.py:4)',
            "    @given the {thing} is there  (steps/more.py:6)",
        ],
        body("Given the api is there"),
        more="""
            @given(parse('the "{name}" is there'))
            def quoted(name): ...
            @given(parse('the {thing} is there'))
            def any(thing): ...
            """,
    ),
    "ambiguous, the very same": Case(
        body("Given the system is healthy"),
        [
            f"{X}:3: 'Given the system is healthy' meets 2 step definitions:",
            "    @given the system is healthy  (steps/more.py:*)",
            "    @given the system is healthy  (steps/system.py:8)",
        ],
        body("Given the system is well"),
        more="@given('the system is healthy')\n@given('the system is well')\ndef well(): ...",
    ),
    "async step": Case(
        body("Given it awaits"),
        [
            (
                f"{X}:3: 'Given it awaits' meets an async step at steps/more.py:4, which nobody would await: "
                "write it as a plain function"
            )
        ],
        body("Given it does not"),
        more="@given('it awaits')\nasync def awaits(): ...\n@given('it does not')\ndef plain(): ...",
    ),
    "async generator step": Case(
        body("Given it awaits"),
        [f"{X}:3: 'Given it awaits' meets an async step at steps/more.py:4, *"],
        body("Given it does not"),
        more="@given('it awaits')\nasync def awaits():\n    yield\n@given('it does not')\ndef plain():\n    yield",
    ),
    "outline without examples": Case(
        body('When somebody calls "<who>"', "Feature: F\n  Scenario Outline: S\n"),
        [f"{X}:2: the outline 'S' has no Examples"],
        body('When somebody calls "<who>"\nExamples:\n  | who |\n  | Ana |', "Feature: F\n  Scenario Outline: S\n"),
    ),
    "examples without rows": Case(
        body('When somebody calls "<who>"\nExamples:\n  | who |', "Feature: F\n  Scenario Outline: S\n"),
        [f"{X}:4: the outline 'S' has Examples without rows"],
        body('When somebody calls "<who>"\nExamples:\n  | who |\n  | Ana |', "Feature: F\n  Scenario Outline: S\n"),
    ),
    "examples without a table, beside others": Case(
        body(
            'When somebody calls "<who>"\nExamples:\n  | who |\n  | Ana |\nExamples:',
            "Feature: F\n  Scenario Outline: S\n",
        ),
        [f"{X}:7: the outline 'S' has Examples without rows"],
        body(
            'When somebody calls "<who>"\nExamples:\n  | who |\n  | Ana |\nExamples:\n  | who |\n  | Bob |',
            "Feature: F\n  Scenario Outline: S\n",
        ),
    ),
    "unknown placeholder": Case(
        body(
            'When somebody calls "<who>"\nGiven the people\n  | <name> |\nExamples:\n  | who |\n  | Ana |',
            "Feature: F\n  Scenario Outline: S <nr>\n",
        ),
        [
            f"{X}:2: <nr> is not a column of the Examples on line 6",
            f"{X}:5: <name> is not a column of the Examples on line 6",
        ],
        body(
            'When somebody calls "<who>"\nGiven the people\n  | <name> |\n'
            "Examples:\n  | who | nr | name |\n  | Ana | 1 | A |",
            "Feature: F\n  Scenario Outline: S <nr> where 1 < 2 and 3 > 2\n",
        ),
        more="@given('the people')\ndef people(datatable): ...",
    ),
    "column twice": Case(
        body(
            'When somebody calls "<who>"\nExamples:\n  | who | who |\n  | Ana | Bob |',
            "Feature: F\n  Scenario Outline: S\n",
        ),
        [f"{X}:5: two columns of the Examples are called 'who'"],
        body(
            'When somebody calls "<who>"\nExamples:\n  | who | by |\n  | Ana | Bob |',
            "Feature: F\n  Scenario Outline: S\n",
        ),
    ),
    "undefined in one row": Case(
        body(
            'Then within 1 second the API reports "a" as <state>\nExamples:\n  | state |\n  | up |\n  | upp |',
            "Feature: F\n  Scenario Outline: S\n",
        ),
        [
            f"{X}:3: 'Then within 1 second the API reports \"a\" as upp' (row on line 7) is not defined; *:",
            '    @then within {deadline:Duration} the API reports "{component}" as {state:State}  (steps/system.py:20)',
        ],
        body(
            'Then within 1 second the API reports "a" as <state>\nExamples:\n  | state |\n  | up |\n  | down |',
            "Feature: F\n  Scenario Outline: S\n",
        ),
    ),
    "undefined in all rows": Case(
        body("Given xyzzy <n>\nExamples:\n  | n |\n  | 1 |\n  | 2 |", "Feature: F\n  Scenario Outline: S\n"),
        [f"{X}:3: 'Given xyzzy 1' (row on line 6) is not defined, and no sentence is similar"],
        body('When somebody calls "<n>"\nExamples:\n  | n |\n  | 1 |\n  | 2 |', "Feature: F\n  Scenario Outline: S\n"),
    ),
    "out of phase": Case(
        body("""
            Given the system is healthy
            When the network between "api" and "redis" is cut
            And somebody calls "Ana"
            When the recovery playbook "x" is run
            """),
        [
            (
                f"{X}:5: 'And somebody calls \"Ana\"' is a plain When step; in a drill each When is a fault or a "
                "recovery: define it with @fault or @recovery"
            ),
            (
                f"{X}:6: 'When the recovery playbook \"x\" is run' is a recovery with no symptom before it; without an "
                "observed symptom nothing is proven: add a Then between fault and recovery"
            ),
            f"{X}:6: the drill ends with no success criterion: add a Then after the recovery",
        ],
        body(DRILL),
    ),
    "a fault said as a Given": Case(
        body("Given it breaks"),
        [f"{X}:3: 'Given it breaks' is a Given, but runs a fault (steps/more.py:4): say it with When"],
        HEALTHY,
        more="@given('it breaks')\n@fault('it breaks')\ndef breaks(): ...",
    ),
    "bad rto": Case(
        "@rto:soon\n" + HEALTHY,
        [f"{X}:1: @rto:soon: 'soon' is not a duration: write *"],
        "@rto:1h30m\n" + HEALTHY,
    ),
    "bad play-timeout": Case(
        "@play-timeout:long\n" + HEALTHY,
        [f"{X}:1: @play-timeout:long: 'long' is not a duration: write *"],
        "@play-timeout:4h\n" + HEALTHY,
    ),
    "undo-timeout of zero": Case(
        "@undo-timeout:0s\n" + HEALTHY,
        [f"{X}:1: @undo-timeout:0s: nothing can be done in 0 s"],
        "@undo-timeout:1h\n" + HEALTHY,
    ),
    "misspelt baseline-timeout": Case(
        "@baseline_time-out:5m\n" + HEALTHY,
        [f"{X}:1: @baseline_time-out:5m is not a time limit: write @baseline-timeout:30m"],
        "@baseline-timeout:5m\n" + HEALTHY,
    ),
    "no rto": Case("@rto\n" + HEALTHY, [f"{X}:1: @rto: '' is not a duration: write *"], "@rtos\n" + HEALTHY),
    "rto of zero": Case(
        "@rto:0s\n" + HEALTHY,
        [f"{X}:1: @rto:0s: a recovery time objective is longer than zero"],
        "@rto:1s\n" + HEALTHY,
    ),
    "unknown clock": Case(
        "@rto-from:lunch\n" + HEALTHY,
        [
            (
                f"{X}:1: @rto-from:lunch: 'lunch' is no event that starts the clock: write one of "
                "fault_injected, symptom_observed, recovery_started"
            )
        ],
        "@rto-from:symptom_observed\n" + HEALTHY,
    ),
    "unknown severity": Case(
        "Feature: F\n  @severity:high\n  Scenario: S\n    Given the system is healthy\n",
        [f"{X}:2: @severity:high: 'high' is no severity: write one of P0, P1, P2, P3, P4"],
        "Feature: F\n  @severity:P0\n  Scenario: S\n    Given the system is healthy\n",
    ),
    "a marker that needs arguments": Case(
        "@usefixtures\n" + HEALTHY,
        [f"{X}:1: @usefixtures is a marker of pytest's that needs arguments: rename the tag"],
        "@fixtures\n" + HEALTHY,
    ),
    "two rto": Case(
        "@rto:5m @rto:10m\n" + HEALTHY,
        [f"{X}:1: @rto is given twice here, as 5m and as 10m"],
        "@rto:5m\nFeature: F\n  @rto:10m\n  Scenario: S\n    Given the system is healthy\n",
    ),
    "an abort condition that names nothing": Case(
        "@abort-when\n" + HEALTHY,
        [f"{X}:1: @abort-when names no endpoint: write @abort-when:ENDPOINT, with _ for a space"],
        "@abort-when:api\n" + HEALTHY,
    ),
    "an abort condition that names nothing after its colon": Case(
        "@abort-when:\n" + HEALTHY,
        [f"{X}:1: @abort-when: names no endpoint: *"],
        "@abort-when:api_ready @abort-when:api\n" + HEALTHY,
    ),
    "an abort condition twice": Case(
        "@abort-when:api @abort-when:api\n" + HEALTHY,
        [f"{X}:1: @abort-when:api is given twice here"],
        "@abort-when:api\nFeature: F\n  @abort-when:api\n  Scenario: S\n    Given the system is healthy\n",
    ),
    "a misspelt abort condition": Case(
        "Feature: F\n  @abort_when:api @abort-if:api @abbort-when\n  Scenario: S\n    Given the system is healthy\n",
        [
            f"{X}:2: @abbort-when stops no drill: write @abort-when:ENDPOINT",
            f"{X}:2: @abort-if:api stops no drill: write @abort-when:ENDPOINT",
            f"{X}:2: @abort_when:api stops no drill: write @abort-when:ENDPOINT",
        ],
        "Feature: F\n  @aborted @row:abort\n  Scenario: S\n    Given the system is healthy\n",
    ),
    "a loss that is no number": Case(
        "@accepts-data-loss:some\n" + HEALTHY,
        [f"{X}:1: @accepts-data-loss:some: 'some' is no number of jobs: write the exact number that is lost, *"],
        "@accepts-data-loss:0\n" + HEALTHY,
    ),
    "a misspelt acceptance of loss": Case(
        "@accept-dataloss:5\n" + HEALTHY,
        [f"{X}:1: @accept-dataloss:5 accepts no loss: write @accepts-data-loss:COUNT"],
        "@data-loss @row:accepts\n" + HEALTHY,
    ),
    "bad tags of a rule and of examples": Case(
        """\
Feature: F
  @rto:x
  Rule: R
    Scenario Outline: S
      When somebody calls "<who>"
      @severity:x
      Examples:
        | who |
        | Ana |
""",
        [f"{X}:2: @rto:x: *", f"{X}:6: @severity:x: *"],
        """\
Feature: F
  @rto:1m
  Rule: R
    Scenario Outline: S
      When somebody calls "<who>"
      @severity:P1
      Examples:
        | who |
        | Ana |
""",
    ),
    "a table that nobody reads": Case(
        body("Given the system is healthy\n  | a |"),
        [
            (
                f"{X}:3: 'Given the system is healthy' has a datatable below it, which the step at steps/system.py:8"
                " would ignore: it has no parameter 'datatable'"
            )
        ],
        HEALTHY,
    ),
    "a doc string that nobody reads": Case(
        body('Given the system is healthy\n  """\n  a\n  """'), [f"{X}:3: *has a docstring below it, which *"], HEALTHY
    ),
    "a fixture that is not there": Case(
        body("Given a door\nThen it is open"),
        [
            (
                f"{X}:4: 'Then it is open' asks for 'dor', 'hinge' at steps/more.py:6: neither a field of the sentence"
                " nor a fixture has that name"
            )
        ],
        body("Given a door\nThen it is shut"),
        more="""
            @given('a door', target_fixture='door')
            def door(): ...
            @then('it is open')
            def is_open(dor, hinge, tmp_path, colour='red'): ...
            @then('it is shut')
            def is_shut(door, request, tmp_path): ...
            """,
    ),
}


OTHER = 'Feature: Other\n  Scenario: O\n    When somebody calls "Eve"\n'
ALONE = {name: case for name, case in CASES.items() if case.more}
"""Their further steps would be found by others."""
TOGETHER = {name: case for name, case in CASES.items() if not case.more}


def feature_of(name: str) -> str:
    return f"features/{re.sub(r'[^a-z]+', '_', name)}.feature"


def said_of(outlines: list[str], feature: str) -> list[str]:
    """What stands below the headline of this feature's error."""
    (at,) = [n for n, line in enumerate(outlines) if re.fullmatch(f"_+ ERROR collecting {feature} _+", line)]
    shown = outlines[at + 1 :]
    return shown[: next(n for n, line in enumerate(shown) if line.startswith("===") or " ERROR collecting " in line)]


def assert_that_it_says(case: Case, outlines: list[str], feature: str) -> None:
    shown = said_of(outlines, feature)
    says = [line.replace(X, feature) for line in case.says]
    assert len(shown) == len(says), "\n".join(shown)
    pytest.LineMatcher(shown).fnmatch_lines([line.replace("[", "[[]") for line in says], consecutive=True)


@dataclass(frozen=True)
class Together:
    """What is said of all features at once that are refused, and of all of their twins."""

    refused: pytest.RunResult
    ran: list[str]
    accepted: pytest.RunResult


@pytest.fixture(scope="module")
def kept() -> list[Together]:
    """The runs of all features, once they have been made."""
    return []


@pytest.fixture
def together(kept: list[Together], request: pytest.FixtureRequest) -> Together:
    """The runs of all features: the first test that asks makes them."""
    if not kept:
        project: Project = request.getfixturevalue("project")
        project.write("features/other.feature", OTHER)
        for name, case in TOGETHER.items():
            (project.path / feature_of(name)).write_text(case.refused, encoding="utf-8")
        refused = project.run()
        ran = project.ran
        for name, case in TOGETHER.items():
            (project.path / feature_of(name)).write_text(case.accepted, encoding="utf-8")
        kept.append(Together(refused, ran, project.run("-v")))
    return kept[0]


def test_features_that_are_refused_together_are_all_named_and_none_runs(together: Together) -> None:
    assert together.refused.ret == pytest.ExitCode.INTERRUPTED
    assert together.ran == []
    assert together.refused.parseoutcomes() == {"errors": len(TOGETHER)}
    assert together.accepted.ret == pytest.ExitCode.OK
    assert together.accepted.parseoutcomes()["passed"] > len(TOGETHER)


@pytest.mark.parametrize("name", TOGETHER)
def test_refused_beside_others_and_its_twin_accepted(together: Together, name: str) -> None:
    feature = feature_of(name)
    assert_that_it_says(TOGETHER[name], together.refused.outlines, feature)
    of_twin = [line for line in together.accepted.outlines if line.startswith(f"{feature}::")]
    assert of_twin and all(" PASSED " in line for line in of_twin)


@pytest.mark.parametrize("case", ALONE.values(), ids=ALONE)
def test_refused_and_its_twin_accepted(project: Project, case: Case) -> None:
    project.steps(case.more)
    project.write("features/other.feature", OTHER)
    path = project.path / X

    path.write_text(case.refused, encoding="utf-8")
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert project.ran == []
    assert_that_it_says(case, result.outlines, X)

    path.write_text(case.accepted, encoding="utf-8")
    result = project.run()
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes()["passed"] >= 2


def test_text_that_is_not_utf8(project: Project) -> None:
    (project.path / "features").mkdir()
    (project.path / X).write_bytes("Feature: F\n  Scenario: Größe\n".encode("latin-1"))
    result = project.run()
    result.stdout.fnmatch_lines([f"{X}:2: the file is not UTF-8 text"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_all_kinds_of_problems_of_a_file_are_said_in_the_order_of_lines(project: Project) -> None:
    project.feature("""\
        @severity:x
        Feature: F
          Background:
            Given xyzzy
          Scenario: S
            When the network between "api" and "redis" is cut
          Scenario: S
          Scenario Outline: T
            Given xyzzy
        """)
    result = project.run()
    lines = [line.split(":")[1] for line in result.outlines if line.startswith(X)]
    assert lines == ["1", "4", "7", "7", "8", "9"]


def test_the_phases_are_checked_when_all_steps_are_known(project: Project) -> None:
    project.feature(body('When the network between "api" and "redis" is cut'))
    result = project.run()
    assert [line for line in result.outlines if line.startswith(X)] == [
        f"{X}:3: the drill ends with a fault: add a Then that sees the symptom, a recovery, and a Then after it",
        (
            f"{X}:3: the drill has no baseline: begin with a Given that looks whether the system is healthy "
            "before anything is touched"
        ),
    ]


def test_each_broken_file_is_refused(project: Project) -> None:
    project.feature(body("Given xyzzy"), "features/a.feature")
    project.feature(body("Given plugh"), "features/b.feature")
    result = project.run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["features/a.feature:3: *xyzzy*", "features/b.feature:3: *plugh*"])


def test_one_broken_scenario_refuses_the_others_of_its_file(project: Project) -> None:
    project.feature(HEALTHY + "  Scenario: T\n    Given xyzzy\n")
    result = project.run(f"{X}::S")
    assert result.ret != pytest.ExitCode.OK
    assert project.ran == []
    result.stdout.fnmatch_lines([f"{X}:5: *xyzzy*"])


def test_refused_under_xdist(project: Project) -> None:
    project.feature(body("Given xyzzy"))
    result = project.run("-n", "2")
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"{X}:3: 'Given xyzzy' is not defined, and no sentence is similar"])


# ---- definitions near the feature


def test_a_conftest_beside_the_feature_replaces_a_step(project: Project) -> None:
    project.feature(HEALTHY)
    project.feature(HEALTHY, "elsewhere/y.feature")
    project.write(
        "features/conftest.py",
        """\
        from pathlib import Path
        from drillbook import given
        @given("the system is healthy")
        def healthy():
            Path("near").touch()
        """,
    )
    project.run("features").assert_outcomes(passed=1)
    assert (project.path / "near").exists()
    assert project.ran == []
    project.run("elsewhere").assert_outcomes(passed=1)
    assert project.ran == ["healthy"]


def test_a_conftest_beside_the_feature_does_not_replace_a_step_of_another_pattern(project: Project) -> None:
    project.feature(HEALTHY)
    project.write(
        "features/conftest.py",
        """\
        from drillbook import given, parse
        @given(parse("the {thing} is healthy"))
        def healthy(thing): ...
        """,
    )
    project.run().stdout.fnmatch_lines(
        [
            f"{X}:3: 'Given the system is healthy' meets 2 step definitions:",
            "*(steps/system.py:8)",
            "*(features/conftest.py:2)",
        ]
    )


def test_steps_of_a_conftest_are_not_known_elsewhere(project: Project) -> None:
    project.write("features/conftest.py", "from drillbook import given\n@given('xyzzy')\ndef xyzzy(): ...\n")
    project.feature(body("Given xyzzy"))
    project.feature(body("Given xyzzy"), "elsewhere/y.feature")
    project.run("features").assert_outcomes(passed=1)
    project.run().stdout.fnmatch_lines(["elsewhere/y.feature:3: 'Given xyzzy' is not defined, *"])


def test_a_step_imported_into_another_module_is_one_definition(project: Project) -> None:
    project.steps("from steps.system import *\nfrom steps.system import healthy")
    project.feature(HEALTHY)
    project.run().assert_outcomes(passed=1)


def test_pytest_bdds_own_decorators_and_parsers_are_understood(project: Project) -> None:
    project.steps("""
        from pytest_bdd import given, parsers, step, then
        @given(parsers.re(r"(?P<n>\\d+) (things?|items?)"), converters={"n": int})
        def things(n):
            Path("ran").write_text(str(n))
        @then(parsers.cfparse("{n:d} are left"))
        def left(n): ...
        @step(parsers.parse("anything {x}"))
        def anything(x): ...
        """)
    project.feature(body("Given 3 items\nAnd anything goes\nThen 3 are left\nAnd anything else"))
    project.run().assert_outcomes(passed=1)
    assert project.ran == ["3"]


@pytest.mark.parametrize(
    ("tag", "level"),
    [
        ("rto:10m", "scenario"),
        ("rto:10m", "feature"),
        ("rto-from:symptom_observed", "feature"),
        ("abort-when:api", "scenario"),
        ("not-repeatable", "scenario"),
        ("production-safe", "feature"),
        ("play-timeout:4h", "scenario"),
        ("undo-timeout:1h", "feature"),
        ("baseline-timeout:5m", "scenario"),
    ],
)
def test_what_is_tagged_as_a_drill_and_is_none_is_refused_where_drills_are_required(
    project: Project, tag: str, level: str
) -> None:
    above, below = (f"@{tag}\n", "") if level == "feature" else ("", f"  @{tag}\n")
    project.feature(f"{above}Feature: F\n{below}  Scenario: S\n    Given the system is healthy\n")
    project.run("features").assert_outcomes(passed=1)
    ran = project.run("features", "-o", "drillbook_require=drills")
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(
        [f"*{X}:3: the scenario has the tag @{tag} but is not a drill, because none of its steps is a fault*"]
    )


def test_what_is_a_drill_or_says_nothing_of_drills_is_not_refused_there(project: Project) -> None:
    project.feature("@rto:10m\n" + body(DRILL))
    project.feature("@severity:P1 @row:R1\n" + HEALTHY, "features/y.feature")
    project.run("features", "-o", "drillbook_require=drills").assert_outcomes(passed=2)


@pytest.mark.parametrize("tag", ["skipif:", "parametrize!", "-usefixtures", "_filterwarnings"])
def test_a_tag_that_would_be_a_marker_of_pytest_s_is_refused_however_it_is_spelt(project: Project, tag: str) -> None:
    project.feature(f"@{tag}\n{HEALTHY}")
    ran = project.run()
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines([f"*{X}:1: @{tag} is a marker of pytest's that needs arguments: rename the tag"])


@pytest.mark.parametrize(("tag", "expression"), [("_x", "x"), ("__x.y", "x_y"), ("_", "unnamed"), ("not", "not_slow")])
def test_a_tag_that_is_no_marker_as_it_stands_selects_by_its_words(project: Project, tag: str, expression: str) -> None:
    project.feature(f"@{tag} @not_slow\n{HEALTHY}")
    project.run("features", "-m", expression).assert_outcomes(passed=1)
