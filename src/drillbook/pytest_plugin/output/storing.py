"""A session whose evidence has a store: it uploads a drill's evidence after its seal, at the latest at the session's
end.

The rule: an unreachable store stops no drill and loses nothing. What the store did not take stays in its folder. The
session says so once, in one sentence, and the next session uploads it. This module is loaded only when the place of
evidence is a URL.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.store.outbox import Outbox
from drillbook.evidence.store.place import Place
from drillbook.evidence.store.remote import Remote
from drillbook.evidence.store.shipping import Shipped, catch_up, ship
from drillbook.model.paths import kept
from drillbook.model.printable import printable
from drillbook.pytest_plugin.collecting import hiding
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.options import place_key

_OF_CLIENTS = ("AWS_", "FSSPEC_")
"""Prefixes of the variables by which the clients of stores find credentials."""
_SECRET = ("SECRET", "TOKEN", "KEY", "PASSWORD")


def pytest_configure(config: pytest.Config) -> None:
    """Let the session's evidence go to its store."""
    config.pluginmanager.register(Storing(config, config.stash[place_key]), "drillbook-storing")


class Storing:
    """The store of one session. On xdist the workers begin, and the controller uploads at the end."""

    def __init__(self, config: pytest.Config, place: Place) -> None:
        self._config, self._place = config, place
        self._outbox = Outbox(place, kept(config.rootpath))
        self._leads = not hasattr(config, "workerinput")
        self._drills = False
        self._remote: Remote | None = None
        self._shipped = Shipped()
        self._problem: str | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Before the first drill: continue the ledgers where the store's end."""
        self._drills = any(isinstance(item, ScenarioItem) and item.scenario.is_drill for item in session.items)
        if self._drills:
            self._hide_credentials()
            self._try(self._begin)
        return (yield)

    def pytest_runtest_logfinish(self) -> None:
        """A test has ended; if it was a drill, it may now be sealed."""
        if self._leads and self._drills and self._problem is None and self._outbox.pending():
            self._try(self._ship)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """All else has ended: proofs are written, and what was not uploaded is tried once more."""
        try:
            return (yield)
        finally:
            # xdist's controller has no items: the workers tell it
            if self._leads and (self._drills or self._config.stash.get(hiding.drills_key, False)):
                self._problem = None
                self._try(self._ship)
                self._say()

    def _hide_credentials(self) -> None:
        redactor = hiding.knowing(self._config)
        if redactor is None:
            return
        for name, value in os.environ.items():
            if name.startswith(_OF_CLIENTS) and any(part in name for part in _SECRET):
                redactor.add(name, value, declared=False)

    def _begin(self) -> None:
        self._outbox.begin()
        catch_up(self._place.folder, self._store())

    def _ship(self) -> None:
        with self._outbox.alone():
            ship(self._outbox, self._outbox.pending(), self._store(), self._shipped)

    def _store(self) -> Remote:
        if self._remote is None:
            assert self._place.url is not None
            self._remote = Remote(self._place.url, self._place.lock_s)
        return self._remote

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (DrillbookError, OSError) as error:
            self._problem = str(error)

    def _say(self) -> None:
        """Say what the store has, what it does not have, and who will upload the rest."""
        shipped, waiting = self._shipped, len(self._outbox.pending())
        said = []
        if shipped.folders:
            said.append(f"{_folders(len(shipped.folders))} of evidence went to {self._place.url}")
        said += shipped.forked
        if self._problem is not None and waiting:
            stay = f"{_folders(waiting)} of evidence {'stays' if waiting == 1 else 'stay'} in {self._place.folder}"
            said.append(f"{self._problem}; {stay}: the next session or 'drillbook evidence push' uploads that")
        elif self._problem is not None:
            said.append(self._problem)
        writer = self._config.get_terminal_writer()
        for sentence in said:
            writer.line(printable(sentence), yellow=self._problem is not None or bool(shipped.forked))


def _folders(count: int) -> str:
    return f"{count} folder{'' if count == 1 else 's'}"
