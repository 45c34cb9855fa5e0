"""Bringing an empty lab up. It is up only when a webhook went all the way through; `lab.json` is written last."""
# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

import sys
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, TypeVar

import psutil

from drillbook_lab.base import files
from drillbook_lab.base.errors import LabError
from drillbook_lab.base.poll import until
from drillbook_lab.base.topology import BY_PROMETHEUS, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.lifecycle import ready
from drillbook_lab.lifecycle import state as folder
from drillbook_lab.lifecycle.blueprint import Alerting, Blueprint
from drillbook_lab.lifecycle.contract import contract
from drillbook_lab.lifecycle.parts import (
    barman,
    configuration,
    history,
    hosting,
    nodejs,
    postgres,
    prometheus,
    releases,
    tls,
)
from drillbook_lab.lifecycle.parts.keys import Secrets
from drillbook_lab.lifecycle.parts.vendors import clients, standins
from drillbook_lab.lifecycle.ports import free_ports
from drillbook_lab.lifecycle.programs import programs
from drillbook_lab.lifecycle.progress import Progress
from drillbook_lab.lifecycle.supervision import client, conf, processes

UP_WITHIN_S = 60.0
_DEAD = ("BACKOFF", "EXITED", "FATAL")

T = TypeVar("T")


def bring_up(state: Path, progress: Progress, alerting: Alerting = Alerting.LAB) -> dict[str, Any]:
    """Bring up a lab where there is none; returns the contract. Raises LabError, and may leave processes then."""
    lab = _prepared(state, progress, alerting)
    progress("creating the database, starting Redis, Sentinel, proxy, API and workers")
    supervisor = _started(lab)
    parts = _Parts(lab, supervisor)
    parts.wait_for_stores(progress)
    parts.wait_for_application(progress)
    if any(each.there for each in clients.clients().values()):
        supervisor.start("platforms")
        parts.wait_for_platforms()
    # Last, so that it does not report the start as an outage.
    parts.wait_for_alerting(progress)
    told = contract(lab)
    files.write_json(folder.contract_file(state), told)
    progress(f"up: {lab.http('users-api')}")
    return told


def _prepared(state: Path, progress: Progress, alerting: Alerting) -> Blueprint:
    """Write all that must be on disk before the first process."""
    lab_id = str(uuid.uuid4())
    ports, keys = free_ports(), Secrets()
    progress("writing configuration and certificates")
    folder.make_folders(state)
    # Written before the first process, so that `down` knows what to look for, whatever happens from here on.
    files.write_json(folder.run_file(state), {"id": lab_id, "pid": 0, "created": 0})
    lab = Blueprint(
        lab_id=lab_id,
        state=state,
        version=installed_version("drillbook"),
        ports=ports,
        keys=keys,
        cluster=postgres.prepare(state / "postgres"),
        authority=tls.write(state / "tls"),
        commits=history.make(folder.repository(state)),
        alerting=alerting,
    )
    _write_configuration(lab)
    endpoint = conf.Endpoint.choose(state, ports["supervisor"], keys.supervisor)
    user = "root" if postgres.os_user() else None
    files.write(folder.conf(state), conf.render(state, endpoint, programs(lab), user))
    return lab


def _write_configuration(lab: Blueprint) -> None:
    ids = {name: uuid.uuid4().hex + uuid.uuid4().hex[:8] for name in SENTINELS}
    for name in REDIS_NODES:
        own = lab.state / name
        files.write(own / "redis.conf", configuration.redis_conf(name, own, lab.ports, lab.keys))
    for name in SENTINELS:
        own = lab.state / name
        files.write(own / "sentinel.conf", configuration.sentinel_conf(name, own, lab.ports, ids, lab.keys))
    files.write_json(lab.state / "proxy" / "proxy.json", configuration.proxy_config(lab.ports, lab.authority))
    barman.lay_out(lab.cluster, lab.ports["postgres"])
    prometheus.lay_out(folder.prometheus(lab.state), lab.ports)
    node_worker = folder.node_worker(lab.state)
    nodejs.lay_out(node_worker)
    nodejs.manage(node_worker, lab.lab_id, lab.settings("worker"), lab.state / "logs")
    workers = [folder.workers(lab.state) / name for name in WORKERS]
    for site in (folder.site(lab.state), folder.frontend(lab.state), *workers):
        releases.lay_out(site, history.STABLE_FOLDER, lab.commits)
    platforms = folder.platforms(lab.state)
    standins.lay_out(platforms, lab.lab_id, lab.ports, folder.repository(lab.state), lab.state / "logs")
    hosting.install(folder.repository(lab.state), sys.executable, _hosting(lab))
    for name, site in (("api", folder.site(lab.state)), ("worker", folder.workers(lab.state))):
        text = configuration.settings(
            name,
            ports=lab.ports,
            keys=lab.keys,
            tls=lab.authority,
            database_url=postgres.url(lab.ports[f"{name}-postgres"], postgres.APP_USER, lab.keys.postgres_app),
            site=site,
        )
        files.write(lab.settings(name), text)


def _hosting(lab: Blueprint) -> dict[str, Any]:
    """The configuration of the hook that deploys a push to main."""
    restart = ["-c", str(folder.conf(lab.state)), "restart", "api"]
    return {
        "python": sys.executable,
        "sites": [str(folder.site(lab.state)), str(folder.frontend(lab.state))],
        "restart": [str(Path(sys.executable).with_name("supervisorctl")), *restart],
        "purge": {"url": f"{lab.http('cdn')}/*", "token": lab.keys.purge},
        "log": str(lab.state / "logs" / "hosting.log"),
    }


def _started(lab: Blueprint) -> client.Supervisor:
    """Start supervisord with all programs but alerting, and create and start the database."""
    creating = _Background(
        lambda: postgres.create(lab.cluster, lab.ports["postgres"], lab.keys.postgres_admin),
    )
    try:
        client.launch(folder.conf(lab.state), lab.state, {processes.MARKER: lab.lab_id})
        supervisor = client.Supervisor.from_conf(folder.conf(lab.state))
        pid = until(supervisor.pid, what="supervisord", within_s=5, transient=client.UNREACHABLE)
        created = psutil.Process(pid).create_time()
        files.write_json(folder.run_file(lab.state), {"id": lab.lab_id, "pid": pid, "created": created})
    finally:
        creating.join()
    supervisor.start("postgres")
    return supervisor


class _Parts:
    """Waits for the parts of a lab, in the order in which they need each other."""

    def __init__(self, lab: Blueprint, supervisor: client.Supervisor) -> None:
        self._lab, self._supervisor = lab, supervisor

    def wait_for_stores(self, progress: Progress) -> None:
        ports, keys = self._lab.ports, self._lab.keys
        self._wait("PostgreSQL", self._filled)
        progress("PostgreSQL is up")
        self._wait("replication", lambda: ready.replication(ports, keys.redis_admin))
        self._wait("Sentinel", lambda: ready.sentinels(ports, keys.sentinel))
        progress("Redis and Sentinel are up")

    def wait_for_application(self, progress: Progress) -> None:
        """Wait until a webhook went all the way through, and remove its traces."""
        ports, keys = self._lab.ports, self._lab.keys
        base = self._lab.http("users-api")
        self._wait("the API", lambda: ready.health(base))
        progress("the API is up")
        self._wait("the frontend", lambda: ready.frontend(self._lab.http("users-cdn")))
        webhook_id = self._wait("the first webhook", lambda: ready.submit_first_job(base, keys.api_key))
        done = (webhook_id, ports, keys.postgres_admin, keys.redis_admin)
        self._wait("the first job", lambda: ready.job_done(*done))
        ready.forget_job(*done)

    def wait_for_alerting(self, progress: Progress) -> None:
        """Start whoever tells people, and wait until Prometheus, if it is that, has seen the API."""
        if self._lab.alerting is Alerting.LAB:
            self._supervisor.start("alerting")
            return
        for name in BY_PROMETHEUS:
            self._supervisor.start(name)
        self._wait("Alertmanager", lambda: ready.answers(f"{self._lab.http('alertmanager')}/-/ready"))
        self._wait("Prometheus", lambda: ready.scraped(self._lab.http("prometheus")))
        progress("Prometheus and Alertmanager are up")

    def wait_for_platforms(self) -> None:
        self._wait("the vendors' stand-ins", lambda: ready.reachable(self._lab.http("platforms")))

    def _filled(self) -> bool:
        keys = self._lab.keys
        postgres.fill(self._lab.ports["postgres"], keys.postgres_admin, keys.postgres_app)
        return True

    def _wait(self, what: str, look: Callable[[], T]) -> T:
        """Wait for a part. If a program has died, raise at once, with the end of its log."""

        def look_alive() -> T:
            try:
                return look()
            except ready.TRANSIENT:
                for each in self._supervisor.processes():
                    if each["statename"] in _DEAD:
                        raise self._died(each["name"], each["statename"]) from None
                raise

        return until(look_alive, what=what, within_s=UP_WITHIN_S, transient=ready.TRANSIENT)

    def _died(self, name: str, state: str) -> LabError:
        with suppress(LabError):
            end = folder.logs(self._lab.state, name, 15)
            return LabError(f"{name} did not start ({state}); the end of its log:\n{end}")
        return LabError(f"{name} did not start ({state}) and left no log")


class _Background:
    """One call in a thread; `join` raises the call's error."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever joins
            self._error = error

    def join(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error
