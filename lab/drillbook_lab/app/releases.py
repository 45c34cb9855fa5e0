"""The release of the product that is live on a site. A program loads it when it starts, and not later."""

import json
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Built:
    """A release that was built. Its own build.json says which one it is."""

    folder: Path
    version: str
    commit: str


def live(site: Path) -> Built:
    """The release to which the site's link leads. Raises ValueError if it was not built."""
    folder = (site / "current").resolve()
    try:
        built = json.loads((folder / "build.json").read_text())
        return Built(folder, str(built["version"]), str(built["commit"]))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder}: is not a release that was built: {error}") from None


def load(path: Path, name: str) -> ModuleType:
    """Load a module of a release. The path of an `__init__.py` loads a package, whose modules are imported by `name`.

    Raises ValueError for a file that is not Python, and whatever the code raises when it is imported.
    """
    inside = [str(path.parent)] if path.name == "__init__.py" else None
    spec = spec_from_file_location(name, path, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: cannot be imported: it is no file of Python")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
