"""Collects a repository with pytest in this process, for `drillbook lint` and `drillbook drills`.

The rule: it refuses what pytest refuses, because the same code does it. It runs in this process, because collection
gives objects (step functions, sentences, an inventory), and a pipe would carry copies of them. The price is that the
step modules stay imported; this harms nobody, because the command ends afterwards. pytest's memory of failures (`--lf`,
`--nf`, `--sw`) is neither read nor changed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from drillbook.pytest_plugin.collecting.hiding import unseen_key

_QUIETLY = (
    *("--collect-only", "-q"),
    # pytest warns of plugins that were imported before it began, as ours are; an ini may turn that into an error
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    # garbage that this process made before does not belong to the collection
    *("-p", "no:unraisableexception", "-p", "no:threadexception"),
)
_MEMORIES = ("lfplugin", "nfplugin", "stepwiseplugin")


class _Forgetful:
    """A plugin of the collecting session."""

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        session.config.stash[unseen_key] = True
        manager = session.config.pluginmanager
        for name in _MEMORIES:
            if manager.hasplugin(name):
                manager.unregister(name=name)


def alone(arguments: Sequence[str]) -> list[str]:
    """The options that stop a pytest with these arguments from using xdist's workers, which share no object."""
    there = importlib.util.find_spec("xdist") and not any("no:xdist" in each for each in arguments)
    return ["-n0"] if there else []


def collect(arguments: Sequence[str], kept: object, here: Path | None = None) -> tuple[int, list[str]]:
    """Collect what pytest's own arguments name, with the plugin `kept` that takes it.

    Returns pytest's status, and the lines that it printed. `here` is the working directory meanwhile (default: the
    current one).
    """
    output = io.StringIO()
    with (
        contextlib.chdir(here) if here is not None else contextlib.nullcontext(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        status = pytest.main([*_QUIETLY, *arguments, *alone(arguments)], plugins=[_Forgetful(), kept])
    return int(status), [line for line in output.getvalue().splitlines() if line.strip()]
