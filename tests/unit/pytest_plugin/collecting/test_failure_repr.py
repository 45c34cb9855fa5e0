"""A failed scenario shows its steps, and of the traceback only what is the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drillbook.errors import DrillbookError, PlaybookError
from drillbook.evidence.redaction import Redactor
from drillbook.pytest_plugin.collecting.failure_repr import sentence_of, without_secrets

if TYPE_CHECKING:
    from tests.conftest import Project

pytestmark = pytest.mark.unit

FEATURE = """\
    Feature: Redis
      Scenario: It fails
        Given the system is healthy
        Then it is wrong
        And it is never reached
    """


@pytest.fixture
def failing(project: Project) -> Project:
    project.feature(FEATURE)
    project.steps("@then('it is never reached')\ndef never(): ...", "steps/never.py")
    return project


TRAIL = [
    "  passed   features/x.feature:3  Given the system is healthy",
    "  FAILED   features/x.feature:4  Then it is wrong",
    "  not run  features/x.feature:5  And it is never reached",
]


def test_steps_then_the_users_frame_alone(failing: Project) -> None:
    failing.steps("""
        @then("it is wrong")
        def wrong(request):
            measured = 3
            assert measured == 2
        """)
    result = failing.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Redis: It fails*",
            *TRAIL,
            "",
            "*def wrong(request):",
            ">       assert measured == 2",
            "E       assert 3 == 2",
            "steps/more.py:7: AssertionError",
            "FAILED features/x.feature::It fails - assert 3 == 2",
        ]
    )
    for machinery in ("pytest_bdd/", "pluggy/", "_pytest/", "collection.py", "run_steps"):
        result.stdout.no_fnmatch_line(f"*{machinery}*")


def test_frames_below_the_step_are_shown(failing: Project) -> None:
    failing.steps("def inner():\n    raise KeyError('k')", "steps/_inner.py")
    failing.steps("""
        from steps._inner import inner
        @then("it is wrong")
        def wrong():
            middle()
        def middle():
            inner()
        """)
    result = failing.run()
    result.stdout.fnmatch_lines(
        [
            *TRAIL,
            ">       middle()",
            "steps/more.py:7:*",
            "steps/more.py:9: in middle",
            "E       KeyError: 'k'",
            "steps/_inner.py:5: KeyError",
        ]
    )


@pytest.mark.parametrize(
    ("step", "last"),
    [
        ("@then('it is wrong')\ndef wrong():\n    pytest.fail('too late')", "E       Failed: too late"),
        ("@then('it is wrong')\ndef wrong():\n    pytest.fail('too late', pytrace=False)", "too late"),
        (
            "@then('it is wrong')\ndef wrong():\n    with pytest.raises(KeyError): pass",
            "E       Failed: DID NOT RAISE*",
        ),
        ("@then('it is wrong')\ndef wrong():\n    yield 1 / 0", "E       ZeroDivisionError: division by zero"),
        (
            "@then(parse('it {n} wrong'), converters={'n': lambda text: int(text)})\ndef wrong(n): ...",
            "E*ValueError: invalid literal for int*",
        ),
    ],
    ids=["fail", "fail without trace", "raises", "generator", "converter"],
)
def test_other_ways_to_fail(failing: Project, step: str, last: str) -> None:
    failing.steps(step)
    result = failing.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([*TRAIL, last])
    result.stdout.no_fnmatch_line("*pytest_bdd*")


def test_a_fixture_that_a_step_asks_for(failing: Project) -> None:
    failing.steps("""
        @pytest.fixture
        def door():
            raise RuntimeError("stuck")
        @then("it is wrong")
        def wrong(door): ...
        """)
    result = failing.run()
    result.stdout.fnmatch_lines(
        [*TRAIL, "*def door():", "E       RuntimeError: stuck", "steps/more.py:6: RuntimeError"]
    )
    result.stdout.no_fnmatch_line("*pytest_bdd*")


def test_a_chain_of_exceptions(failing: Project) -> None:
    failing.steps("""
        @then("it is wrong")
        def wrong():
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise RuntimeError("wrapped") from error
        """)
    result = failing.run()
    result.stdout.fnmatch_lines([*TRAIL, "E*ZeroDivisionError*", "*direct cause*", "E*RuntimeError: wrapped"])
    result.stdout.no_fnmatch_line("*pytest_bdd*")
    assert result.stdout.str().count("FAILED   features/x.feature:4") == 1


# ---- errors that are sentences

SENTENCE = """
    from drillbook.errors import PlaybookError
    class Late(AssertionError):
        __drillbook_sentence__ = True
    class Told(Exception):
        __drillbook_sentence__ = "told otherwise"
    @then("it is wrong")
    def wrong():
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise {} from error
    """


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("PlaybookError('the playbook x.yml is not there')", "the playbook x.yml is not there"),
        ("Late('up after 12 s, required 10 s')", "up after 12 s, required 10 s"),
        ("Told('x')", "told otherwise"),
    ],
)
def test_a_sentence_comes_first_and_has_no_traceback(failing: Project, error: str, says: str) -> None:
    failing.steps(SENTENCE.format(error))
    result = failing.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ Redis: It fails _*",
            says,
            "",
            *TRAIL,
            "*short test summary*",
            f"FAILED features/x.feature::It fails - {says}",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("error", ["RuntimeError('the playbook x.yml is not there')"])
def test_any_other_error_has_a_traceback(failing: Project, error: str) -> None:
    failing.steps(SENTENCE.format(error))
    failing.run().stdout.fnmatch_lines(
        [*TRAIL, ">*raise RuntimeError*", "E*RuntimeError: the playbook x.yml is not there"]
    )


def test_a_sentence_from_a_fixture_of_the_set_up(failing: Project) -> None:
    failing.write(
        "conftest.py",
        """\
        import pytest
        from drillbook.errors import GuardError
        @pytest.fixture(autouse=True)
        def guard():
            raise GuardError("production is not drilled")
        """,
    )
    failing.steps("@then('it is wrong')\ndef wrong(): ...")
    result = failing.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*_ ERROR at setup of Redis: It fails _*", "production is not drilled", "*short test summary*"],
        consecutive=True,
    )


def test_an_error_of_the_teardown_does_not_blame_a_step(failing: Project) -> None:
    failing.steps("""
        @then("it is wrong")
        def wrong():
            yield
            raise RuntimeError("at the end")
        """)
    result = failing.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E*RuntimeError: at the end"])
    result.stdout.no_fnmatch_line("*FAILED *features/x.feature:*")
    result.stdout.no_fnmatch_line("*_teardown_yield_fixture*")


# ---- options and other reporters


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--tb=short"], [*TRAIL, "steps/more.py:*: in wrong", "E   ZeroDivisionError: division by zero"]),
        (["--tb=line"], ["*steps/more.py:*: ZeroDivisionError: division by zero"]),
        (["--tb=native"], [*TRAIL, "Traceback*", "ZeroDivisionError: division by zero"]),
        (["--full-trace"], [*TRAIL, "*pytest_bdd*", "E*ZeroDivisionError: division by zero"]),
        (
            ["-n", "1"],
            [*TRAIL, "E       ZeroDivisionError: division by zero", "FAILED *- ZeroDivisionError: division by zero"],
        ),
    ],
    ids=lambda value: value[0] if value[0].startswith("-") else "",
)
def test_other_styles(failing: Project, args: list[str], expected: list[str]) -> None:
    failing.steps("@then('it is wrong')\ndef wrong():\n    1 / 0")
    result = failing.run(*args)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(expected)


def test_a_sentence_survives_xdist_and_junit(failing: Project) -> None:
    failing.steps(SENTENCE.format("Late('up after 12 s')"))
    result = failing.run("-n", "1", "--junitxml=out.xml")
    result.stdout.fnmatch_lines(["up after 12 s", "", *TRAIL, "FAILED features/x.feature::It fails - up after 12 s"])
    text = (failing.path / "out.xml").read_text()
    assert 'message="up after 12 s"' in text
    assert "FAILED   features/x.feature:4  Then it is wrong" in text


def test_a_sentence_with_full_trace_has_its_traceback(failing: Project) -> None:
    failing.steps(SENTENCE.format("Late('up after 12 s')"))
    failing.run("--full-trace").stdout.fnmatch_lines([*TRAIL, "E*ZeroDivisionError*", "E*Late: up after 12 s"])


def test_the_row_of_an_outline(project: Project) -> None:
    project.steps("@then(parse('it is {n:d}'))\ndef right(n):\n    assert n == 1")
    project.feature("""\
        Feature: F
          Scenario Outline: S
            Then it is <n>
            Examples:
              | n |
              | 1 |
              | 2 |
        """)
    project.run().stdout.fnmatch_lines(
        ["*F: S*", "  FAILED   features/x.feature:3  Then it is 2", "FAILED features/x.feature::S?2? - assert 2 == 1"]
    )


# ---- which errors are sentences


def test_sentence_of() -> None:
    class Marked(Exception):
        __drillbook_sentence__ = True

    class Unmarked(Marked):
        __drillbook_sentence__ = False

    assert sentence_of(DrillbookError("a")) == "a"
    assert sentence_of(PlaybookError("b")) == "b"
    assert sentence_of(Marked("c")) == "c"
    assert sentence_of(Unmarked("d")) is None
    assert sentence_of(ValueError("e")) is None


def test_a_secret_of_several_lines_is_redacted_although_pytest_marks_each_of_them() -> None:
    redactor = Redactor()
    redactor.add("key", "one\ntwo\nthree")
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("the key is one\ntwo\nthree!")
    shown = caught.getrepr()
    assert "E           RuntimeError: the key is one\nE           two" in str(shown)
    assert "RuntimeError: the key is [REDACTED:key]!" in without_secrets(shown, redactor.text)
