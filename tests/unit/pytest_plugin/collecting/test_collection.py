"""Features are collected, selected and run as Python test files are."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from drillbook.model.phases import Phase, PlannedStep, StepKind
from drillbook.pytest_plugin.collecting.nodes import FeatureFile, RuleNode, ScenarioItem

if TYPE_CHECKING:
    from tests.conftest import Project

pytestmark = pytest.mark.unit

DRILL = """\
@runbook:redis.md#restore @severity:P1 @rto:10m @network
Feature: Redis
  What the on-call engineer does.

  Background:
    Given the system is healthy

  @row:R1 @rto:5m
  Scenario: The network is cut
    It happens.

    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    And within 1 minute the API reports "queue" as degraded
    When the recovery playbook "redis/restore" is run
    Then within 10 minutes the API reports "redis" as up

  @slow-ones
  Rule: Calls go on
    @calls
    Scenario Outline: <who> calls
      When somebody calls "<who>"

      @eu
      Examples: Europe
        | who  |
        | Ana  |
        | Jörg |

      @us @severity:P3
      Examples: America
        | who |
        | Bob |
        | [x] |
        | Bob |
"""

NETWORK = "features/x.feature::The network is cut"
ANA, JOERG, BOB, BRACKETS, BOB_AGAIN = (
    f"features/x.feature::Calls go on::<who> calls[{row}]" for row in ("Ana", "Jörg", "Bob", "[x]", "Bob_2")
)
ALL = [NETWORK, ANA, JOERG, BOB, BRACKETS, BOB_AGAIN]


@pytest.fixture
def drills(project: Project) -> Project:
    project.feature(DRILL)
    return project


def items(project: Project, *args: str) -> list[ScenarioItem]:
    found, _ = project.pytester.inline_genitems(*args)
    return [item for item in found if isinstance(item, ScenarioItem)]


# ---- selection


@pytest.mark.parametrize("args", [[], ["features"], ["features/x.feature"], ["."]])
def test_a_feature_is_found_like_a_test_file(drills: Project, args: list[str]) -> None:
    assert drills.ids(*args) == ALL


@pytest.mark.parametrize("node_id", ALL)
def test_each_node_id_selects_itself(drills: Project, node_id: str) -> None:
    assert drills.ids(node_id) == [node_id]


@pytest.mark.parametrize(
    ("arg", "expected"),
    [
        ("features/x.feature::Calls go on", ALL[1:]),
        ("features/x.feature::Calls go on::<who> calls", ALL[1:]),
    ],
)
def test_a_rule_and_an_outline_select_all_below(drills: Project, arg: str, expected: list[str]) -> None:
    assert drills.ids(arg) == expected


def test_an_unknown_scenario_is_a_usage_error(drills: Project) -> None:
    result = drills.run("features/x.feature::No such")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*not found*No such*"])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("the_network_is_cut", [NETWORK]),
        ("network and cut", [NETWORK]),
        ("ana_calls", [ANA]),
        ("Ana and calls", [ANA]),
        ("calls and not Bob", [ANA, JOERG, BRACKETS]),
        ("Redis", ALL),
    ],
)
def test_k_takes_words_and_identifiers(drills: Project, expression: str, expected: list[str]) -> None:
    assert drills.ids("-k", expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("network", ALL),
        ("row_R1", [NETWORK]),
        ("rto_5m", [NETWORK]),
        ("rto_10m", ALL[1:]),
        ("runbook_redis_md_restore", ALL),
        ("slow-ones", ALL[1:]),
        ("slow_ones", ALL[1:]),
        ("calls and eu", [ANA, JOERG]),
        ("us", [BOB, BRACKETS, BOB_AGAIN]),
        ("severity_P3", [BOB, BRACKETS, BOB_AGAIN]),
        ("severity_P1", [NETWORK, ANA, JOERG]),
        ("not slow_ones", [NETWORK]),
    ],
)
def test_m_takes_the_tags_of_every_level(drills: Project, expression: str, expected: list[str]) -> None:
    assert drills.ids("-m", expression) == expected


def test_an_unknown_marker_is_still_refused(drills: Project) -> None:
    result = drills.run("-m", "row_R2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Unknown marker*row_R2*"])


def test_names_with_brackets_and_colons_can_be_selected(project: Project) -> None:
    project.feature("""\
        Feature: F
          Scenario: Reads [all] of a::b  twice
            Given the system is healthy
        """)
    assert project.ids() == ["features/x.feature::Reads (all) of a:b twice"]
    assert project.ids("features/x.feature::Reads (all) of a:b twice") == project.ids()
    assert items(project)[0].scenario.name == "Reads [all] of a::b  twice"


def test_last_failed(project: Project) -> None:
    project.write("pytest.ini", (project.path / "pytest.ini").read_text().replace("-p no:cacheprovider ", ""))
    project.steps("""
        @when(parse('somebody rings "{who}"'))
        def ring(who):
            assert who != "Jörg" or not Path("busy").exists()
        """)
    project.feature("""\
        Feature: F
          Scenario Outline: <who> rings
            When somebody rings "<who>"
            Examples:
              | who  |
              | Ana  |
              | Jörg |
        """)
    (project.path / "busy").touch()
    project.run().assert_outcomes(passed=1, failed=1)
    assert project.ids("--lf") == ["features/x.feature::<who> rings[Jörg]"]
    (project.path / "busy").unlink()
    project.run("--lf").assert_outcomes(passed=1)


def test_collect_only_shows_the_tree(drills: Project) -> None:
    drills.run("--collect-only", "-v").stdout.fnmatch_lines_random(
        [
            "*<FeatureFile x.feature>",
            "*Redis",
            "*What the on-call engineer does.",
            "*<ScenarioItem The network is cut>",
            "*It happens.",
            "*<RuleNode Calls go on>",
            "*<ScenarioItem <who> calls?Ana?>",
        ]
    )


def test_nothing_but_feature_files_is_taken(drills: Project) -> None:
    drills.write("features/notes.md", "Feature: no")
    drills.write("features/x.feature.bak", "Feature: no")
    assert drills.ids() == ALL


# ---- what an item knows


def test_a_drill_knows_its_steps_and_phases(drills: Project) -> None:
    item = items(drills)[0]
    assert item.scenario.is_drill
    assert item.scenario.phases == tuple(
        Phase(name) for name in ("baseline", "fault", "symptoms", "symptoms", "recovery", "criteria")
    )
    assert item.scenario.steps[0] == PlannedStep("Given", "the system is healthy", 6, StepKind.GIVEN)
    assert item.scenario.steps[3] == PlannedStep(
        "And", 'within 1 minute the API reports "queue" as degraded', 14, StepKind.THEN
    )
    assert [step.kind for step in item.scenario.steps] == [
        StepKind.GIVEN, StepKind.FAULT, StepKind.THEN, StepKind.THEN, StepKind.RECOVERY, StepKind.THEN,
    ]  # fmt: skip


def test_a_drill_knows_where_it_comes_from(drills: Project) -> None:
    item = items(drills)[0]
    assert (item.scenario.feature_path, item.scenario.line) == ("features/x.feature", 9)
    assert (item.scenario.feature_name, item.scenario.rule_name, item.scenario.name) == (
        "Redis",
        None,
        "The network is cut",
    )
    assert item.scenario.description == "It happens."
    assert isinstance(item.parent, FeatureFile)


def test_an_ordinary_test_has_no_phases(drills: Project) -> None:
    item = items(drills)[1]
    assert (item.scenario.is_drill, item.scenario.phases) == (False, ())


def test_a_row_knows_its_line_and_is_rendered(drills: Project) -> None:
    item = items(drills)[2]
    assert (item.scenario.line, item.scenario.name, item.scenario.rule_name) == (28, "Jörg calls", "Calls go on")
    assert [step.text for step in item.scenario.steps] == ["the system is healthy", 'somebody calls "Jörg"']
    assert isinstance(item.parent, RuleNode)
    assert isinstance(item.parent.parent, FeatureFile)


def test_and_and_but_have_the_kind_of_the_step_before(project: Project) -> None:
    project.feature("""\
        Feature: F
          Scenario: S
            Given the system is healthy
            When the network between "a" and "b" is cut
            And the network between "c" and "d" is cut
            But the network between "e" and "f" is cut
            Then within 1 second the API reports "a" as down
            * within 1 second the API reports "c" as down
            When the recovery playbook "x" is run
            And the recovery playbook "y" is run
            Then within 1 second the API reports "a" as up
        """)
    kinds = [step.kind for step in items(project)[0].scenario.steps]
    assert kinds == [
        StepKind.GIVEN,
        *[StepKind.FAULT] * 3,
        *[StepKind.THEN] * 2,
        *[StepKind.RECOVERY] * 2,
        StepKind.THEN,
    ]


def test_tags_are_whole_and_those_of_one_value_are_the_nearest(drills: Project) -> None:
    network, ana, _, bob, *_ = items(drills)
    assert network.scenario.tags == {"runbook:redis.md#restore", "severity:P1", "rto:5m", "network", "row:R1"}
    assert ana.scenario.tags == {
        "runbook:redis.md#restore",
        "severity:P1",
        "rto:10m",
        "network",
        "slow-ones",
        "calls",
        "eu",
    }
    assert bob.scenario.tag_values("severity") == ("P3",)
    assert bob.scenario.tag_values("runbook") == ("redis.md#restore",)
    assert bob.scenario.tag_values("row") == ()


def test_a_feature_is_a_module_for_its_fixtures(project: Project) -> None:
    project.steps("""
        @pytest.fixture(scope="module")
        def once(request):
            with Path("modules").open("a") as file:
                print(request.module.__name__, file=file)

        @given("it is there once")
        def there(once): ...
        """)
    for name in ("a", "b"):
        project.feature(
            """\
            Feature: F
              Scenario: One
                Given it is there once
              Scenario: Two
                Given it is there once
            """,
            f"features/{name}.feature",
        )
    project.run().assert_outcomes(passed=4)
    assert (project.path / "modules").read_text().split() == ["a", "b"]


# ---- running


def test_steps_run_in_order_with_the_background_first(drills: Project) -> None:
    drills.run(NETWORK).assert_outcomes(passed=1)
    assert drills.ran == [
        "healthy", "cut api redis", "redis down 30", "queue degraded 60", "recover redis/restore", "redis up 600",
    ]  # fmt: skip


def test_each_row_runs(drills: Project) -> None:
    drills.run("-m", "us").assert_outcomes(passed=3, deselected=3)
    assert [line for line in drills.ran if line != "healthy"] == ["call Bob", "call [x]", "call Bob"]


def test_the_background_of_a_rule_comes_after_the_features(project: Project) -> None:
    project.feature("""\
        Feature: F
          Background:
            Given the system is healthy
          Rule: R
            Background:
              When somebody calls "Ana"
            Scenario: S
              When somebody calls "Bob"
        """)
    project.run().assert_outcomes(passed=1)
    assert project.ran == ["healthy", "call Ana", "call Bob"]


TABLES = """
    @given("the people")
    @given("nobody")
    def people(datatable):
        Path("ran").write_text(repr(datatable))

    @given("the text")
    @given("no text")
    def text(docstring):
        Path("ran").write_text(repr(docstring))
    """


@pytest.mark.parametrize(
    ("step", "value"),
    [
        ("Given the people\n      | name | <who> |", "[['name', 'Ana']]"),
        ("Given nobody", "None"),
        ('Given the text\n      """\n      one <who>\n        two\n      """', r"'one Ana\n  two'"),
        ("Given no text", "None"),
    ],
    ids=["table", "no table", "doc string", "no doc string"],
)
def test_tables_and_doc_strings(project: Project, step: str, value: str) -> None:
    project.steps(TABLES)
    project.write(
        "features/x.feature",
        f"Feature: F\n  Scenario Outline: S\n    {step}\n    Examples:\n      | who |\n      | Ana |\n",
    )
    project.run().assert_outcomes(passed=1)
    assert project.ran == [value]


def test_a_localised_feature(project: Project) -> None:
    project.steps("""
        @given("le système va bien")
        def bien(): ...
        @when(parse('on appelle "{qui}"'))
        def appelle(qui):
            Path("ran").write_text(qui)
        @then("tout va bien")
        def tout(): ...
        """)
    project.feature("""\
        # language: fr
        Fonctionnalité: Redis
          Plan du scénario: On appelle
            Étant donné que le système va bien
            Quand on appelle "<qui>"
            Alors tout va bien
            Exemples:
              | qui |
              | Zoé |
        """)
    project.run().assert_outcomes(passed=1)
    assert project.ran == ["Zoé"]
    assert [step.keyword for step in items(project)[0].scenario.steps] == ["Étant donné que", "Quand", "Alors"]


def test_a_generator_step_ends_after_the_scenario(project: Project) -> None:
    project.steps("""
        def note(what):
            with Path("ran").open("a") as file:
                print(what, file=file)

        @given("a door", target_fixture="door")
        def door():
            yield "open"
            note("closed")

        @when("somebody enters")
        def enters(door):
            note(door)
        """)
    project.feature("Feature: F\n  Scenario: S\n    Given a door\n    When somebody enters\n")
    project.run().assert_outcomes(passed=1)
    assert project.ran == ["open", "closed"]


def test_a_fault_takes_fixtures_converters_hints_and_gives_a_fixture(project: Project) -> None:
    project.steps(
        """
        from __future__ import annotations
        """,
        "steps/_none.py",
    )
    project.steps("""
        @pytest.fixture
        def base():
            return 40

        @fault(parse("{n} things break"), converters={"n": int}, target_fixture="broken")
        def breaks(base: int, n: int, extra: str = "!") -> int:
            return base + n

        @then("they are broken")
        def are_broken(broken: int, request) -> None:
            Path("ran").write_text(f"{broken} {request.node.name}")
        """)
    project.feature("""\
        Feature: F
          Scenario: S
            Given the system is healthy
            When 2 things break
            Then they are broken
            When the recovery playbook "x" is run
            Then they are broken
        """)
    project.run().assert_outcomes(passed=1)
    assert project.ran == ["42 S"]


def test_skip_and_xfail_tags(project: Project) -> None:
    project.steps("""
        @given("it fails")
        def fails():
            assert False
        """)
    project.feature("""\
        Feature: F
          @skip
          Scenario: A
            Given it fails
          @xfail
          Scenario: B
            Given it fails
        """)
    project.run().assert_outcomes(skipped=1, xfailed=1)


def test_the_hook_for_tags_is_asked_first(project: Project) -> None:
    project.write(
        "conftest.py",
        """\
        import pytest
        def pytest_bdd_apply_tag(tag, function):
            if tag == "todo":
                pytest.mark.skip(reason="to do")(function)
                return True
        """,
    )
    project.feature("Feature: F\n  @todo\n  Scenario: S\n    Given the system is healthy\n")
    project.run().assert_outcomes(skipped=1)


def test_the_hooks_of_pytest_bdd_are_called(project: Project) -> None:
    project.write(
        "conftest.py",
        """\
        from pathlib import Path
        def note(what):
            with Path("hooks").open("a") as file:
                print(what, file=file)
        def pytest_bdd_before_scenario(scenario): note(f"scenario {scenario.name}")
        def pytest_bdd_after_scenario(scenario): note("end")
        def pytest_bdd_before_step(step): note(step.name)
        def pytest_bdd_after_step(step): note("done")
        def pytest_bdd_step_error(step, exception): note(repr(exception))
        """,
    )
    project.steps("""
        @then("it fails")
        def fails():
            raise RuntimeError(1)
        """)
    project.feature("Feature: F\n  Scenario: S\n    Given the system is healthy\n    Then it fails\n")
    project.run().assert_outcomes(failed=1)
    assert (project.path / "hooks").read_text().splitlines() == [
        "scenario S", "the system is healthy", "done", "it fails", "RuntimeError(1)", "end",
    ]  # fmt: skip


def test_a_sentence_is_looked_up_once(project: Project) -> None:
    project.steps("""
        from pytest_bdd import parsers
        class Counting(parsers.parse):
            def is_matching(self, name):
                with Path("looked_up").open("a") as file:
                    print(name, file=file)
                return super().is_matching(name)
        @given(Counting("thing {n} is there"))
        def there(n): ...
        """)
    for name in ("a", "b"):
        scenarios = "".join(f"  Scenario: S{n}\n    Given thing {n % 2} is there\n" for n in range(10))
        project.write(f"features/{name}.feature", f"Feature: F\n{scenarios}")
    project.run("--collect-only")
    assert sorted((project.path / "looked_up").read_text().splitlines()) == ["thing 0 is there", "thing 1 is there"]


# ---- other parts of pytest


def test_junit_names_the_feature_and_the_line_of_the_row(drills: Project) -> None:
    drills.run("--junitxml=out.xml", "-o", "junit_family=xunit1").assert_outcomes(passed=6)
    cases = {case.get("name"): case for case in ET.parse(drills.path / "out.xml").iter("testcase")}
    # JUnit counts lines from 0, as pytest's own report of a Python test does.
    assert (cases["The network is cut"].get("file"), cases["The network is cut"].get("line")) == (
        "features/x.feature",
        "8",
    )
    assert (cases["<who> calls[Jörg]"].get("file"), cases["<who> calls[Jörg]"].get("line")) == (
        "features/x.feature",
        "27",
    )


def test_xdist_collects_the_same(drills: Project) -> None:
    result = drills.run("-n", "2", "-v")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines_random([f"*PASSED*{NETWORK}*", "*PASSED*<who> calls?Jörg?*"])


def test_verbose_shows_names_with_dots_as_they_are(project: Project) -> None:
    project.feature("Feature: F\n  Scenario: Answers in 2.5 s\n    Given the system is healthy\n")
    project.run("-v").stdout.fnmatch_lines(["features/x.feature::Answers in 2.5 s PASSED*"])


def test_python_tests_beside_features(drills: Project) -> None:
    drills.write("features/test_plain.py", "def test_plain(): pass")
    drills.run().assert_outcomes(passed=7)


def test_stepwise_random_and_repeated_arguments(drills: Project) -> None:
    drills.run(NETWORK, NETWORK, "features/x.feature::Calls go on").assert_outcomes(passed=6)


def test_each_row_is_run_by_its_own_id_also_one_without_values(project: Project) -> None:
    project.feature(
        """\
        Feature: F
          Scenario Outline: It is healthy
            Given the system is healthy
            Examples:
              | of  | by  |
              |     |     |
              | a-b | c   |
              | a   | b-c |
        """
    )
    found = [f"features/x.feature::It is healthy[{row}]" for row in ("-", "a-b-c", "a-b-c_2")]
    assert project.ids() == found
    for each in found:
        assert project.ids(each) == [each]
