"""A real pytest that is handed scenarios one by one: it runs these and no others, and tells of each before the next."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from drillbook.commands.children import Children
from drillbook.model.verdict import Outcome

from .conftest import Mini

pytestmark = pytest.mark.lab

SCENARIO = """
  Scenario: {name}
    Given the service is healthy
    When the service breaks by "breakage"
    Then within 20 seconds the service is down
    When the recovery playbook "fix" is run
    Then within 20 seconds the service is up
"""
FEATURE = "features/web.feature"


@pytest.fixture
def three(mini: Mini) -> Mini:
    """A repository with the drills A, B and C."""
    scenarios = "".join(SCENARIO.format(name=name) for name in "ABC")
    (mini.root / FEATURE).write_text(f"@rto:1m\nFeature: Web\n{scenarios}")
    return mini


def handed(mini: Mini, names: Iterable[str], *options: str) -> tuple[int, list[dict[str, Any]], str]:
    """Hand these over; gives the status, what was told in its order, and the output."""
    left, said = iter(names), list[dict[str, Any]]()

    def answer(line: str) -> str | None:
        said.append(json.loads(line))
        name = next(left, None)
        return None if name is None or not said[-1]["more"] else json.dumps(f"{FEATURE}::{name}")

    def command(number: int) -> list[str]:
        there = ["sh", "-c", 'cd "$0" && exec "$@"', str(mini.root)]
        return [*there, *mini.command(FEATURE, f"--handed-over={number}", *options)]

    log = mini.root / "log"
    status = Children().converse(command, log, mini.environment(), answer)
    return status, said, log.read_text()


def scenarios_of(told: dict[str, Any]) -> list[str]:
    return [run["scenario"].rpartition("::")[2] for run in told["runs"]]


def test_it_runs_what_it_is_handed_in_that_order_and_tells_of_each(three: Mini) -> None:
    # of what nobody handed to it nobody is told that it was left out
    status, said, output = handed(three, ["C", "A"], "--require-drills")
    assert status == 0, output
    assert [scenarios_of(told) for told in said] == [[], ["C"], ["A"], []]
    assert [told["more"] for told in said] == [True, True, True, False]
    assert "not run" not in output
    titles = [Path(run["folder"]).name for told in said for run in told["runs"]]
    assert sorted(path.name for path in (three.root / "evidence").iterdir()) == sorted(titles)


def test_a_scenario_is_proven_with_its_controls_and_its_proof_is_kept_once(three: Mini) -> None:
    status, said, output = handed(three, ["B"], "--prove")
    assert status == 0, output
    assert {(run["control"], run["outcome"]) for run in said[1]["runs"]} == {
        ("", "PASSED"),
        ("recovery-twice", "HELD"),
        ("no-fault", "HELD"),
        ("no-recovery", "HELD"),
    }
    assert len(list(three.root.glob("evidence/*/content/proof.json"))) == 1


def test_what_stops_the_session_is_told_as_its_last_word(three: Mini) -> None:
    three.replace("playbooks/recovery/fix.yml", "state: absent", "state: touch, mode: '0644'")
    status, said, output = handed(three, ["B", "A"], "-x")
    assert [scenarios_of(told) for told in said] == [[], ["B"]], output
    assert said[-1]["more"] is False
    assert status == Outcome.NOT_RECOVERED.exit_status, output


def test_what_is_handed_over_and_not_there_is_told_of_by_nobody(three: Mini) -> None:
    _status, said, output = handed(three, ["D"])
    assert [told["runs"] for told in said] == [[], [], []], output


def test_the_titles_are_told_without_the_secrets_of_the_inventory(three: Mini) -> None:
    three.replace("inventories/hosts.yml", "  vars:\n", "  vars:\n    web_password: opensesame7\n")
    three.replace(FEATURE, "Scenario: A", "Scenario: A with opensesame7")
    _status, said, output = handed(three, [])
    assert said[0]["titles"] == {
        f"{FEATURE}::A with opensesame7": "A with [REDACTED:web_password]",
        f"{FEATURE}::B": "B",
        f"{FEATURE}::C": "C",
    }, output
    assert [told["titles"] for told in said[1:]] == [{}]
