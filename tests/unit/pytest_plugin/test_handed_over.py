"""A session that is handed its scenarios runs them, and nothing where pytest would run nothing."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.pytest_plugin.handed_over import HandedOver

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("failed", "collectonly"), [(0, True), (1, False)])
def test_where_pytest_runs_nothing_nothing_is_asked_for(failed: int, collectonly: bool) -> None:
    ours, theirs = socket.socketpair()
    config: Any = SimpleNamespace(option=SimpleNamespace(collectonly=collectonly))
    handed = HandedOver(config, theirs.detach(), cast(Any, None))
    session: Any = SimpleNamespace(testsfailed=failed, items=[])
    assert handed.pytest_runtestloop(session) is None
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    ours.close()
    handed._line.close()
    handed._socket.close()
