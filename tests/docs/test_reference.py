"""The tables of the reference are those of the code: neither has an option, key, tag, command or outcome more."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from drillbook.commands.cli import COMMANDS
from drillbook.commands.entries.evidence import app as of_evidence
from drillbook.errors import InventoryError
from drillbook.model.times.default_limits import DEFAULTS_S
from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin import plugin
from drillbook.repository import feature_file
from drillbook.target.inventory.reader import InventoryReader
from drillbook.target.inventory.resolver import ResolvedInventory
from drillbook.target.inventory.settings import EndpointKind
from drillbook_lab.cli import app as lab
from tests.docs.blocks import ROOT

pytestmark = pytest.mark.unit

REFERENCE, ERRORS = (ROOT / "docs/guide" / name for name in ("reference.md", "errors.md"))


def rows(document: Path, after: str, text: str | None = None) -> list[list[str]]:
    """The cells of each row of the first table below the line `after`, without its head."""
    lines = (text or document.read_text(encoding="utf-8")).splitlines()
    begin = lines.index(after) + 1
    first = next(number for number in range(begin, len(lines)) if lines[number].startswith("|"))
    table = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return table


def quoted(cells: list[str]) -> list[str]:
    return [each for cell in cells for each in re.findall(r"`([^`]+)`", cell)]


class Pytest:
    """Takes the options and settings that the plugin adds."""

    def __init__(self) -> None:
        self.options: set[str] = set()
        self.settings: set[str] = set()

    def getgroup(self, *_: str) -> Pytest:
        return self

    def addoption(self, *names: str, **about: Any) -> None:
        if about.get("help") != argparse.SUPPRESS:
            self.options.update(names)

    def addini(self, name: str, *_: Any, **__: Any) -> None:
        self.settings.add(name)

    def is_registered(self, _: object) -> bool:
        return True


def test_options_and_settings_of_pytest() -> None:
    asked: Any = Pytest()
    plugin.pytest_addoption(asked, asked)
    said = [word for row in rows(REFERENCE, "## Options") for word in quoted(row[:2])]
    written = {word.split()[0] for word in said}
    assert {word for word in written if word.startswith("--")} == asked.options
    assert {word for word in written if word.startswith("drillbook_")} == asked.settings


def test_commands() -> None:
    said = [command for row in rows(REFERENCE, "## Commands") for command in quoted(row[:1])]
    ours = [command.split()[1:] for command in said if command.startswith("drillbook ")]
    assert {words[0] for words in ours if not words[0].startswith("-")} == {*COMMANDS, "lab"}
    group: Any = typer.main.get_group(lab)
    assert {each for words in ours if words[0] == "lab" for each in words[1].split("\\|")} == set(group.commands)
    (evidence,) = (each for words in ours if words[0] == "evidence" and "\\|" in (each := words[1]))
    below: Any = typer.main.get_command(of_evidence)
    assert {*evidence.split("\\|"), "push"} == set(below.commands)


def test_tags() -> None:
    said = {tag for row in rows(REFERENCE, "## Tags") for tag in quoted(row[:1])}
    written = {tag.removeprefix("@").partition(":")[0] for tag in said}
    assert written >= set(feature_file._SINGLE)
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/drillbook").rglob("*.py"))
    assert [tag for tag in sorted(written) if f'"{tag}"' not in sources and f"@{tag}" not in sources] == []


def known(variable: str, value: object) -> set[str]:
    """The keys that the reader of the inventory names when it refuses one."""
    entries = {"web-1": {variable: {"value": value, "origins": {}}}}
    reader = InventoryReader(ResolvedInventory(Path("hosts.yml"), {}, entries, {}), ROOT)
    read = getattr(reader, variable.removeprefix("drillbook_"))
    with pytest.raises(InventoryError, match="no such key") as refused:
        read({}) if variable in {"drillbook_prerequisites", "drillbook_work"} else read()
    return set(str(refused.value).rpartition(" are ")[2].rstrip(".").split(", "))


@pytest.mark.parametrize("variable", ["drillbook_prerequisites", "drillbook_timings"])
def test_keys_of_a_variable(variable: str) -> None:
    said = {key for row in rows(REFERENCE, f"### {variable}") for key in quoted(row[:1])}
    assert said == known(variable, {"zzz": 1})


def test_keys_of_an_endpoint() -> None:
    table = rows(REFERENCE, "### drillbook_endpoints")
    assert {key for row in table for key in quoted(row[:1])} == known("drillbook_endpoints", {"api": {"zzz": 1}})
    assert set(quoted(table[0][1:2])) == set(EndpointKind)
    below = REFERENCE.read_text(encoding="utf-8").partition("### drillbook_endpoints")[2]
    (line,) = (each for each in below.splitlines() if each.startswith("Drillbook refuses a misspelt key."))
    kinds = rows(REFERENCE, line, below)
    assert {kind for row in kinds for kind in quoted(row[:1])} == set(EndpointKind)


def test_keys_of_work() -> None:
    said = {key for row in rows(REFERENCE, "### drillbook_work") for key in quoted(row[:1])}
    keys = {
        f"{part}.{key}"
        for part in known("drillbook_work", {"zzz": 1})
        for key in known("drillbook_work", {"submit": {}, "completed": {}} | {part: {"zzz": 1}})
    }
    assert said == keys


def test_outcomes() -> None:
    said = {row[0]: row[-1] for row in rows(ERRORS, "## Outcomes and exit statuses")}
    assert set(said) == set(Outcome)
    assert {name: status for name, status in said.items() if status.isdigit()} == {
        each: str(each.exit_status) for each in Outcome if said[each].isdigit()
    }


def test_time_limits() -> None:
    said = {tag.partition(":")[0] for row in rows(REFERENCE, "## Tags") for tag in quoted(row[:1])}
    assert {f"@{name}" for name in DEFAULTS_S} <= said


def test_a_row_too_much_is_seen() -> None:
    text = REFERENCE.read_text(encoding="utf-8").replace("| `people` |", "| `persons` |")
    said = {key for row in rows(REFERENCE, "### drillbook_prerequisites", text) for key in quoted(row[:1])}
    assert said ^ known("drillbook_prerequisites", {"zzz": 1}) == {"persons", "people"}
