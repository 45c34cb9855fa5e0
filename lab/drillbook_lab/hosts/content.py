"""The files on the machines before they start: the lab's package on all of them, and each machine's own files.

Laid out below the lab's state folder as it will lie on the machine; the machine's disk takes it from there.
"""

import json
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import drillbook_lab
from drillbook_lab.base.files import own
from drillbook_lab.base.topology import HOST, WORKERS
from drillbook_lab.hosts import layout
from drillbook_lab.hosts.layout import ADDRESSES, MACHINES, PORTS, REACHED, address_of
from drillbook_lab.hosts.units import HOME, LIBRARY, POSTGRES, installed
from drillbook_lab.lifecycle.parts import configuration, history, postgres, releases, tls
from drillbook_lab.lifecycle.parts.keys import Secrets

OWNER = 900
"""The id of the user `lab` on the machines."""
ADMINISTRATOR = 1000


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """One lab on machines that is to be brought up. It has no `repr`, because it holds passwords."""

    lab_id: str
    state: Path
    keys: Secrets = field(default_factory=Secrets)

    def of(self, machine: str) -> Path:
        """Where the files of a machine are laid out."""
        return self.state / "machines" / machine / "files"

    @property
    def key(self) -> Path:
        """The private key that logs in to the machines."""
        return self.state / "ssh" / "id"

    @property
    def authority(self) -> Path:
        """The certificates by which clients trust what has TLS on the machines. Each has an authority of its own."""
        return self.state / "ssh" / "ca.pem"

    @property
    def repository(self) -> Path:
        """The repository of the product, as it lies on each machine."""
        return self.state / "git" / "origin.git"

    @property
    def database_url(self) -> str:
        """By which the API reaches its database. A drill reaches it there, too: it looks whether a session is taken."""
        return postgres.url(PORTS["postgres"], postgres.APP_USER, self.keys.postgres_app, host=address_of("postgres"))

    @property
    def known_hosts(self) -> Path:
        return self.state / "ssh" / "known_hosts"


def lay_out(plan: Plan) -> None:
    """Lay out all files of every machine."""
    (plan.state / "ssh").mkdir(mode=0o700, parents=True)
    _key(plan.key)
    plan.repository.parent.mkdir(mode=0o755)
    commits = history.make(plan.repository)
    ids = {name: uuid.uuid4().hex + uuid.uuid4().hex[:8] for name in REACHED if name.startswith("sentinel")}
    known = []
    for machine in MACHINES:
        files = plan.of(machine)
        home = _folder(files / HOME.removeprefix("/"))
        (home / "logs").mkdir(mode=0o755)
        for part in ("env", "tls", "proxy", "sink", *MACHINES[machine]):
            (home / part).mkdir(mode=0o700, exist_ok=True)
        _write_programs(plan, machine, home, ids)
        config = {"port": PORTS["proxy"], "tls": _certificates(), "links": layout.links(machine)}
        _private(home / "proxy" / "proxy.json", json.dumps(config, indent=2))
        _write_application(plan, home, commits, ADDRESSES[machine])
        with plan.authority.open("ab") as trusted:
            trusted.write((home / "tls/ca.pem").read_bytes())
        _write_units(machine, files)
        _owned(home, OWNER)
        # git works for the owner of a repository alone, and deployments are root's
        shutil.copytree(plan.repository, home / "git/origin.git")
        known.append(f"{ADDRESSES[machine]} {_system(plan, machine, files)}\n")
        _package(files)
    plan.known_hosts.write_text("".join(known))


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o755, parents=True)
    return path


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _key(path: Path) -> str:
    """Make a key pair; returns its public half in the form of `known_hosts`."""
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
    return path.with_name(f"{path.name}.pub").read_text().strip()


def _write_programs(plan: Plan, machine: str, home: Path, ids: Mapping[str, str]) -> None:
    keys = plan.keys
    for name in MACHINES[machine]:
        own = Path(HOME) / name
        if name in ids:
            _private(
                home / name / "sentinel.conf", configuration.sentinel_conf(name, own, PORTS, ids, keys, at=REACHED)
            )
        elif name in REACHED:
            _private(home / name / "redis.conf", configuration.redis_conf(name, own, PORTS, keys, at=REACHED))
        elif name == "postgres":
            _private(home / name / "admin-password", keys.postgres_admin)
            _private(home / name / "pgpass", f"{HOST}:{PORTS[name]}:*:{postgres.ADMIN}:{keys.postgres_admin}\n")
            _private(home / name / "make.sh", make_database(f"{layout.NETWORK}.0/24"))
    secrets = {
        "sink": f"SINK_TOKEN={keys.chat_token}\nSMTP_PASSWORD={keys.smtp}\n",
        "web": f"PURGE_TOKEN={keys.purge}\n",
    }
    for name in secrets.keys() & set(MACHINES[machine]):
        _private(home / "env" / f"{name}.secret", secrets[name])


def _certificates() -> dict[str, str]:
    return {kind: str(tls.TlsFiles(Path(HOME) / "tls").server(kind)) for kind in tls.KINDS}


def make_database(network: str) -> str:
    """The script that makes the database if there is none; clients of this network may log in."""
    folder = Path(HOME) / "postgres"
    settings = postgres.settings("0.0.0.0", PORTS["postgres"], folder / "archive")
    initdb = f"{POSTGRES}/initdb"
    return f"""set -eu
cd {folder}
[ ! -e data/PG_VERSION ] || exit 0
rm -rf data
mkdir -p archive backups
{initdb} -D new -U {postgres.ADMIN} -A scram-sha-256 --pwfile=admin-password --encoding=UTF8 --locale=C --no-sync \\
    --no-instructions --wal-segsize=1 >/dev/null
cat >>new/postgresql.conf <<'END'
{settings}END
echo 'host all all {network} scram-sha-256' >>new/pg_hba.conf
rm admin-password
mv new data
"""


def _write_application(plan: Plan, home: Path, commits: Mapping[str, str], *names: str) -> None:
    tls.write(home / "tls", *names)
    workers = [f"workers/{name}" for name in WORKERS if (home / name).is_dir()]
    for site in ("site", "frontend", *workers):
        releases.lay_out(_folder(home / site), history.STABLE_FOLDER, commits)
    at_home = tls.TlsFiles(Path(HOME) / "tls")
    for client, site in (("api", "site"), ("worker", "workers")):
        by_proxy = postgres.url(PORTS["worker-postgres"], postgres.APP_USER, plan.keys.postgres_app)
        url = plan.database_url if client == "api" else by_proxy
        text = configuration.settings(
            client,
            ports=PORTS,
            keys=plan.keys,
            tls=at_home,
            database_url=url,
            site=Path(HOME) / site,
        )
        _private(home / "env" / f"{client}.env", text)


def _write_units(machine: str, files: Path) -> None:
    known = installed()
    system = _folder(files / "etc/systemd/system")
    wanted = _folder(system / "multi-user.target.wants")
    for name in MACHINES[machine]:
        (system / f"{name}.service").write_text(known[name].text())
        (wanted / f"{name}.service").symlink_to(f"/etc/systemd/system/{name}.service")


def _system(plan: Plan, machine: str, files: Path) -> str:
    """Write the names, keys and addresses of the machine itself; returns its public key."""
    etc = files / "etc"
    names = [f"{address} {name}" for name, address in ADDRESSES.items()]
    (etc / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names]) + "\n")
    ssh = _folder(etc / "ssh")
    public = _key(ssh / "ssh_host_ed25519_key")
    own = _folder(files / "home/deploy/.ssh")
    shutil.copy(plan.key.with_name("id.pub"), own / "authorized_keys")
    own.chmod(0o700)
    _owned(files / "home/deploy", ADMINISTRATOR)
    return public


def _package(files: Path) -> None:
    """Copy the lab's own code, as it is here."""
    source = Path(drillbook_lab.__file__).parent
    shutil.copytree(
        source, files / LIBRARY.removeprefix("/") / "drillbook_lab", ignore=shutil.ignore_patterns("__pycache__")
    )


def _owned(folder: Path, owner: int) -> None:
    for path in (folder, *folder.rglob("*")):
        own(path, owner)
