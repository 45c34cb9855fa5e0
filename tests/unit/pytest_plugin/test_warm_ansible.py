"""What is imported for drills is no garbage, and the collector of garbage is afterwards as it was."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.pytest_plugin import warm_ansible
from drillbook.pytest_plugin.collecting import asked

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    collects = gc.isenabled()
    yield
    gc.enable() if collects else gc.disable()
    gc.unfreeze()


@pytest.mark.parametrize("before", [gc.enable, gc.disable], ids=["enabled", "disabled"])
@pytest.mark.parametrize("how", ["collected", "broken off"])
def test_a_session_that_collects_leaves_the_collector_as_it_found_it(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[], None], how: str
) -> None:
    monkeypatch.setattr(asked, "is_ours", lambda _config: True)
    monkeypatch.setattr(asked, "names_features", lambda _config: True)
    monkeypatch.setattr(warm_ansible, "_warm_up", lambda _config: None)  # no server for this
    option = SimpleNamespace(help=False, version=False, collectonly=False)
    config: Any = SimpleNamespace(stash=pytest.Stash(), option=option, getoption=lambda _name: False)
    before()
    found = gc.isenabled()
    warm_ansible.pytest_configure(config)
    assert not gc.isenabled()
    if how == "collected":
        warm_ansible.drills_are_known(config, any_drill=False)
        assert gc.isenabled() is found
    warm_ansible.pytest_unconfigure(config)
    assert gc.isenabled() is found
    assert gc.get_freeze_count() > 0


def test_a_list_freezes_nothing() -> None:
    """A process may collect often: what it froze each time would never be freed."""
    option = SimpleNamespace(help=False, version=False, collectonly=True)
    config: Any = SimpleNamespace(stash=pytest.Stash(), option=option, getoption=lambda _name: False)
    gc.unfreeze()
    warm_ansible.pytest_configure(config)
    warm_ansible.drills_are_known(config, any_drill=False)
    warm_ansible.pytest_unconfigure(config)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
