"""The modules for Redis and the role for settings, on a real Redis: what each does, and what each leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis.client import Redis

from drillbook_lab.base.topology import HOST, REDIS_NODES
from drillbook_lab.testing import RunningLab
from tests.support.modules import ForkedModules

from .support import ROOT, Plays, recap

pytestmark = pytest.mark.lab

LIMIT = 10_000


class Node:
    """The primary, and the modules on its host."""

    def __init__(self, lab: RunningLab, forked: ForkedModules, plays: Plays, home: Path) -> None:
        self.lab, self._forked, self._plays = lab, forked, plays
        redis = lab.contract["redis"]
        self.port = int(redis["nodes"][lab.primary()]["port"])
        self.password = str(redis["admin_password"])
        self.leak = {"limit": LIMIT, "file": str(home / "leak"), "room": 10}

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What the module answers; `failed` in it when it refuses."""
        return self._forked.run(name, {"port": self.port, "password": self.password, **arguments})

    def playbook(self, name: str, **variables: str) -> str:
        """Whether a recovery, run on the lab's own inventory, `changed` something, did not, or `failed`."""
        events = self._plays.run(ROOT / f"playbooks/{name}.yml", ROOT / "inventories/lab", **variables)
        well, changed = recap(events)
        if not well:
            return "failed"
        return "changed" if changed else "unchanged"

    def client(self, name: str) -> Redis:
        return Redis(port=self.port, password=self.password, client_name=name, decode_responses=True)

    def names(self) -> list[str]:
        with self.client("counting") as admin:
            listed: Any = admin.client_list()
        return [str(each["name"]) for each in listed]


@pytest.fixture
def node(lab: RunningLab, forked_modules: ForkedModules, plays: Plays, tmp_path: Path) -> Iterator[Node]:
    found = Node(lab, forked_modules, plays, tmp_path)
    yield found
    (tmp_path / "leak").unlink(missing_ok=True)
    lab.eventually("the end of a leak", lambda: "leaked" not in found.names())


def test_idle_connections_are_closed_when_room_is_short_and_others_never(node: Node) -> None:
    with ExitStack() as open_:
        idle, subscribed = (open_.enter_context(node.client(name)) for name in ("idle", "subscribed"))
        idle.ping()
        listening = subscribed.pubsub()
        listening.subscribe("nothing")
        open_.callback(listening.close)
        node.lab.eventually("an idle second", lambda: idle_s(node, "idle") >= 1)
        enough = node.module("redis_clients", idle_for=1)
        assert (enough["changed"], enough["closed"], enough["refused"]) == (False, 0, False)
        assert enough["names"]["idle"] == 1
        assert node.module("redis_clients")["closed"] == 0
        closed = node.module("redis_clients", idle_for=1, above=0)
        assert closed["changed"]
        assert closed["closed"] >= 1
        names = node.names()
        assert "idle" not in names
        # these have been silent too
        assert "subscribed" in names
        assert any(name.endswith("-pubsub") for name in names)


def test_the_limit_of_connections_is_raised_and_never_lowered(node: Node) -> None:
    def limit() -> int:
        with node.client("looking") as admin:
            return int(admin.config_get("maxclients")["maxclients"])

    with node.client("setting") as admin:
        admin.config_set("maxclients", 500)
    lower = node.module("redis_clients", at_least=499)
    assert (lower["changed"], lower["limit"], limit()) == (False, 500, 500)
    raised = node.module("redis_clients", at_least=600)
    assert (raised["changed"], raised["limit"], limit()) == (True, 600, 600)
    again = node.module("redis_clients", at_least=600)
    assert (again["changed"], again["limit"], limit()) == (False, 600, 600)


def idle_s(node: Node, name: str) -> int:
    with node.client("counting") as admin:
        listed: Any = admin.client_list()
    return min(int(each["idle"]) for each in listed if each["name"] == name)


def test_a_leak_takes_all_there_is_and_gives_it_back(node: Node) -> None:
    grown = node.module("redis_leak", state="growing", **node.leak)
    assert grown["changed"]
    assert grown["held"] > 0
    assert not node.module("redis_leak", state="growing", **node.leak)["changed"]
    assert node.module("redis_clients", at_least=LIMIT)["refused"], "Redis lets somebody in although it is full"
    assert node.module("redis_leak", state="grown", **node.leak)["changed"]
    gone = node.module("redis_leak", state="absent", **node.leak)
    assert (gone["changed"], gone["held"], gone["limit"]) == (True, 0, LIMIT)
    assert not node.module("redis_leak", state="absent", **node.leak)["changed"]
    seen = node.module("redis_clients")
    assert (seen["refused"], seen["limit"]) == (False, LIMIT)
    assert "leaked" not in seen["names"]


@pytest.mark.parametrize(("list_with", "delete_with"), [("scan", "unlink"), ("keys", "del")])
def test_keys_are_deleted_by_their_pattern_and_no_others(node: Node, list_with: str, delete_with: str) -> None:
    with node.client("filling") as admin:
        admin.mset({f"test:mine:{n}": "x" for n in range(2500)} | {"test:other": "x"})
        asked = {"pattern": "test:mine:*", "list_with": list_with, "delete_with": delete_with}
        deleted = node.module("redis_keys", **asked)
        assert (deleted["changed"], deleted["deleted"]) == (True, 2500)
        assert not node.module("redis_keys", **asked)["changed"]
        assert admin.delete("test:other") == 1


def test_xargs_splits_keys_at_blanks(node: Node) -> None:
    with node.client("filling") as admin:
        admin.mset({"test:mine:1": "x", "test:mine:a b": "x", "b": "x"})
        asked = {"pattern": "test:mine:*", "list_with": "keys", "delete_with": "del"}
        assert node.module("redis_keys", split_with="xargs", **asked)["deleted"] == 2
        assert (admin.exists("test:mine:a b"), admin.exists("b")) == (1, 0)
        assert node.module("redis_keys", **asked)["deleted"] == 1


def test_a_wrong_cache_is_served_and_only_what_is_wrong_is_taken_away(node: Node) -> None:
    items = "item-61,item-62,item-63"
    node.lab.api("GET", f"/items?ids={items}")
    pattern = {"pattern": "cache:item:item-6*"}
    made = node.module("redis_wrong_cache", state="wrong", most=2, further=30, **pattern)
    assert (made["changed"], made["entries"], made["left"]) == (True, 2, 32)
    served = node.lab.api("GET", f"/items?ids={items}").json()["items"]
    assert sorted(name for name, item in served.items() if "wrong" in item["value"]) == ["item-61", "item-62"]
    assert len(node.lab.api("GET", "/cache/wrong").json()["wrong"]) == 32
    gone = node.module("redis_wrong_cache", state="right", **pattern)
    assert (gone["changed"], gone["left"]) == (True, 0)
    assert not node.module("redis_wrong_cache", state="right", **pattern)["changed"]
    assert node.lab.api("GET", f"/items?ids={items}").json()["sources"] == {"hit": 1, "miss": 2, "bypass": 0}


def test_a_service_that_does_not_run_with_its_settings_is_restarted_and_no_other(node: Node) -> None:
    lab = node.lab
    file = Path(lab.contract["env"]["api"])
    right = file.read_text()
    assert node.playbook("recovery/redis/put_settings_right") == "unchanged"
    before = lab.pid("api")
    file.write_text(right.replace(f"REDIS_PASSWORD={lab.contract['redis']['app_password']}", "REDIS_PASSWORD=wrong"))
    assert node.playbook("recovery/redis/put_settings_right") == "changed"
    assert file.read_text() == right
    assert lab.pid("api") != before
    lab.eventually("the API", lambda: lab.health()["status"] == "ok")
    # whoever put it right died before the restart: the file is right, and newer than the process
    between = lab.pid("api")
    file.write_text(right)
    assert node.playbook("recovery/redis/put_settings_right") == "changed"
    assert lab.pid("api") != between
    lab.eventually("the API", lambda: lab.health()["status"] == "ok")
    assert node.playbook("recovery/redis/put_settings_right") == "unchanged"


def addresses(lab: RunningLab, host: str = HOST) -> dict[str, str]:
    return {name: f"{host}:{node['port']}" for name, node in lab.contract["redis"]["nodes"].items()}


def test_a_sentinel_says_which_node_leads_whether_it_is_up_or_not(node: Node) -> None:
    lab, leader = node.lab, node.lab.primary()
    redis = lab.contract["redis"]
    asked = {"port": redis["sentinels"]["sentinel-1"]["port"], "password": redis["sentinel_password"], "sentinel": True}
    up = node.module("redis_status", **asked, nodes=addresses(lab))
    assert (up["leader"], up["settled"], up["changed"]) == (leader, True, False)
    assert up["watched"] == [addresses(lab)[leader]]
    assert node.module("redis_status", **asked, nodes=addresses(lab, "localhost"))["leader"] == leader
    nobody = node.module("redis_status", **asked, nodes={"redis-1": "127.0.0.1:1", "redis-2": "no-such-name.invalid:1"})
    assert (nobody["leader"], nobody["settled"]) == ("", False)
    for name in REDIS_NODES:
        lab.supervisor.stop(name)
    try:
        lab.eventually("a primary that is down", lambda: not lab.settled())
        down = node.module("redis_status", **asked, nodes=addresses(lab))
        assert (down["leader"], down["settled"]) == (leader, False)
    finally:
        for name in REDIS_NODES:
            lab.supervisor.start(name)


def test_the_redis_node_that_led_last_is_started_first_and_leads_again(node: Node) -> None:
    """Whichever it is; and no other is promoted, although Sentinel had counted it as down."""
    lab = node.lab
    for _ in REDIS_NODES:
        lab.eventually("one primary with its replica", lab.settled, within_s=60)
        leader = lab.primary()
        (other,) = {*REDIS_NODES} - {leader}
        for name in REDIS_NODES:
            lab.kill(name)
        lab.eventually("a primary that is down", lambda: not lab.settled())
        assert node.playbook("recovery/redis/start") == "changed"
        started = {name: psutil.Process(lab.pid(name)).create_time() for name in REDIS_NODES}
        assert started[leader] < started[other]
        lab.eventually("one primary with its replica", lab.settled, within_s=60)
        assert lab.primary() == leader
        assert node.playbook("recovery/redis/start") == "unchanged"
        lab.kill(leader)
        lab.eventually("another primary", partial(leads, lab, other), within_s=60)
        lab.supervisor.start(leader)


def leads(lab: RunningLab, name: str) -> bool:
    return lab.primary() == name


def test_no_other_redis_node_is_started_while_the_one_that_led_last_cannot_be(node: Node) -> None:
    """It would be promoted without what the other alone has."""
    lab, leader = node.lab, node.lab.primary()
    (other,) = {*REDIS_NODES} - {leader}
    folder = lab.lab.state / leader
    for name in REDIS_NODES:
        lab.supervisor.stop(name)
    away = folder.rename(folder.with_name("away"))
    try:
        assert node.playbook("recovery/redis/start") == "failed"
        assert lab.statename(other) == "STOPPED"
    finally:
        away.rename(folder)
    assert node.playbook("recovery/redis/start") == "changed"
    lab.eventually("one primary with its replica", lab.settled, within_s=60)
    assert leads(lab, leader)


def test_redis_is_not_started_when_sentinel_watches_other_nodes(node: Node) -> None:
    before = [node.lab.pid(name) for name in REDIS_NODES]
    assert node.playbook("recovery/redis/start", drillbook_redis_address="127.0.0.1:1") == "failed"
    assert [node.lab.pid(name) for name in REDIS_NODES] == before
