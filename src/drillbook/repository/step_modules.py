"""Imports the step modules of `steps/` as plugins, so that every feature sees their steps.

The rule: a module that cannot be imported refuses the features, in one line with its place. It refuses nothing else:
the Python tests of the same repository do not need it.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from drillbook.model.paths import STEPS

DEFAULT_FOLDERS = [STEPS]


@dataclass(frozen=True, slots=True)
class UnloadedModule:
    """A step module that could not be imported: where and why; `path` is relative to the rootdir if it lies below."""

    path: str
    line: int
    sentence: str


def load_steps(config: pytest.Config, folders: Sequence[str]) -> list[UnloadedModule]:
    """Import each module below the folders, which are relative to the rootdir. Returns the modules that failed.

    Files and folders that begin with `_` or `.` are helpers, and left alone. Raises pytest.UsageError for a missing
    folder that was asked for.
    """
    failures: list[UnloadedModule] = []
    for name in folders:
        folder = (config.rootpath / name).resolve()
        if folder.is_dir():
            failures += _load_folder(config, folder)
        elif list(folders) != DEFAULT_FOLDERS:
            raise pytest.UsageError(f"drillbook_steps: there is no folder {folder}")
    return failures


def _load_folder(config: pytest.Config, folder: Path) -> list[UnloadedModule]:
    root = config.rootpath.resolve()
    base = root if folder.is_relative_to(root) and folder != root else folder.parent
    if str(base) not in sys.path:
        sys.path.insert(0, str(base))
    paths = {_module_name(path, base): path for path in sorted(folder.rglob("*.py")) if _is_step_module(path, folder)}
    _forget_others({name.partition(".")[0] for name in paths}, base)
    # All at once and before the first import: otherwise pytest warns of a module that imports its neighbour.
    pytest.register_assert_rewrite(*paths)
    return [problem for name, path in paths.items() if (problem := _load_module(config, name, path)) is not None]


def _forget_others(packages: Collection[str], base: Path) -> None:
    """Drop modules of the same name that an earlier pytest session of this process loaded from another repository."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in packages:
            # A package without __init__.py has no file, and keeps the folders in which it was first found.
            places = [file] if (file := getattr(module, "__file__", None)) else [*getattr(module, "__path__", ())]
            if not any(Path(place).resolve().is_relative_to(base) for place in places):
                del sys.modules[name]


def _is_step_module(path: Path, folder: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)


def _module_name(path: Path, base: Path) -> str:
    return ".".join(path.relative_to(base).with_suffix("").parts)


def _load_module(config: pytest.Config, name: str, path: Path) -> UnloadedModule | None:
    """Import and register one module; returns why that failed."""
    if config.pluginmanager.is_blocked(name):
        return None
    shown = (path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path).as_posix()
    try:
        module = importlib.import_module(name)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - pytest.skip() at module level is one; all are reported
        line, reason = _why(error, path, config.rootpath)
        return UnloadedModule(shown, line, f"this step module cannot be imported: {reason}")
    if Path(module.__file__ or "").resolve() != path:
        sentence = (
            f"this step module cannot be imported: the name {name} belongs to {module.__file__}; rename one of the two"
        )
        return UnloadedModule(shown, 1, sentence)
    if not config.pluginmanager.is_registered(module):
        config.pluginmanager.register(module, name)
    return None


def _why(error: BaseException, path: Path, root: Path) -> tuple[int, str]:
    """The line of the module that failed, and why in one line, with the place if that is in another file of
    the user's.
    """
    reason = traceback.format_exception_only(error)[-1].strip()
    places = [(Path(frame.filename), frame.lineno or 1) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((Path(error.filename), error.lineno or 1))
    own = [line for file, line in places if file == path]
    file, line = places[-1]
    if own and file != path and file.is_relative_to(root):
        reason = f"{reason} ({file.relative_to(root).as_posix()}:{line})"
    return (own[-1] if own else 1), reason
