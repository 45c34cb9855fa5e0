"""Runs the scenarios that the starter of this pytest (`drillbook drills`) hands over one by one.

The rule: the session runs what it is handed and nothing else. It reports how a scenario and its controls ended before
it asks for the next, so that a session that dies later loses no result.

Protocol, on a socket: the session writes {"runs": [...], "more": true} in a line. It reads a node id as a line of JSON,
or the end. Its first message also has `titles`: by node id, the name that people may see for each scenario. Its last
message has `more` false, and has runs only if a scenario was not reported before.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest

import pytest

from drillbook.model.proof import Run
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.outcomes import keep_proofs, rows_of, runs_of
from drillbook.pytest_plugin.roll_call import RollCall

handed_over_key = pytest.StashKey["HandedOver"]()


class HandedOver:
    """A plugin of a session that gets the number of an open socket."""

    def __init__(self, config: pytest.Config, number: int, roll: RollCall) -> None:
        os.set_inheritable(number, False)
        self._config, self._roll = config, roll
        self._socket = socket.socket(fileno=number)
        self._line = self._socket.makefile("r", encoding="utf-8")
        self._under_way: str | None = None
        self._titles: dict[str, str] = {}
        """Still to be sent. The node ids are those that are handed over, whatever a title contains."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Replaces pytest's own loop over all that was collected."""
        if session.testsfailed or self._config.option.collectonly:
            return None  # pytest's own runs nothing either, and says why
        by_scenario: dict[str, list[ScenarioItem]] = {}
        for item in session.items:
            if isinstance(item, ScenarioItem):
                by_scenario.setdefault(item.drill_nodeid, []).append(item)
        self._titles = {nodeid: items[0].scenario.name for nodeid, items in by_scenario.items()}
        self._roll.expect([])
        while (nodeid := self._next()) is not None:
            self._under_way = nodeid
            self._run(session, by_scenario.get(nodeid, []))
        return True

    def _run(self, session: pytest.Session, items: Sequence[ScenarioItem]) -> None:
        self._roll.expect([item.nodeid for item in items])
        # nothing follows the last item: fixtures of a feature or the session end there, as in pytest's own loop
        for item, after in zip_longest(items, items[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    def _next(self) -> str | None:
        self._tell(more=True)
        line = self._line.readline()
        return str(json.loads(line)) if line else None

    def _tell(self, *, more: bool) -> None:
        keep_proofs(self._config, self._runs())
        runs = self._runs()
        self._under_way = None
        said = {"runs": rows_of(self._config, runs), "more": more, "titles": self._titles}
        self._titles = {}
        self._socket.sendall(f"{json.dumps(said)}\n".encode())

    def _runs(self) -> list[Run]:
        return [run for run in runs_of(self._config) if run.scenario == self._under_way]

    def close(self) -> None:
        """Send the last message."""
        with suppress(OSError):  # nobody listens any more
            self._tell(more=False)
        self._line.close()
        self._socket.close()
