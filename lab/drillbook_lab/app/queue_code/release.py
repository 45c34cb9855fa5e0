"""The releases that the lab comes with, and how a worker loads one.

Beside this file they are sources. `lab up` lays each into a folder of its own, with the link `current` on the one that
is live; workers load what the link points to when they start, and not later.
"""

from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

Handler = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

STABLE, BROKEN = "1.0.0", "1.1.0"
FILE = "handler.py"
SOURCES = {STABLE: "stable.py", BROKEN: "broken.py"}


def load(path: Path) -> Handler:
    """The function `handle` of this file. Raises ValueError when it has none."""
    spec = spec_from_file_location("drillbook_lab_handler", path.resolve())
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: cannot be imported: it is no file of Python")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        handle: Handler = module.handle
    except AttributeError:
        raise ValueError(f"{path}: has no function 'handle'") from None
    return handle
