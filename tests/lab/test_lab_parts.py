"""The small pure parts of the lab."""

from __future__ import annotations

import configparser
import ssl
import stat
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis.exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from drillbook_lab.app.health.causes import Cause, cause_of, in_short
from drillbook_lab.app.settings import Settings
from drillbook_lab.app.webhooks.jobs import Malformed, Webhook, job_id
from drillbook_lab.base import files, topology
from drillbook_lab.base.errors import LabError
from drillbook_lab.base.logs import Log
from drillbook_lab.base.poll import NotYet, until
from drillbook_lab.lifecycle.parts import configuration
from drillbook_lab.lifecycle.parts.keys import Secrets
from drillbook_lab.lifecycle.parts.tls import TlsFiles
from drillbook_lab.lifecycle.ports import free_ports
from drillbook_lab.lifecycle.supervision.conf import Endpoint, Program, render
from drillbook_lab.testing import RunningLab

pytestmark = pytest.mark.unit


# -- topology and files ------------------------------------------------


def test_every_client_has_links_of_its_own() -> None:
    names = [link.name for link in topology.LINKS]
    assert len(set(names)) == len(names)
    assert {"api-redis-1", "worker-sentinel-3", "drill-postgres", "alerting-api", "alerting-sink", "users-api"} <= set(
        names
    )
    assert all(link.tls == link.server.startswith(("redis", "sentinel")) for link in topology.LINKS)


def test_ports_are_distinct_and_out_of_reach_of_outgoing_connections() -> None:
    ports = free_ports()
    assert set(ports) == set(topology.NEEDED)
    assert len(set(ports.values())) == len(ports)
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports.values()) < low


def test_a_file_is_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    files.write(path, "one")
    files.write(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def settings_text() -> str:
    ports = {name: 20000 + number for number, name in enumerate(topology.NEEDED)}
    return configuration.settings(
        "api",
        ports=ports,
        keys=Secrets(),
        tls=TlsFiles(Path("/a folder/tls")),
        database_url="postgresql://x",
        site=Path("/a folder/site"),
    )


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "api.env"
    path.write_text(settings_text())
    found = Settings.read(path)
    assert found.redis_ca == "/a folder/tls/ca.pem"
    assert len(found.redis_nat) == 2
    assert found.buffer_limit == 1000
    assert not found.may(None)
    assert not found.may("wrong")
    assert found.may(found.api_key)
    assert found.api_key not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "named"), [("API_KEY", "API_KEI", "API_KE"), ("DEDUPLICATE=1\n", "", "DEDUPLICATE")]
)
def test_a_misspelt_or_missing_setting_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "api.env"
    path.write_text(settings_text().replace(old, new))
    with pytest.raises(ValueError, match=named):
        Settings.read(path)


# -- supervision ------------------------------------------------


def test_a_long_path_gets_a_password_instead_of_a_socket() -> None:
    assert Endpoint.choose(Path("/tmp/x"), 1, "p").socket == Path("/tmp/x/supervisor.sock")
    far = Endpoint.choose(Path("/tmp") / ("x" * 90), 4711, "p")
    assert far.socket is None
    assert far.url == "http://127.0.0.1:4711"


def test_percent_signs_and_spaces_survive_supervisords_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "100% a b"
    program = Program("p", ("/bin/echo", "50% off", "a b"), folder)
    text = render(folder, Endpoint.choose(folder, 1, "p"), [program], None)
    config = configparser.RawConfigParser()
    config.read_string(text)
    assert config["program:p"]["command"] == "/bin/echo '50%% off' 'a b'"
    assert config["program:p"]["autorestart"] == "false"


# -- causes ------------------------------------------------


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError(), Cause.TIMEOUT),
        (redis.exceptions.TimeoutError("Timeout reading"), Cause.TIMEOUT),
        (redis.exceptions.AuthenticationError("invalid username-password pair"), Cause.AUTH),
        (redis.exceptions.AuthenticationError("max number of clients reached"), Cause.LIMIT),
        (redis.exceptions.ConnectionError("max number of clients reached"), Cause.LIMIT),
        (redis.exceptions.ReadOnlyError("You can't write against a read only replica."), Cause.READONLY),
        (ConnectionRefusedError(111, "Connect call failed"), Cause.REFUSED),
        (ConnectionResetError(), Cause.REFUSED),
        (ssl.SSLCertVerificationError("certificate has expired"), Cause.TLS),
        (psycopg.OperationalError('password authentication failed for user "app"'), Cause.AUTH),
        (psycopg.OperationalError("FATAL: remaining connection slots are reserved"), Cause.LIMIT),
        (MasterNotFoundError("Sentinel knows no 'lab' primary that is up"), Cause.REFUSED),
        (
            caused(MasterNotFoundError("no primary for 'lab'"), redis.exceptions.TimeoutError("Timeout connecting")),
            Cause.TIMEOUT,
        ),
        (
            caused(redis.exceptions.ConnectionError("Error 1"), ssl.SSLCertVerificationError("self-signed")),
            Cause.TLS,
        ),
        (ValueError("something else"), Cause.OTHER),
    ],
)
def test_an_error_has_a_cause_in_one_word(error: Exception, cause: Cause) -> None:
    assert cause_of(error) is cause


def test_an_error_in_short_is_one_line_and_never_empty() -> None:
    assert in_short(ValueError("a\n b")) == "ValueError: a b"
    assert in_short(TimeoutError()) == "TimeoutError"


# -- jobs, logs, waiting ------------------------------------------------


def test_job_ids_are_readable_and_never_meet() -> None:
    assert job_id("order-1") == "wh-order-1"
    strange = ["a:b", "ä", "x" * 65, "a b", ""]
    assert len({job_id(each) for each in strange}) == len(strange)
    assert all(job_id(each).startswith("wx-") and ":" not in job_id(each) for each in strange)


@pytest.mark.parametrize("body", [[], {}, {"id": "", "kind": "k"}, {"id": 1, "kind": "k"}, {"id": "1"}])
def test_what_is_no_webhook_is_refused(body: object) -> None:
    with pytest.raises(Malformed):
        Webhook.from_json(body)


def test_equal_log_lines_are_counted_and_found_by_level_and_service() -> None:
    journal = Log(echo=False)
    for _ in range(50):
        journal.error("queue", "away")
    journal.info("api", "started")
    (line,) = journal.last("error", "queue")
    assert line["count"] == 50
    assert journal.last("error", "api") == []


def test_waiting_says_what_it_saw_last() -> None:
    def look() -> bool:
        raise NotYet("still grey")

    with pytest.raises(LabError, match=r"the moon.*still grey"):
        until(look, what="the moon", within_s=0)


def test_a_defect_is_not_waited_out() -> None:
    def look() -> bool:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        until(look, what="nothing", within_s=60)


class Supervised(RunningLab):
    """One program, a real process, of whose end its supervisor hears only when it has been asked three times more."""

    def __init__(self) -> None:
        super().__init__(lab=None, contract={})  # type: ignore[arg-type]  # nothing else of the lab is asked for
        process = subprocess.Popen(["sleep", "600"])
        object.__setattr__(self, "contract", {"process": process, "late": iter(range(3))})

    def _process(self, program: str) -> dict[str, Any]:
        process = self.contract["process"]
        running = process.poll() is None or next(self.contract["late"], None) is not None
        return {"name": program, "statename": "RUNNING" if running else "EXITED", "pid": process.pid if running else 0}


def test_whoever_kills_a_program_waits_until_its_supervisor_knows() -> None:
    lab = Supervised()
    lab.kill("api")
    assert lab.statename("api") == "EXITED"
