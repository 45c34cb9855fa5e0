"""The lab in containers, as far as it is only data: what runs where, what Compose is told, what is missing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import HOST, PROGRAMS, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.cli import app
from drillbook_lab.compose import layout, needs
from drillbook_lab.compose.engine import Engine
from drillbook_lab.compose.lab import ComposeLab
from drillbook_lab.compose.project import compose_file
from drillbook_lab.hosts.layout import PORTS
from drillbook_lab.hosts.units import units

pytestmark = pytest.mark.unit

SERVERS = (*REDIS_NODES, *SENTINELS, "postgres")


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "front" / "env").mkdir(parents=True)
    (tmp_path / "front" / "env" / "sink.secret").write_text("SINK_TOKEN=not-in-the-file\n")
    known = units("/opt/valkey", "/opt/postgres")
    text = compose_file("x", known, tmp_path, 900, disk=Path("/e/disk"), seen_at=Path("/s/volume"))
    assert "not-in-the-file" not in text
    found: dict[str, Any] = json.loads(text)["services"]
    return found


def test_each_part_has_a_container_and_each_shared_network_one_more() -> None:
    of_networks = [f"net-{pod}" for pod in layout.PODS]
    assert sorted(layout.CONTAINERS) == sorted([*(set(PROGRAMS) - {"proxy", "disk"}), *of_networks])


def test_a_client_reaches_what_it_needs_through_the_proxy_of_its_network() -> None:
    for pod, client in (("front", "api"), ("work", "worker")):
        links = layout.links(pod)
        for server in SERVERS:
            assert links[f"{client}-{server}"]["upstream_host"] == layout.address_of(server) != HOST
    assert layout.links("front")["users-api"]["listen_host"] == layout.address_of("net-front")
    assert layout.links("data") == {}


def test_what_shares_a_network_waits_for_the_container_that_has_it(services: dict[str, Any]) -> None:
    assert {services[name]["network_mode"] for name in ("api", "sink", "web", "alerting")} == {"service:net-front"}
    assert services["postgres"]["network_mode"] == "service:net-data"
    assert services["net-data"]["command"] == ["sleep", "infinity"]
    addresses = [each["networks"]["lab"]["ipv4_address"] for each in services.values() if "networks" in each]
    assert sorted(addresses) == sorted(layout.ADDRESSES.values())
    assert len(set(addresses)) == len(addresses)


def test_what_a_drill_breaks_stays_broken_and_no_registry_is_asked(services: dict[str, Any]) -> None:
    assert {services[name]["restart"] for name in (*SERVERS, *WORKERS, "api", "web")} == {"no"}
    assert {services[name]["restart"] for name in ("net-front", "net-work", "net-data", "sink")} == {"always"}
    assert {each["pull_policy"] for each in services.values()} == {"never"}
    assert {each["user"] for each in services.values()} == {"900:900"}


def test_a_limit_of_memory_is_one_of_swap_too(services: dict[str, Any]) -> None:
    assert {name for name, each in services.items() if "mem_limit" in each} == {"api", "postgres", *WORKERS}
    for each in services.values():
        assert each.get("mem_limit") == each.get("memswap_limit")


def test_a_secret_is_in_a_file_of_its_own(services: dict[str, Any]) -> None:
    assert services["sink"]["env_file"][0].endswith("/front/env/sink.secret")
    assert "env_file" not in services["api"]


@pytest.mark.parametrize(("answer", "healthy"), [("HTTP/1.0 200 OK", True), ("HTTP/1.0 503 x", False), ("", False)])
def test_the_check_of_the_api_is_what_it_says(services: dict[str, Any], answer: str, healthy: bool) -> None:
    """The check as it is written, but for the port."""
    *_, script = services["api"]["healthcheck"]["test"]
    server = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); "
        "c = s.accept()[0]; c.recv(99); c.sendall(sys.argv[1].encode() + b'\\r\\n'); c.close()"
    )
    with subprocess.Popen(["python3", "-c", server, answer], stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        port = serving.stdout.readline().strip()
        # Compose makes one dollar of two
        words = script.replace("$$", "$").replace(f"/{PORTS['api']}", f"/{port}")
        asked = subprocess.run(["bash", "-c", words], check=False)
        serving.kill()
    assert (asked.returncode == 0) == healthy


def test_what_is_missing_is_named_with_the_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda name: None if name.startswith("docker") else f"/usr/bin/{name}")
    monkeypatch.setattr(needs, "_ADMINISTRATORS", ())
    monkeypatch.setattr("sys.executable", "/nowhere/python3")
    lacks = needs.missing()
    assert "root: the engine makes network namespaces, cgroups and mounts" in lacks
    assert "docker.io (apt-get install --no-install-recommends docker.io)" in lacks
    assert "Docker Compose v2 (pip install 'drillbook[compose]')" in lacks
    said = CliRunner().invoke(app, ["needs"])
    assert said.exit_code == 3
    assert "drillbook[compose]" in said.output


def test_nothing_is_begun_where_something_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(needs, "missing", lambda: ["root: the engine"])
    with pytest.raises(LabError, match="no containers can be made here; missing: root: the engine"):
        ComposeLab(tmp_path / "compose").up()
    assert not (tmp_path / "compose").exists()


def test_a_path_that_no_socket_can_have_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    with pytest.raises(LabError, match="is too long for a socket"):
        Engine(long, "drillbook-abc").start(64, 900)
    assert not long.exists()


def test_a_command_needs_containers_that_are_up(tmp_path: Path) -> None:
    words = ["within", "--state", str(tmp_path), "--staging"]
    said = CliRunner().invoke(app, [*words, "compose", "--", "true"])
    assert said.exit_code == 1
    assert "drillbook lab up --staging compose" in said.output
    said = CliRunner().invoke(app, [*words, "lab", "--", "true"])
    assert "has no network of its own" in said.output


def test_a_command_is_run_in_the_network_of_the_containers_with_their_docker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose/run.json").write_text('{"id": "drillbook-abc", "pid": 0, "created": 0}')
    monkeypatch.setenv("PATH", "/usr/bin")
    became: list[list[str]] = []
    monkeypatch.setattr("os.execvp", lambda _, words: became.append(words))
    CliRunner().invoke(app, ["within", "--state", str(tmp_path), "--staging", "compose", "--", "docker", "ps"])
    path = os.pathsep.join([f"{tmp_path}/compose/engine/bin", "/usr/bin"])
    assert became == [["nsenter", "--net=/run/netns/drillbook-abc", "env", f"PATH={path}", "docker", "ps"]]


def test_what_drills_have_written_goes_with_the_lab(tmp_path: Path) -> None:
    lab = ComposeLab(tmp_path / "compose")
    (lab.state / "backups").mkdir(parents=True)
    (lab.state / "backups" / "backup_1.dump").touch()
    (lab.state / "leak").touch()
    (lab.state / "somebody-elses").touch()
    lab.down()
    assert sorted(path.name for path in lab.state.iterdir()) == [".lock", "somebody-elses"]
