"""Which software ran the drill, and from which commit: names and versions only, no paths and no host names."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("drillbook", "pytest", "pytest-bdd", "ansible-core", "ansible-runner", "pytest-testinfra", "redis", "httpx")


@cache
def harness() -> Mapping[str, str]:
    """Versions of what took part."""
    found = {"python": platform.python_version(), "os": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def git_state(root: Path) -> Mapping[str, Any]:
    """Commit and whether the work tree differs from it; empty where root is no git checkout or git is missing."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {}
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changes) if changes is not None else None}


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
