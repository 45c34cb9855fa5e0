"""The files of the containers, laid out below the lab's folder: each network, or container alone, has a home there."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drillbook_lab.base import files
from drillbook_lab.base.topology import WORKERS
from drillbook_lab.compose import images, layout
from drillbook_lab.compose.engine import Engine
from drillbook_lab.compose.layout import ADDRESSES, ALONE, FRONT, PODS, REACHED
from drillbook_lab.compose.project import TAG, compose_file
from drillbook_lab.hosts.content import OWNER, make_database
from drillbook_lab.hosts.layout import PORTS
from drillbook_lab.hosts.units import HOME, installed
from drillbook_lab.lifecycle.parts import configuration, history, postgres, releases, tls
from drillbook_lab.lifecycle.parts.keys import Secrets


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """One lab in containers that is to be brought up. It has no `repr`, because it holds passwords."""

    lab_id: str
    state: Path
    keys: Secrets = field(default_factory=Secrets)

    @property
    def engine(self) -> Engine:
        return Engine(self.state / "engine", self.lab_id)

    @property
    def homes(self) -> Path:
        return self.state / "homes"

    @property
    def file(self) -> Path:
        return self.state / "project" / "compose.yml"

    @property
    def tags(self) -> Path:
        """The file beside the Compose file that says which image is meant."""
        return self.state / "project" / ".env"

    @property
    def volume(self) -> Path:
        """The small disk of the database; the path leads there on the machine and in the server's container."""
        return self.state / "volume"

    @property
    def passfile(self) -> Path:
        return self.state / "project" / "pgpass"

    @property
    def authority(self) -> Path:
        """The certificate by which clients trust the mail server."""
        return self.homes / FRONT / "tls" / "ca.pem"

    @property
    def database_url(self) -> str:
        """How the application reaches its database: without the proxy, so that a drill can log in as it does."""
        return postgres.url(
            PORTS["postgres"], postgres.APP_USER, self.keys.postgres_app, host=layout.address_of("postgres")
        )

    @property
    def settings(self) -> Path:
        """The file that the API reads at its start."""
        return self.homes / FRONT / "env" / "api.env"


def lay_out(plan: Plan, commits: Mapping[str, str]) -> None:
    """Lay out all files of the containers, and the Compose file."""
    ids = {name: uuid.uuid4().hex + uuid.uuid4().hex[:8] for name in REACHED if name.startswith("sentinel")}
    for name in (*ALONE, *PODS):
        home = plan.homes / name
        for part in ("logs", "env", "tls", "proxy", "sink", *((name,) if name in ALONE else PODS[name])):
            (home / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        tls.write(home / "tls", ADDRESSES[name])
    for name in ALONE:
        _redis(plan, name, ids)
    for pod in PODS:
        _pod(plan, pod, commits)
    for path in plan.homes.rglob("*"):
        files.own(path, OWNER)
    for home in plan.homes.iterdir():
        files.own(home, OWNER)
    plan.file.parent.mkdir(mode=0o700)
    text = compose_file(plan.lab_id, installed(), plan.homes, OWNER, disk=plan.engine.disk, seen_at=plan.volume)
    files.write(plan.file, text)
    files.write(plan.tags, f"{TAG}={history.STABLE}\n")
    server = f"{layout.address_of('postgres')}:{PORTS['postgres']}"
    files.write(plan.passfile, f"{server}:*:{postgres.ADMIN}:{plan.keys.postgres_admin}\n")


def _redis(plan: Plan, name: str, ids: Mapping[str, str]) -> None:
    folder, own = plan.homes / name / name, Path(HOME) / name
    if name in ids:
        text = configuration.sentinel_conf(name, own, PORTS, ids, plan.keys, at=REACHED)
        files.write(folder / "sentinel.conf", text)
    else:
        files.write(folder / "redis.conf", configuration.redis_conf(name, own, PORTS, plan.keys, at=REACHED))


def _pod(plan: Plan, pod: str, commits: Mapping[str, str]) -> None:
    home, keys = plan.homes / pod, plan.keys
    certificates = {kind: str(tls.TlsFiles(Path(HOME) / "tls").server(kind)) for kind in tls.KINDS}
    config = {"port": PORTS["proxy"], "tls": certificates, "links": layout.links(pod)}
    files.write_json(home / "proxy" / "proxy.json", config)
    if pod == FRONT:
        releases.lay_out(_made(home / "frontend"), history.STABLE_FOLDER, commits)
        files.write(home / "env" / "sink.secret", f"SINK_TOKEN={keys.chat_token}\nSMTP_PASSWORD={keys.smtp}\n")
        files.write(home / "env" / "web.secret", f"PURGE_TOKEN={keys.purge}\n")
        _settings(plan, home / "env" / "api.env", "api", Path(images.SITE))
    elif "postgres" in PODS[pod]:
        files.write(home / "postgres" / "admin-password", keys.postgres_admin)
        files.write(home / "postgres" / "make.sh", make_database(f"{layout.NETWORK}.0/24"))
    else:
        for worker in WORKERS:
            releases.lay_out(_made(home / "workers" / worker), history.STABLE_FOLDER, commits)
        _settings(plan, home / "env" / "worker.env", "worker", Path(HOME) / "workers")


def _settings(plan: Plan, path: Path, client: str, site: Path) -> None:
    at_home = tls.TlsFiles(Path(HOME) / "tls")
    text = configuration.settings(
        client, ports=PORTS, keys=plan.keys, tls=at_home, database_url=plan.database_url, site=site
    )
    files.write(path, text)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True)
    return folder
