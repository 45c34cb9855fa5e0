"""Releases on disk: each in a folder of its own, and a link to the one that is live.

At first only the live release lies there, as a deployment would have built it. Deployments add others.
"""

from collections.abc import Mapping
from pathlib import Path

from drillbook_lab.app.releases import load
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
    # in this process, because a new one takes longer than the build
    load(folder / "build.py", "drillbook_lab_build").build(folder, commit)
    (site / "current").symlink_to(Path("releases") / commit)
