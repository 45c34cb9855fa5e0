"""Collects a repository with pytest in this process, as `drillbook lint` and `drillbook drills` both need it.

The rule: what is refused here is what pytest refuses, as the same code refuses it. In this process, since what is
collected (step functions, sentences, an inventory) are objects, and a pipe would carry a copy of them. The price is
that the step modules stay imported; nobody pays it, as the command ends afterwards. pytest's memory of what failed
(`--lf`, `--nf`, `--sw`) is neither asked nor changed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

_QUIETLY = (
    *("--collect-only", "-q"),
    # pytest warns of plugins that were imported before it began, as they are here; an ini may make that an error
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    # what this process left for the garbage collector before is nothing that the collection found
    *("-p", "no:unraisableexception", "-p", "no:threadexception"),
)
_MEMORIES = ("lfplugin", "nfplugin", "stepwiseplugin")


class _Forgetful:
    """A plugin of the collecting session."""

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        manager = session.config.pluginmanager
        for name in _MEMORIES:
            if manager.hasplugin(name):
                manager.unregister(name=name)


def alone(arguments: Sequence[str]) -> list[str]:
    """What keeps a pytest with these arguments from handing its work to xdist's workers, which share no object."""
    there = importlib.util.find_spec("xdist") and not any("no:xdist" in each for each in arguments)
    return ["-n0"] if there else []


def collect(arguments: Sequence[str], kept: object, here: Path | None = None) -> tuple[int, list[str]]:
    """Collect what pytest's own arguments name, with the plugin `kept` that takes it.

    Gives pytest's status, and the lines that it printed. `here` is the working directory meanwhile (default: as it is).
    """
    output = io.StringIO()
    with (
        contextlib.chdir(here) if here is not None else contextlib.nullcontext(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        status = pytest.main([*_QUIETLY, *arguments, *alone(arguments)], plugins=[_Forgetful(), kept])
    return int(status), [line for line in output.getvalue().splitlines() if line.strip()]
