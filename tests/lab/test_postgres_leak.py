"""The module that leaks sessions, on a real PostgreSQL: whom it shuts out, how far it grows, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from drillbook_lab.lifecycle.parts import postgres
from drillbook_lab.testing import RunningLab
from tests.support.modules import ForkedModules

pytestmark = pytest.mark.lab

LEAKED = "SELECT count(*), count(query_start) FROM pg_stat_activity WHERE application_name = 'leaked'"


class Leak:
    """The module, on the database of a lab."""

    def __init__(self, lab: RunningLab, forked: ForkedModules, file: Path) -> None:
        self.lab, self._forked, self.file = lab, forked, file
        self.server = lab.contract["postgres"]

    def module(self, state: str, **more: Any) -> dict[str, Any]:
        where = {"port": self.server["port"], "database": self.server["database"], "user": self.server["app_user"]}
        return self._forked.run("postgres_leak", {"file": str(self.file), "state": state, **where, **more})

    def grow(self, asks: bool = True) -> dict[str, Any]:
        return self.module("growing", password=self.server["app_password"], asks=asks)

    def sessions(self) -> tuple[int, int]:
        """How many leaked sessions the server has, and how many of them have ever asked something."""
        ((all_, asked),) = self.lab.sql(LEAKED)
        return int(all_), int(asked)

    def connected(self) -> psycopg.Connection[Any]:
        """A session of the application."""
        of = self.server
        return psycopg.connect(postgres.url(of["port"], of["app_user"], of["app_password"]), connect_timeout=5)

    def log_in(self) -> str:
        """What the server says to a new session of the application."""
        try:
            with self.connected():
                return "come in"
        except psycopg.OperationalError as error:
            return str(error)


@pytest.fixture
def leak(lab: RunningLab, forked_modules: ForkedModules, tmp_path: Path) -> Iterator[Leak]:
    made = Leak(lab, forked_modules, tmp_path / "leak")
    yield made
    made.file.unlink(missing_ok=True)
    lab.eventually("the end of a leak", lambda: made.sessions() == (0, 0))


def test_a_leak_shuts_the_application_out_and_the_administrator_never(leak: Leak) -> None:
    assert leak.log_in() == "come in"
    grown = leak.grow()
    assert grown["changed"], grown
    assert leak.sessions() == (grown["held"], grown["held"])
    assert "remaining connection slots are reserved" in leak.log_in()
    assert not leak.grow()["changed"]
    gone = leak.module("absent")
    assert gone["changed"], gone
    leak.lab.eventually("the end of the sessions", lambda: leak.sessions() == (0, 0))
    assert leak.log_in() == "come in"
    assert not leak.module("absent")["changed"]


def test_it_takes_what_becomes_free_until_it_is_told_to_take_no_more(leak: Leak) -> None:
    with leak.connected():
        held = leak.grow(asks=False)["held"]
        assert leak.sessions() == (held, 0)
    leak.lab.eventually("a session more than at first", lambda: leak.sessions()[0] > held)
    assert leak.module("grown")["changed"]
    leak.lab.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leaked'")
    leak.lab.eventually("the end of the sessions", lambda: leak.sessions() == (0, 0))
    assert leak.log_in() == "come in"


def test_one_that_is_let_in_nowhere_leaves_nothing(leak: Leak) -> None:
    refused = leak.module("growing", password="not-the-right-one")
    assert "took none" in refused["msg"]
    assert not list(leak.file.parent.glob("leak*"))
