"""Before anything is broken: people, hosts and channels are there, or the drill is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import Mini, Ran

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
GOOD = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 60 seconds the service is down",
    'When the recovery playbook "fix" is run',
    "Then within 60 seconds the service is up",
)
UNREACHABLE = """\
  children:
    databases:
      hosts:
        db-1: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
"""
ALERTS = """\
      alerts: {kind: http, url: "http://127.0.0.1:1/messages"}
"""


@pytest.fixture
def mini(mini: Mini) -> Mini:
    """The repository with the steps of this one."""
    shutil.copy(ROOT / "steps/people.py", mini.root / "steps/people.py")
    mini.feature(*GOOD, tags="@rto:1h")
    return mini


def refused(ran: Ran, sentence: str) -> None:
    """The drill is ABORTED, nothing was broken, and nothing is left."""
    said = " ".join(ran.output.split())
    assert ran.status == 13, ran.output
    assert sentence in said, said
    assert not (ran.root / "flag").exists()
    assert not (ran.root / ".drillbook/journal-mini.ndjson").exists()
    locks = [*(ran.root / ".drillbook").glob("lock-*"), *Path(os.environ["XDG_STATE_HOME"]).glob("drillbook/lock-*")]
    assert [lock.read_text() for lock in locks] == [""] * len(locks), "no lock is left"


def passed(ran: Ran) -> dict[str, Any]:
    assert ran.status == 0, ran.output
    return ran.drill


# ------------------------------------------------------------------ demanded of every drill


def test_too_few_people_for_the_environment(mini: Mini) -> None:
    mini.inventory("    drillbook_prerequisites: {people: 2}\n")
    sentence = "a prerequisite is not met: 2 people are present: observed {}, required at least 2, named with --present"
    refused(mini.pytest(), sentence.format("nobody"))
    alone = mini.pytest("features", "--present", "Ada, ADA", "--present", " ada ")
    refused(alone, sentence.format("1 (Ada)"))
    assert "(demanded by drillbook_prerequisites.people, inventories/hosts.yml:9)" in alone.output
    assert alone.drills() == []


@pytest.mark.parametrize("given", [["--present", "Ada,Grace"], ["--present", "Ada", "--present", "Grace"], []])
def test_enough_people_for_the_environment(mini: Mini, monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
    mini.inventory("    drillbook_prerequisites: {people: 2}\n")
    monkeypatch.setenv("DRILLBOOK_PRESENT", "Somebody else" if given else "Ada, Grace")
    drill = passed(mini.pytest("features", *given))
    assert drill["people"] == ["Ada", "Grace"]
    assert drill["prerequisites"] == [
        {
            "name": "2 people are present",
            "observed": "2 (Ada, Grace)",
            "required": "at least 2, named with --present",
            "met": True,
            "step": None,
        }
    ]


def test_a_host_that_cannot_be_reached_for_the_environment(mini: Mini) -> None:
    hosts = mini.root / "inventories/hosts.yml"
    hosts.write_text(hosts.read_text() + UNREACHABLE)
    mini.inventory("    drillbook_prerequisites: {hosts: [web-1, databases]}\n")
    ran = mini.pytest()
    refused(ran, 'every host of "databases" can be reached: observed db-1 could not be reached over ssh (status 255): ')
    assert ran.drills() == []


def test_hosts_and_endpoints_that_are_there_for_the_environment(mini: Mini) -> None:
    mini.inventory("    drillbook_prerequisites: {hosts: [all], endpoints: [web]}\n")
    drill = passed(mini.pytest())
    assert [(each["name"], each["observed"]) for each in drill["prerequisites"]] == [
        ('every host of "all" can be reached', "1 answered"),
        ('the endpoint "web" answers', "status 200"),
    ]


def test_an_endpoint_that_does_not_answer_for_the_environment(mini: Mini) -> None:
    mini.inventory("    drillbook_prerequisites: {endpoints: [alerts]}\n")
    hosts = mini.root / "inventories/hosts.yml"
    hosts.write_text(hosts.read_text().replace("      web:", f"{ALERTS}      web:"))
    refused(
        mini.pytest(),
        'the endpoint "alerts" answers: observed connection refused, required a healthy answer '
        "(demanded by drillbook_prerequisites.endpoints,",
    )


def test_a_misspelt_demand_is_refused(mini: Mini) -> None:
    mini.inventory("    drillbook_prerequisites: {peple: 2}\n")
    refused(mini.pytest(), 'there is no such key; did you mean "people"?')


# ------------------------------------------------------------------ said in the feature


def test_too_few_people_for_the_scenario(mini: Mini) -> None:
    mini.feature("Given 2 people are present", *GOOD, tags="@rto:1h")
    ran = mini.pytest("features", "--present", "Ada")
    refused(ran, "ABORTED: a prerequisite is not met: 2 people are present: observed 1 (Ada), required at least 2")
    assert ran.drill["outcome"] == "ABORTED"
    assert ran.drill["prerequisites"][0]["met"] is False


def test_hosts_that_cannot_be_reached_for_the_scenario(mini: Mini) -> None:
    hosts = mini.root / "inventories/hosts.yml"
    hosts.write_text(hosts.read_text() + UNREACHABLE)
    mini.feature('Given every host of "databases" can be reached', *GOOD, tags="@rto:1h")
    ran = mini.pytest()
    refused(ran, 'every host of "databases" can be reached: observed db-1 could not be reached over ssh (status 255): ')
    assert ran.drill["outcome"] == "ABORTED"


def test_a_channel_that_cannot_be_read(mini: Mini) -> None:
    mini.feature('Given the "#alerts" channel can be read', *GOOD, tags="@rto:1h")
    refused(mini.pytest(), "no endpoint 'alerts' in the inventory's drillbook_endpoints; there are: web")


def test_a_channel_that_does_not_answer(mini: Mini) -> None:
    hosts = mini.root / "inventories/hosts.yml"
    hosts.write_text(hosts.read_text().replace("      web:", f"{ALERTS}      web:"))
    mini.feature('Given the "#alerts" channel can be read', *GOOD, tags="@rto:1h")
    refused(mini.pytest(), 'the "#alerts" channel answers: observed connection refused, required a healthy answer')


def test_all_that_the_scenario_asks_for_is_there(mini: Mini) -> None:
    mini.replace("inventories/hosts.yml", "      web:", "      alerts: &web")
    hosts = mini.root / "inventories/hosts.yml"
    hosts.write_text(hosts.read_text().replace("  hosts:\n", "      web: *web\n  hosts:\n"))
    mini.feature(
        "Given 2 people are present",
        'And every host of "all" can be reached',
        'And the "#alerts" channel can be read',
        GOOD[0].replace("Given", "And"),
        *GOOD[1:],
        tags="@rto:1h",
    )
    drill = passed(mini.pytest("features", "--present", "Ada,Grace"))
    assert [(each["step"], each["met"]) for each in drill["prerequisites"]] == [(1, True), (2, True), (3, True)]


def test_a_prerequisite_is_no_baseline(mini: Mini) -> None:
    mini.feature("Given 1 person is present", *GOOD[1:], tags="@rto:1h")
    ran = mini.pytest("features", "--present", "Ada")
    assert ran.status == 11, ran.output
    assert "handed no check to the drill: nothing shows that it is so" in ran.drill["reason"]
    assert ran.drill["faults"] == []
