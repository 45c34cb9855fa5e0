"""Step modules are found, loaded once, and refused with their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

pytestmark = pytest.mark.unit

FEATURE = "Feature: F\n  Scenario: S\n    Given {}\n"


def test_every_module_below_the_folder_is_loaded(project: Project) -> None:
    project.steps("@given('it is nested')\ndef nested(): ...", "steps/deep/er/words.py")
    project.feature(FEATURE.format("it is nested"))
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["_helpers.py", "__init__.py", "_private/words.py", ".hidden/words.py"])
def test_helpers_are_left_alone(project: Project, name: str) -> None:
    text = "1 / 0" if name != "__init__.py" else "@given('the system is healthy')\ndef healthy(): ..."
    project.steps(text, f"steps/{name}")
    project.feature(FEATURE.format("the system is healthy"))
    project.run().assert_outcomes(passed=1)


def test_a_module_may_import_its_neighbours_and_helpers(project: Project) -> None:
    project.steps("WORD = 'fine'", "steps/_words.py")
    project.steps("from steps._words import WORD\nfrom steps.zz import other\n@given('it is ' + WORD)\ndef fine(): ...")
    project.steps("@given('it is other')\ndef other():\n    assert 1 == 2", "steps/zz.py")
    project.feature(FEATURE.format("it is fine"))
    project.feature(FEATURE.format("it is other"), "features/y.feature")
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *assert 1 == 2"])


def test_fixtures_and_hooks_of_a_step_module_count(project: Project) -> None:
    project.steps("""
        @pytest.fixture
        def word():
            return "here"
        def pytest_bdd_before_scenario():
            Path("hook").touch()
        @given("it is there")
        def there(word):
            assert word == "here"
        """)
    project.feature(FEATURE.format("it is there"))
    project.run().assert_outcomes(passed=1)
    assert (project.path / "hook").exists()


def test_asserts_in_steps_are_explained(project: Project) -> None:
    project.steps("@given('it is wrong')\ndef wrong():\n    left = [1, 2]\n    assert left == [1, 3]")
    project.feature(FEATURE.format("it is wrong"))
    project.run().stdout.fnmatch_lines(["E *assert ?1, 2? == ?1, 3?"])


def test_other_folders_can_be_named(project: Project) -> None:
    project.write("pytest.ini", (project.path / "pytest.ini").read_text() + "drillbook_steps = words more/words\n")
    project.steps("@given('it is one')\ndef one(): ...", "words/a.py")
    project.steps("@given('it is two')\ndef two(): ...", "more/words/b.py")
    project.feature(FEATURE.format("it is one\n    And it is two"))
    project.run().assert_outcomes(passed=1)
    project.feature(FEATURE.format("the system is healthy"))
    project.run().stdout.fnmatch_lines(["*'Given the system is healthy' is not defined*"])


def test_a_folder_outside_the_repository(project: Project) -> None:
    outside = project.path.parent / f"{project.path.name}-outside" / "common_words"
    outside.mkdir(parents=True)
    (outside / "a.py").write_text("from drillbook import given\n@given('it is outside')\ndef there(): ...\n")
    project.write("pytest.ini", (project.path / "pytest.ini").read_text() + f"drillbook_steps = {outside}\n")
    project.feature(FEATURE.format("it is outside"))
    project.run().assert_outcomes(passed=1)


def test_a_named_folder_has_to_be_there(project: Project) -> None:
    project.write("pytest.ini", (project.path / "pytest.ini").read_text() + "drillbook_steps = wrods\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: drillbook_steps: there is no folder */wrods"])


def test_without_a_steps_folder_python_tests_run(project: Project) -> None:
    (project.path / "steps" / "system.py").unlink()
    (project.path / "steps").rmdir()
    project.write("test_plain.py", "def test_plain(): pass")
    project.run().assert_outcomes(passed=1)


def test_two_repositories_in_one_process(project: Project) -> None:
    project.feature(FEATURE.format("the system is healthy"))
    project.run().assert_outcomes(passed=1)
    other = project.path / "other"
    for name in ("pytest.ini", "collection_only.py"):
        project.write(f"other/{name}", (project.path / name).read_text())
    project.steps("@given('the system is other')\ndef other(): ...", "other/steps/system.py")
    project.feature(FEATURE.format("the system is other"), "other/features/x.feature")
    project.pytester.chdir()
    project.run("--rootdir", str(other), "-c", str(other / "pytest.ini"), str(other)).assert_outcomes(passed=1)


# ---- modules that cannot be imported

BROKEN = {
    "name": ("x = 1\nx = undefined_name\n", "steps/bad.py:2: *: NameError: name 'undefined_name' is not defined"),
    "syntax": ("x = 1\ndef f(:\n", "steps/bad.py:2: *: SyntaxError: invalid syntax"),
    "missing": ("import no_such_module\n", "steps/bad.py:1: *: ModuleNotFoundError: No module named 'no_such_module'"),
    "unknown type": (
        "from drillbook import given, parse\n\n@given(parse('it takes {x:Duratoin}'))\ndef f(x): ...\n",
        "steps/bad.py:3: *: ValueError: format spec 'Duratoin' not recognised",
    ),
    "two kinds": (
        "from drillbook import fault, recovery\n@fault('a')\n@recovery('b')\ndef both(): ...\n",
        "steps/bad.py:2: *: ValueError: both is a recovery and cannot also be a fault: write two step functions",
    ),
    "helper": (
        "import steps._words\n",
        "steps/bad.py:1: *: ZeroDivisionError: division by zero (steps/_words.py:4)",
    ),
    "skip": ("import pytest\npytest.skip('no')\n", "steps/bad.py:2: *: Skipped: no*"),
}


@pytest.mark.parametrize(("text", "says"), BROKEN.values(), ids=BROKEN)
def test_a_module_that_cannot_be_imported_refuses_the_features(project: Project, text: str, says: str) -> None:
    project.steps("1 / 0", "steps/_words.py")
    project.feature(FEATURE.format("the system is healthy"))
    project.write("steps/bad.py", text)
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert project.ran == []
    result.stdout.fnmatch_lines([says.replace("*: ", "this step module cannot be imported: ", 1)])
    result.stdout.no_fnmatch_line("*Traceback*")

    (project.path / "steps" / "bad.py").unlink()
    project.run().assert_outcomes(passed=1)


def test_all_broken_modules_are_said_once(project: Project) -> None:
    for name in ("a", "b"):
        project.feature(FEATURE.format("the system is healthy"), f"features/{name}.feature")
        project.write(f"steps/{name}.py", "1 / 0\n")
    result = project.run()
    result.assert_outcomes(errors=2)
    text = result.stdout.str()
    assert text.count("steps/a.py:1: this step module") == 1
    assert text.count("steps/b.py:1: this step module") == 1
    assert text.count("not read, as step modules cannot be imported: see features/a.feature") == 1


def test_a_broken_module_does_not_stop_python_tests(project: Project) -> None:
    project.write("steps/bad.py", "1 / 0\n")
    project.write("test_plain.py", "def test_plain(): pass")
    project.run().assert_outcomes(passed=1)


def test_a_blocked_module_is_not_loaded(project: Project) -> None:
    project.write("steps/bad.py", "1 / 0\n")
    project.feature(FEATURE.format("the system is healthy"))
    project.run("-p", "no:steps.bad").assert_outcomes(passed=1)


def test_help_needs_no_steps(project: Project) -> None:
    project.write("steps/bad.py", "1 / 0\n")
    result = project.run("--help")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*drillbook_steps*"])


def test_a_name_that_belongs_to_another_package(project: Project) -> None:
    project.write("pytest.ini", (project.path / "pytest.ini").read_text() + "drillbook_steps = email\n")
    project.steps("@given('it is taken')\ndef taken(): ...", "email/charset.py")
    project.feature(FEATURE.format("it is taken"))
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["email/charset.py:1: this step module cannot be imported: *"])
