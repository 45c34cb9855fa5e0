"""The images, built on this machine: no registry is asked.

The base is the root file system that the machines of `--staging hosts` have too. On it stands the lab's own code, and
on that an image of the API for each release of the product that drills bring live.
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import drillbook_lab
from drillbook_lab.base.errors import LabError
from drillbook_lab.compose.engine import Engine
from drillbook_lab.hosts.units import LIBRARY
from drillbook_lab.lifecycle.parts import history, releases

BASE, LAB, API = "drillbook/base", "drillbook/lab", "drillbook/api"
SITE = "/opt/lab/site"
"""Where the release lies in an image of the API."""
TAGGED: Mapping[str, str] = {
    history.STABLE: history.STABLE_FOLDER,
    "answers-with-errors": "errors",
    "leaks-memory": "leak",
}
"""The tags of the API's image, and the release in each."""
# what only a machine has
_LEFT_OUT = ("./lib/systemd", "./usr/lib/systemd", "./boot", "./proc", "./sys", "./dev", "./var/cache", "./var/lib/apt")


def build(engine: Engine, root: Path, commits: Mapping[str, str], folder: Path) -> None:
    """Build all images; `folder` is one to work in, which is removed."""
    _base(engine, root)
    folder.mkdir(mode=0o700)
    try:
        _lab(engine, folder / "lab")
        for tag, release in TAGGED.items():
            of = folder / tag
            releases.lay_out(_made(of / "site"), release, commits)
            _build(engine, of, f"{API}:{tag}", f"FROM {LAB}\nCOPY site {SITE}\n")
    finally:
        shutil.rmtree(folder)


def _base(engine: Engine, root: Path) -> None:
    """Import the root file system as an image, without a copy in between."""
    packed = ["tar", "-C", str(root), *(f"--exclude={each}/*" for each in _LEFT_OUT), "-c", "."]
    with subprocess.Popen(packed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as packing:
        engine.docker("import", "-", BASE, stdin=packing.stdout)
    if packing.returncode:
        raise LabError(f"the root file system {root} cannot be packed: tar ended with {packing.returncode}")


def _lab(engine: Engine, folder: Path) -> None:
    source = Path(drillbook_lab.__file__).parent
    shutil.copytree(source, folder / "drillbook_lab", ignore=shutil.ignore_patterns("__pycache__"))
    lines = ["FROM " + BASE, f"COPY drillbook_lab {LIBRARY}/drillbook_lab", "STOPSIGNAL SIGTERM"]
    _build(engine, folder, LAB, "\n".join(lines) + "\n")


def _build(engine: Engine, folder: Path, image: str, text: str) -> None:
    for path in (folder, *folder.rglob("*")):  # the user of the containers reads them
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "Dockerfile").write_text(text)
    engine.docker("build", "--quiet", "--network", "none", "--tag", image, str(folder))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
