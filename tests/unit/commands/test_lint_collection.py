"""A repository is read by pytest's own collection: what is refused, said, used, and what is not there."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.commands import lint as command
from drillbook.commands.lint_collection import WrongCallError, read
from drillbook.evidence.redaction import Redactor
from drillbook.model.phases import StepKind
from drillbook.repository.lint import judge
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding

pytestmark = pytest.mark.unit


def test_no_finding_tells_a_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.add("token", "swordfish")
    refused = Finding("features/swordfish.feature", 3, "refused", "'it is swordfish' is not defined")
    found = Repository(tmp_path, refused=(refused,), redact=redactor.text)
    monkeypatch.setattr(command, "read", lambda *_: found)
    monkeypatch.setattr("drillbook.commands.lint.ansible_lint.check", lambda *_: [])
    said = "\n".join(command.lint().lines())
    assert "features/[REDACTED:token].feature:3: refused: 'it is [REDACTED:token]' is not defined" in said
    assert "swordfish" not in said


STEPS = """\
import pathlib
from drillbook import fault, given, parse, recovery, then
from drillbook.checks import At

WEB = At("web", "the web service")

@given("it is well")
def well(drill):
    drill.expect(WEB.answers())

@fault(parse('it breaks by "{name}"'))
def breaks(drill, name):
    drill.inject(name)

@then("it hurts")
def hurts(drill):
    drill.eventually(WEB.silent(), within=5)

@recovery(parse('"{name}" is run'))
def run(drill, name):
    drill.recover(name)

@then("nobody says it")
def unsaid(drill): ...

@fault("somebody writes a file")
def writes(drill):
    pathlib.Path("touched").touch()
"""
FEATURE = """\
@rto:1m
Feature: F
  Scenario: S
    Given it is well
    When it breaks by "cut"
    Then it hurts
    When "fix" is run
    Then it hurts
"""
UNDO = "- name: Whole\n  hosts: all\n  tasks: [{name: Gone, ansible.builtin.assert: {that: x}}]\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository without an inventory, so that nothing asks Ansible; its steps are forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("DRILLBOOK_INVENTORY", raising=False)
    before = set(sys.modules)
    for name, text in {
        "pytest.ini": (
            "[pytest]\naddopts = -p no:cacheprovider -x -k nothing -m nothing\n"
            "filterwarnings = error\ndrillbook_features = features\n"
        ),
        "steps/all.py": STEPS,
        "features/x.feature": FEATURE,
        "playbooks/faults/cut/inject.yml": "[]\n",
        "playbooks/faults/cut/undo.yml": UNDO,
        "playbooks/recovery/fix.yml": "[]\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "steps":
            del sys.modules[name]


def said(root: Path, *paths: str) -> list[str]:
    """All findings but that there is no inventory."""
    found = sorted(set(judge(read([Path(path) for path in paths], here=root))))
    return [str(each) for each in found if each.code != "inventory"]


def test_what_is_read(root: Path) -> None:
    repository = read([], here=root / "features")
    (scenario,) = repository.scenarios
    assert (repository.root, repository.features, repository.whole) == (root, ("features/x.feature",), True)
    assert [tuple((each.kind, each.name) for each in step.intents) for step in scenario.steps] == [
        (), ((StepKind.FAULT, "cut"),), (), ((StepKind.RECOVERY, "fix"),), ()
    ]  # fmt: skip
    assert [step.endpoints for step in scenario.steps] == [("web",), (), ("web",), (), ("web",)]
    assert {each.sentence: each.used for each in repository.definitions} == {
        "it is well": True,
        'it breaks by "{name}"': True,
        "it hurts": True,
        '"{name}" is run': True,
        "nobody says it": False,
        "somebody writes a file": False,
    }
    assert repository.inventory is None
    assert str(repository.inventory_problem).startswith("There is no inventory")


class _Left:
    """A cycle that nobody holds, and whose end goes wrong: as a connection that somebody forgot to close."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        raise OSError("left open")


def test_what_the_process_left_before_is_no_finding(root: Path) -> None:
    gc.disable()
    try:
        _Left()
        assert read([], here=root).features == ("features/x.feature",)
    finally:
        gc.enable()


def test_a_repository_whose_steps_are_not_all_used(root: Path) -> None:
    assert said(root) == [
        "steps/all.py:23: unused-step: no scenario says 'nobody says it' (warning)",
        "steps/all.py:26: unused-step: no scenario says 'somebody writes a file' (warning)",
    ]


def test_what_collection_refuses_is_said_of_every_feature(root: Path) -> None:
    (root / "features/a.feature").write_text("Feature: A\n  Scenario: S\n    Given nonsense\n    When more\n")
    (root / "features/b.feature").write_text(
        FEATURE.replace("@rto:1m", "@rto:soon").replace("    Given it is well\n", "")
    )
    found = said(root)
    assert (
        found[0]
        == "features/a.feature:1: unused: not looked at: what no scenario uses, since a feature was refused (note)"
    )
    assert found[1].startswith("features/a.feature:3: refused: 'Given nonsense' is not defined")
    assert found[2].startswith("features/a.feature:4: refused: 'When more' is not defined")
    assert found[3].startswith("features/b.feature:1: refused: @rto:soon: 'soon' is not a duration")
    assert "features/b.feature:4: refused: the drill has no baseline" in "\n".join(found[4:])


def test_a_step_module_that_cannot_be_imported(root: Path) -> None:
    (root / "steps/broken.py").write_text("import nothing_of_this_name\n")
    assert said(root)[-1].startswith("steps/broken.py:1: refused: this step module cannot be imported: ")


def test_names_without_a_playbook(root: Path) -> None:
    (root / "playbooks/recovery/fix.yml").rename(root / "playbooks/recovery/other.yml")
    assert said(root)[:2] == [
        ("features/x.feature:7: no-playbook: 'When \"fix\" is run' names a recovery that is not there: no "
        "playbooks/recovery/fix.yml"),
        "playbooks/recovery/other.yml:1: unused-recovery: no scenario uses the recovery 'other' (warning)",
    ]  # fmt: skip


def test_a_step_that_might_touch_something_is_not_executed(root: Path) -> None:
    (root / "features/x.feature").write_text(FEATURE.replace('it breaks by "cut"', "somebody writes a file"))
    assert (
        "features/x.feature:5: not-looked-into: 'When somebody writes a file' was not looked into, so its playbook is "
        "not known: it calls pathlib.Path(), which is not known to be harmless (steps/all.py:28) (warning)"
    ) in said(root)
    assert not (root / "touched").exists()


def test_some_features_only(root: Path) -> None:
    assert said(root, "features/x.feature") == [
        "features/x.feature:1: unused: not looked at: what no scenario uses, since only some features were named (note)"
    ]


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [(["nope"], r"there is no .*/nope: name features"), (["steps"], r"there is no feature below .*/steps")],
)
def test_a_wrong_call(root: Path, paths: list[str], sentence: str) -> None:
    with pytest.raises(WrongCallError, match=sentence):
        read([Path(path) for path in paths], here=root)


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(WrongCallError, match=r"there is no folder features/ here or above"):
        read([], here=tmp_path)


def test_pytest_that_cannot_begin(root: Path) -> None:
    (root / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    with pytest.raises(WrongCallError, match=r"pytest cannot collect here: .*no-such-option"):
        read([], here=root)
