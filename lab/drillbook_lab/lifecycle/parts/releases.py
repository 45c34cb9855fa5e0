"""The releases of the queue's code on disk: each in a folder of its own, and a link to the one that is live."""

from importlib import resources
from pathlib import Path

from drillbook_lab.app import queue_code
from drillbook_lab.app.queue_code.release import FILE, SOURCES, STABLE
from drillbook_lab.base import files


def lay_out(folder: Path) -> Path:
    """Lay the releases of the queue's code out below `folder`, the stable one live; gives what workers load."""
    for place in (folder, folder / "releases", *(folder / "releases" / release for release in SOURCES)):
        place.mkdir(mode=0o700, exist_ok=True)
    for release, source in SOURCES.items():
        text = resources.files(queue_code).joinpath(source).read_text()
        files.write(folder / "releases" / release / FILE, text)
    current = folder / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(Path("releases") / STABLE)
    return current / FILE
