"""Releases on disk: each in a folder of its own, and a link to the one that is live.

At first only the live release lies there, as a deployment would have built it. Deployments add others.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from drillbook_lab.lifecycle.parts import history


def lay_out(site: Path, live: str, commits: Mapping[str, str]) -> None:
    """Lay out one release of the product below `site`, build it as a deployment does, and make it the live one."""
    commit = commits[live]
    folder = site / "releases" / commit
    for path, content in history.tree(live).items():
        to = folder / path
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        to.write_bytes(content)
    (site / "shared/flags").mkdir(mode=0o700, parents=True)
    _build(folder).build(folder, commit)
    _point(site / "current", Path("releases") / commit)


def _build(folder: Path) -> ModuleType:
    """The release's own build.py, loaded into this process, because a new process takes longer than the build."""
    spec = importlib.util.spec_from_file_location("drillbook_lab_build", folder / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _point(link: Path, to: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(to)
