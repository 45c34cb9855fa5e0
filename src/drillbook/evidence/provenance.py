"""Which software ran the drill, and from which commit: names, versions and digests only, no paths and no host names."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from drillbook.evidence.artefacts import digest_of_folder
from drillbook.model.record import EngineRecord

PACKAGES = ("drillbook", "pytest", "pytest-bdd", "ansible-core", "ansible-runner", "pytest-testinfra", "redis", "httpx")


@cache
def harness() -> Mapping[str, str]:
    """Versions of the software that took part."""
    found = {"python": platform.python_version(), "os": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def engine() -> EngineRecord:
    """Which Drillbook it was. An installed one and a checkout of the same sources have the same digest."""
    return EngineRecord(harness()["drillbook"], digest_of_folder(Path(__file__).parents[1]))


@cache
def git_state(root: Path) -> Mapping[str, Any]:
    """The commit, and whether the work tree differs from it; empty when root is no git checkout or git is missing."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {}
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changes) if changes is not None else None}


def is_ignored(root: Path, path: str) -> bool:
    """Whether git ignores a file (from the root), so that each checkout has its own, or none."""
    return _git(root, "check-ignore", "--quiet", path) is not None


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
