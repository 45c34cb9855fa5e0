"""A prerequisite is looked at, and who could not look has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from drillbook.checks import Check, Observation
from drillbook.errors import CouldNotLookError, DrillbookError, GuardError
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.settings import Environment, EnvironmentKind, Prerequisites
from drillbook.target.probing.prerequisites import (
    answering,
    distinct_names,
    look,
    present,
    reachable,
    readable,
    refuse_too_few,
    verify,
)
from tests.support.unit import Server, endpoint, free_port, reply
from tests.support.unit import answering as replying

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([], ()),
        (["", " , ,"], ()),
        (["Ada"], ("Ada",)),
        (["Ada,Grace", "Linus"], ("Ada", "Grace", "Linus")),
        ([" Ada ", "ADA", "ada,Ada"], ("Ada",)),
        (["Ada  Lovelace", "ada\tlovelace"], ("Ada Lovelace",)),
        (["STRASSE, Straße"], ("STRASSE",)),
        (["Jos\u00e9, Jose\u0301"], ("Jos\u00e9",)),
    ],
)
def test_people_are_told_apart_by_their_names(given: list[str], names: tuple[str, ...]) -> None:
    assert distinct_names(given) == names


@pytest.mark.parametrize(
    ("people", "count", "seen"),
    [
        ((), 1, Observation(False, "nobody", "at least 1, named with --present")),
        (("Ada",), 2, Observation(False, "1 (Ada)", "at least 2, named with --present")),
        (("Ada", "Grace"), 2, Observation(True, "2 (Ada, Grace)", "at least 2, named with --present")),
        (("Ada", "Grace"), 1, Observation(True, "2 (Ada, Grace)", "at least 1, named with --present")),
    ],
)
def test_how_many_people_are_present(people: tuple[str, ...], count: int, seen: Observation) -> None:
    assert look(present(people, count)) == seen


@pytest.mark.parametrize("count", [0, -1])
def test_what_everybody_meets_is_no_prerequisite(count: int) -> None:
    with pytest.raises(GuardError, match="ask for at least 1"):
        present(("Ada",), count)


LOCAL: Mapping[str, Any] = {"connection": "local"}
NOWHERE: Mapping[str, Any] = {"connection": "ssh", "host": "127.0.0.1", "port": free_port()}
ASKS: Mapping[str, Any] = {"connection": "local", "become": True, "become_user": "nobody-of-this-name"}


NOTHING = Prerequisites()


def inventory(prerequisites: Prerequisites = NOTHING, endpoints: Any = None, **hosts: Any) -> Inventory:
    return Inventory(
        Path("hosts.yml"),
        Environment("test", EnvironmentKind.STAGING),
        endpoints=endpoints or {},
        groups={"all": tuple(hosts)},
        hostvars={host: {} for host in hosts},
        connections=hosts,
        prerequisites=prerequisites,
        where=lambda name: f"hosts.yml ({name})",
    )


def test_hosts_that_answer_a_command() -> None:
    seen = look(reachable(inventory(a=LOCAL, b=LOCAL), "all"))
    assert seen == Observation(True, "2 answered", "an answer to a command")


def test_each_host_that_does_not_answer_is_named() -> None:
    seen = look(reachable(inventory(a=LOCAL, b=NOWHERE, c=ASKS), "all"))
    assert not seen.met
    one, other = seen.observed.split("; ")
    assert one.startswith("b could not be reached over ssh (status 255): ")
    assert other.startswith("c could not be reached over local through sudo (status ")


def test_hosts_that_there_are_not() -> None:
    with pytest.raises(GuardError, match='no host or group "redis"'):
        reachable(inventory(a=LOCAL), "redis")


def test_an_endpoint_is_asked_by_a_connection_of_its_own() -> None:
    with Server(replying(reply(200, b"[]"), reply(503))) as server:
        alerts = endpoint("alerts", f"http://127.0.0.1:{server.port}")
        assert look(answering(alerts)).met
        wordy = readable(inventory(endpoints={"alerts": alerts}, a=LOCAL), "alerts", 'the "#alerts" channel')
        assert wordy.name == 'the "#alerts" channel answers'
    assert look(wordy) == Observation(False, "connection refused", "a healthy answer")
    with Server(replying(reply(503))) as server:
        seen = look(answering(endpoint("alerts", f"http://127.0.0.1:{server.port}")))
    assert seen == Observation(False, "status 503", "a healthy answer")


def test_an_endpoint_that_there_is_not() -> None:
    with pytest.raises(
        GuardError, match="no endpoint 'alerts' in the inventory's drillbook_endpoints; there are: none"
    ):
        readable(inventory(a=LOCAL), "alerts", "the channel")


def test_a_look_that_fails_has_seen_nothing() -> None:
    def fails() -> object:
        raise OSError("no such thing")

    def judge(sample: Any) -> Observation:
        raise CouldNotLookError(f"could not: {sample.error}")

    assert look(Check("it", fails, judge)) == Observation(
        False, "could not: OSError: no such thing", "a look that comes back"
    )


def test_what_is_sampled_is_no_prerequisite() -> None:
    with pytest.raises(DrillbookError, match="not sampled"):
        look(Check("it", "api", lambda _sample: Observation(True, "", "")))


def test_what_the_inventory_demands_is_looked_at_and_kept() -> None:
    with Server(replying(reply(200))) as server:
        demanding = inventory(
            Prerequisites(2, ("a",), ("api",)),
            {"api": endpoint("api", f"http://127.0.0.1:{server.port}")},
            a=LOCAL,
        )
        kept = verify(demanding, ("Ada", "Grace"))
    assert [(each.name, each.met, each.step) for each in kept] == [
        ("2 people are present", True, None),
        ('every host of "a" can be reached', True, None),
        ('the endpoint "api" answers', True, None),
    ]
    refuse_too_few(demanding, ("Ada", "Grace"))
    assert verify(inventory(a=LOCAL), ()) == []


@pytest.mark.parametrize("ask", [refuse_too_few, verify])
def test_too_few_people_are_refused_with_the_place(ask: Callable[[Inventory, tuple[str, ...]], object]) -> None:
    with pytest.raises(GuardError) as raised:
        ask(inventory(Prerequisites(people=2), a=LOCAL), ("Ada",))
    assert str(raised.value) == (
        "a prerequisite is not met: 2 people are present: observed 1 (Ada), required at least 2, named with --present "
        "(demanded by drillbook_prerequisites.people, hosts.yml (drillbook_prerequisites.people))"
    )


def test_a_secret_is_not_told() -> None:
    demanding = inventory(Prerequisites(hosts=("b",)), b=NOWHERE)
    with pytest.raises(GuardError, match="observed XXX"):
        verify(demanding, (), lambda text: text.replace("b could not be reached", "XXX"))
