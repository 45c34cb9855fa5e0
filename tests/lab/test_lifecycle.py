"""Up, down and what may go wrong between: nothing of the lab is left, and no secret is seen where it should not be."""
# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

from __future__ import annotations

import configparser
import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import redis.exceptions
from typer.testing import CliRunner

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.poll import until
from drillbook_lab.base.topology import HOST, PROGRAMS
from drillbook_lab.cli import app
from drillbook_lab.lifecycle import ready
from drillbook_lab.lifecycle import state as folder
from drillbook_lab.lifecycle.lab import Lab
from drillbook_lab.lifecycle.parts import postgres
from drillbook_lab.lifecycle.parts.vendors import clients
from drillbook_lab.lifecycle.supervision import processes
from drillbook_lab.testing import RunningLab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def folder_of_own() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dbl-") as state:
        try:
            yield Path(state)
        finally:
            Lab(Path(state)).down()


@pytest.fixture
def own(folder_of_own: Path) -> RunningLab:
    """A lab that this test may ruin. The next test gets what it has left, and brings up what is down."""
    lab = Lab(folder_of_own)
    return RunningLab(lab, lab.up())


def marked(lab: RunningLab) -> list[psutil.Process]:
    return processes.of_lab(lab.contract["id"])


def secrets_of(lab: RunningLab) -> set[str]:
    """All of them; supervisord has a password only where its socket's path would be too long."""
    redis, database, sink = (lab.contract[name] for name in ("redis", "postgres", "sink"))
    conf = configparser.RawConfigParser()
    conf.read(lab.contract["supervisor"]["conf"])
    password = conf.get("inet_http_server", "password", fallback=None)
    return {
        lab.contract["api"]["key"],
        redis["admin_password"],
        redis["app_password"],
        redis["sentinel_password"],
        database["password"],
        database["app_password"],
        sink["token"],
        sink["smtp"]["password"],
        *([password] if password else []),
    }


def assert_nobody_tells(lab: RunningLab) -> None:
    """No secret is on a command line, in an environment or in a log."""
    secrets = secrets_of(lab)
    # the sink is given its two in its environment, which its user alone may read
    own = {lab.contract["sink"]["token"], lab.contract["sink"]["smtp"]["password"]}
    sink = lab.pid("sink")
    lab.eventually("all processes", lambda: len(marked(lab)) >= len(PROGRAMS))
    for process in marked(lab):
        try:
            line, environment = process.cmdline(), process.environ()
        except (psutil.Error, OSError):
            continue
        assert not [secret for secret in secrets if secret in " ".join(line)], line
        told = " ".join(environment.values())
        assert not [secret for secret in secrets - (own if process.pid == sink else set()) if secret in told], line
    for path in (lab.lab.state / "logs").iterdir():
        text = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], path


def assert_private(lab: RunningLab) -> None:
    """No file that others could read has a secret."""
    secrets = secrets_of(lab)
    for path in lab.lab.state.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077:
            text = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in text], path


def test_up_twice_is_up_once(lab: RunningLab) -> None:
    said: list[str] = []
    assert lab.lab.up(said.append) == lab.contract
    assert said == ["already up"]


def test_status_shows_every_program_running(lab: RunningLab) -> None:
    def states() -> set[str]:
        return {program.state for program in lab.lab.status().programs}

    lab.eventually("all running", lambda: states() == {"RUNNING"})
    # the stand-ins of the vendors run where a client of theirs is installed
    vendors = {"platforms"} if any(each.there for each in clients.clients().values()) else set()
    assert {program.name for program in lab.lab.status().programs} == {*PROGRAMS, *vendors}
    shown = CliRunner().invoke(app, ["status", "--state", str(lab.lab.state)])
    assert shown.exit_code == 0
    assert f"{HOST}:{lab.contract['postgres']['port']}" in shown.output


def test_the_command_says_what_is_up_and_what_is_wrong(lab: RunningLab, tmp_path: Path) -> None:
    run = CliRunner()
    assert "already up" in run.invoke(app, ["up", "--state", str(lab.lab.state)]).output
    assert "started" in run.invoke(app, ["logs", "api", "--state", str(lab.lab.state)]).output
    wrong = run.invoke(app, ["logs", "nobody", "--state", str(lab.lab.state)])
    assert wrong.exit_code == 1
    assert wrong.output.startswith("error: no log of 'nobody'")
    assert run.invoke(app, ["status", "--state", str(tmp_path)]).exit_code == 3
    assert run.invoke(app, ["down", "--state", str(tmp_path)]).exit_code == 0


def test_no_secret_is_on_a_command_line_or_in_a_log(lab: RunningLab) -> None:
    assert len(secrets_of(lab)) == 8
    assert_nobody_tells(lab)


def test_everything_with_a_secret_is_private(lab: RunningLab) -> None:
    state = lab.lab.state
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert_private(lab)
    assert stat.S_IMODE((state / "lab.json").stat().st_mode) == 0o600


def test_everything_listens_on_loopback_alone(lab: RunningLab) -> None:
    addresses = set()
    for process in marked(lab):
        try:
            addresses |= {each.laddr.ip for each in process.net_connections("inet") if each.status == "LISTEN"}
        except psutil.Error:
            continue
    assert addresses == {HOST}


def test_passwords_are_asked_for(lab: RunningLab) -> None:
    ports = [*lab.contract["redis"]["nodes"].values(), *lab.contract["redis"]["sentinels"].values()]
    for node in ports:
        with (
            ready.client(node["port"], "wrong") as client,
            pytest.raises((redis.exceptions.AuthenticationError, redis.exceptions.ResponseError)),
        ):
            client.ping()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url(lab.contract["postgres"]["port"], "app", "wrong"))


def test_reset_is_empty_and_healthy(own: RunningLab) -> None:
    own.api("POST", "/webhooks", {"id": "old", "kind": "test"})
    own.eventually("the job", lambda: own.runs("old"))
    own.kill("redis-1")
    again = RunningLab(own.lab, own.lab.reset())
    assert again.health()["status"] == "ok"
    assert again.sql("SELECT count(*) FROM job_runs") == [(0,)]
    assert again.api("GET", "/queue/metrics").json()["completed"] == 0
    assert again.api("GET", "/queue/dlq").json()["count"] == 0


def test_up_over_the_remains_of_a_crash_starts_afresh(own: RunningLab) -> None:
    old = own.contract["id"]
    for process in [psutil.Process(own.supervisor.pid()), *marked(own)]:
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's backends end with the postmaster that was just killed
            process.kill()
    until(lambda: not own.lab.status().up, what="the end of everything", within_s=10)
    assert own.lab.contract() is not None
    fresh = own.lab.up()
    assert fresh["id"] != old
    assert RunningLab(own.lab, fresh).health()["status"] == "ok"


def test_down_leaves_nothing_although_supervisord_was_killed(own: RunningLab) -> None:
    before = marked(own)
    assert len(before) >= len(PROGRAMS)
    os.kill(own.supervisor.pid(), signal.SIGKILL)
    until(lambda: not own.lab.status().up, what="the end of supervisord", within_s=5)
    assert [process for process in before if processes.runs(process)]
    own.lab.down()
    assert marked(own) == []
    assert not [process for process in before if processes.runs(process)]
    assert own.lab.contract() is None
    own.lab.down()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[RunningLab]:
    """A lab whose path is too long for a socket's."""
    lab = Lab(tmp_path / ("long " * 20) / "state")
    try:
        yield RunningLab(lab, lab.up())
    finally:
        lab.down()


def test_a_long_path_is_no_obstacle_and_two_labs_side_by_side_do_not_meet(lab: RunningLab, far: RunningLab) -> None:
    assert far.health()["status"] == "ok"
    assert far.lab.status().up
    assert not (far.lab.state / "supervisor.sock").exists()
    assert len(secrets_of(far)) == 9
    assert_nobody_tells(far)
    assert_private(far)

    def ports(each: RunningLab) -> set[int]:
        links = each.contract["links"].values()
        return {link["listen"] for link in links} | {link["upstream"] for link in links}

    assert not ports(lab) & ports(far)
    answer = far.api("POST", "/webhooks", {"id": "mine", "kind": "test"})
    assert answer.status_code == 202
    far.eventually("the job", lambda: far.runs("mine"))
    assert lab.runs("mine") == {}
    far.lab.down()
    assert marked(far) == []
    assert lab.health()["status"] == "ok"


def test_a_part_that_cannot_start_is_named_and_nothing_is_left(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path_factory.mktemp("s")
    lab = Lab(state)
    ids: list[str] = []

    def broken(cluster: postgres.Cluster, port: int, password: str) -> None:
        del port, password
        run = folder.run(state)
        assert run is not None
        ids.append(run["id"])
        cluster.data.mkdir()

    monkeypatch.setattr(postgres, "create", broken)
    with pytest.raises(LabError, match=r"postgres did not start(.|\n)*postgres"):
        lab.up()
    assert processes.of_lab(ids[0]) == []
    assert lab.contract() is None


def test_an_own_folder_is_worked_on_by_one_at_a_time(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    with folder.alone(tmp_path), pytest.raises(LabError, match="another"):
        lab.up()
