"""Which inventories a session drills, and what its time limits are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.model.times.default_limits import PLAY, UNDO
from drillbook.pytest_plugin.named import inventory_paths
from drillbook.pytest_plugin.options import time_limits

pytestmark = pytest.mark.unit

HERE, ROOT = Path("/home/me"), Path("/srv/drills")


def config(option: object = None, **ini: str) -> pytest.Config:
    values = {"drillbook_inventory": "inventories/lab"} | ini
    made: Any = SimpleNamespace(
        getoption=lambda _name, _default=None: option,
        getini=lambda name: values.get(name, ""),
        invocation_params=SimpleNamespace(dir=HERE),
        rootpath=ROOT,
    )
    return cast(pytest.Config, made)


@pytest.mark.parametrize(
    ("option", "variable", "ini", "paths"),
    [
        (None, "", "inventories/lab", [ROOT / "inventories/lab"]),
        (None, "", "a.yml, b.yml", [ROOT / "a.yml", ROOT / "b.yml"]),
        (None, "a.yml,/b.yml", "c.yml", [HERE / "a.yml", Path("/b.yml")]),
        (["a.yml", "../b.yml"], "c.yml", "d.yml", [HERE / "a.yml", Path("/home/b.yml")]),
        (["/etc/ansible/hosts"], "", "d.yml", [ROOT / "d.yml"]),
        ("a.yml", "", "d.yml", [HERE / "a.yml"]),
    ],
)
def test_the_option_may_be_given_several_times(
    monkeypatch: pytest.MonkeyPatch, option: object, variable: str, ini: str, paths: list[Path]
) -> None:
    monkeypatch.setenv("DRILLBOOK_INVENTORY", variable)
    assert list(inventory_paths(config(option, drillbook_inventory=ini))) == paths


def test_the_ini_gives_time() -> None:
    assert time_limits(config(drillbook_play_timeout="4h", drillbook_undo_timeout="90s")) == {PLAY: 14400, UNDO: 90}
    with pytest.raises(pytest.UsageError, match="drillbook_undo_timeout: 'long' is not a duration"):
        time_limits(config(drillbook_undo_timeout="long"))
