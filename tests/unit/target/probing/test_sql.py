"""What psycopg is told, so that a pooler in between (PgBouncer) gives each transaction another session."""

from __future__ import annotations

import pytest

from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing.sql import arguments

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("timeout_s", "whole_s"), [(0.2, 1), (2.4, 2), (20.0, 20)])
def test_nothing_is_asked_of_a_session_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, timeout_s: float, whole_s: int
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=1")
    url = "postgresql://db.example.org/app"
    endpoint = Endpoint("db", EndpointKind.SQL, url, user="drill", password="swordfish", timeout_s=timeout_s)
    said = arguments(endpoint)
    assert said["prepare_threshold"] is None, "a prepared statement is another session's in the next transaction"
    assert said["options"] == "", "a pooler refuses those of PGOPTIONS"
    assert (said["conninfo"], said["user"], said["password"]) == (url, "drill", "swordfish")
    assert said["connect_timeout"] == whole_s, "libpq takes 0 for no limit"
