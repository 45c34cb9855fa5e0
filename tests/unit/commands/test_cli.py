"""What of a command line is ours and what goes to pytest, and what a call imports."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drillbook.commands.cli import COMMANDS, app
from drillbook.evidence.sealing import bundle
from tests.support import ROOT

pytestmark = pytest.mark.unit

EXAMPLE = ROOT / "tests/data/drill_example"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the commands were called with. They are not run: that takes labs, and tests/drills do it."""
    calls: list[Any] = []

    def drills(features: list[str], labs: int | None, options: list[str], say: Any) -> int:
        calls.append((features, labs, options))
        return 0

    def prove(arguments: list[str], *, ablate: bool, say: Any) -> int:
        calls.append((arguments, ablate))
        return 0

    monkeypatch.setattr("drillbook.commands.fleet.command.run", drills)
    monkeypatch.setattr("drillbook.commands.prove.prove", prove)
    return calls


@pytest.mark.parametrize(
    ("words", "features", "labs", "options"),
    [
        ([], [], None, []),
        (["--labs", "3", "a.feature", "b.feature"], ["a.feature", "b.feature"], 3, []),
        (["features", "-p", "no:that"], ["features"], None, ["-p", "no:that"]),
        (["--labs=1", "features", "-k", "one or two", "-x"], ["features"], 1, ["-k", "one or two", "-x"]),
        (["-k=access"], [], None, ["-k=access"]),
        (["-k", "access"], [], None, ["-k", "access"]),
        (["--inventory", "inventories/mine", "a.feature"], ["a.feature"], None, ["--inventory=inventories/mine"]),
        (
            ["--inventory=a", "--inventory=b", "a.feature", "--allow-production=shop"],
            ["a.feature"],
            None,
            ["--inventory=a", "--inventory=b", "--allow-production=shop"],
        ),
        (["a.feature", "--inventory=a"], ["a.feature"], None, ["--inventory=a"]),
    ],
)
def test_pytest_s_options_follow_the_features_with_their_values(
    given: list[Any], words: list[str], features: list[str], labs: int | None, options: list[str]
) -> None:
    ran = CliRunner().invoke(app, ["drills", *words])
    assert ran.exit_code == 0, ran.output
    assert given == [(features, labs, options)]


def test_prove_hands_on_in_order(given: list[Any]) -> None:
    ran = CliRunner().invoke(app, ["prove", "--ablate", "a.feature", "-p", "no:that", "--evidence=e"])
    assert ran.exit_code == 0, ran.output
    assert given == [(["a.feature", "-p", "no:that", "--evidence=e"], True)]


@pytest.mark.parametrize("words", [["--lf"], ["-k", "redis"], ["--ablate", "-x"]])
def test_a_proof_of_no_features_is_a_wrong_call(given: list[Any], words: list[str]) -> None:
    ran = CliRunner().invoke(app, ["prove", *words])
    assert ran.exit_code == 64
    assert "drillbook: name the features to prove, before the options of pytest" in ran.output
    assert given == []


@pytest.mark.parametrize("words", [("drills", "features", "--labs", "3"), ("prove", "features", "--ablate")])
def test_an_option_of_ours_behind_the_features_is_told(given: list[Any], words: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(app, list(words))
    assert ran.exit_code == 64
    assert f"drillbook: {words[2]} belongs before the features: what follows them goes to pytest" in ran.output
    assert given == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("none", "cannot be read (No such file or directory): name an evidence folder that holds content/drill.json"),
        ("empty", "cannot be read (No such file or directory): name an evidence folder that holds content/drill.json"),
        ("file", "cannot be read (Not a directory): name an evidence folder that holds content/drill.json"),
        ("damaged", "the evidence was damaged after it was written"),
    ],
)
def test_a_report_of_no_evidence_is_one_sentence(tmp_path: Path, wrong: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "damaged/content").mkdir(parents=True)
    (tmp_path / "damaged/content/drill.json").write_text("{")
    ran = CliRunner().invoke(app, ["report", str(tmp_path / wrong)])
    assert ran.exit_code == 64
    assert ran.output.startswith(f"drillbook: {tmp_path / wrong}/content/drill.json: ")
    assert says in ran.output
    assert len(ran.output.splitlines()) == 1


def test_a_report_is_written_again_and_named(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "content", tmp_path / "content")
    ran = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert (ran.exit_code, ran.output) == (0, f"{tmp_path}/content/report.html\n")
    assert (tmp_path / "content/report.html").read_text().startswith("<!DOCTYPE html>")


def test_a_report_of_what_is_sealed_breaks_no_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kept"
    shutil.copytree(EXAMPLE / "content", folder / "content")
    bundle.write_sums(folder, bundle.sums_of(folder))
    assert CliRunner().invoke(app, ["report", str(folder)]).exit_code == 0
    sums = (folder / "SHA256SUMS").read_text()
    assert "report.html" in sums and sums == bundle.sums_of(folder), "unsigned: it is listed"
    (folder / "attestations.intoto.jsonl").touch()
    before = sorted(folder.rglob("*"))
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(app, ["report", "kept"])
    assert (ran.exit_code, ran.output) == (0, "kept.html\n"), "signed: it is written elsewhere"
    assert sorted(folder.rglob("*")) == before and bundle.sums_of(folder) == sums


def test_the_version_is_told() -> None:
    ran = CliRunner().invoke(app, ["--version"])
    assert (ran.exit_code, ran.output) == (0, f"drillbook {version('drillbook')}\n")


@pytest.mark.parametrize("words", [("--version",), ("status", "--help")])
def test_python_runs_it_as_a_module(words: tuple[str, ...]) -> None:
    ran = subprocess.run([sys.executable, "-m", "drillbook", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "drillbook status" in ran.stdout or ran.stdout.startswith("drillbook 0.")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("drillbook p", ["prove"]),
        ("drillbook drills --in", ["--inventory"]),
        ("drillbook restore --", ["--inventory", "--check", "--help"]),
        ("drillbook lab u", ["up"]),
        ("drillbook evidence sh", ["show"]),
    ],
)
def test_a_shell_completes_commands_and_the_options_of_each(words: str, offered: list[str]) -> None:
    place = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_DRILLBOOK_COMPLETE": "complete_bash"}
    ran = CliRunner().invoke(app, [], prog_name="drillbook", env=place)
    assert ran.output.split() == offered


# ------------------------------------------------------------------ what a call imports

LOOK = """
import sys
from typer.testing import CliRunner
from drillbook.commands.cli import app
ran = CliRunner().invoke(app, sys.argv[1:])
assert ran.exit_code == 0, ran.output
print(*sys.modules)
"""
ENTRIES = "drillbook.commands.entries."


def imported(*words: str) -> set[str]:
    """What a process of its own has imported after this call."""
    done = subprocess.run([sys.executable, "-c", LOOK, *words], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_imports_itself_and_none_of_the_others(name: str) -> None:
    found = imported(name, "--help")
    assert {each.removeprefix(ENTRIES) for each in found if each.startswith(ENTRIES)} == {name, "calls"}
    assert "drillbook_lab" not in found


def test_the_help_imports_no_command_of_ours() -> None:
    found = imported("--help")
    assert "drillbook.commands.cli" in found
    assert not [each for each in found if each.startswith(ENTRIES)]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    entry = importlib.import_module(f"{ENTRIES}{name}")
    group = entry.app.registered_callback  # of a command that has commands of its own
    (command,) = [group] if group is not None else entry.app.registered_commands
    assert str(inspect.getdoc(command.callback)).partition("\n")[0] == COMMANDS[name]


def test_the_help_lists_each_command_and_those_of_entry_points() -> None:
    ran = CliRunner().invoke(app, ["--help"])
    assert ran.exit_code == 0
    for name in (*COMMANDS, "lab"):
        assert re.search(rf"^\W*{name} ", ran.output, re.M), name


def test_a_command_without_its_parts_says_which_extra_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = EntryPoint("lab", "drillbook_lab.no_such_part:app", "drillbook.commands")
    monkeypatch.setattr("drillbook.commands.cli.entry_points", lambda group: [gone])
    ran = CliRunner().invoke(app, ["lab", "up", "--state", "x"])
    assert ran.exit_code == 64
    assert "drillbook: this command needs the extra 'lab': pip install 'drillbook[lab]'" in ran.output
    listed = CliRunner().invoke(app, ["--help"])
    assert "(needs the extra 'lab')" in listed.output


def test_there_is_no_other_command() -> None:
    assert CliRunner().invoke(app, ["nope"]).exit_code == 2
