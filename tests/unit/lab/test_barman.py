"""The lab's Barman, as far as it is a file: what is in its configuration, and what is missing."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook_lab.cli import app
from drillbook_lab.lifecycle.parts import barman
from drillbook_lab.lifecycle.parts.postgres import Cluster

pytestmark = pytest.mark.unit


def test_it_has_no_password_and_a_slot_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(barman, "missing", list)
    barman.lay_out(Cluster(tmp_path, ()), 7)
    read = configparser.ConfigParser()
    read.read(tmp_path / "barman" / "barman.conf")
    server = read[barman.SERVER]
    assert "password=" not in (tmp_path / "barman" / "barman.conf").read_text()
    assert f"passfile={tmp_path / 'pgpass'}" in server["conninfo"]
    assert "host=127.0.0.1 port=7 " in server["streaming_conninfo"]
    assert (server["slot_name"], server["create_slot"]) == ("barman", "auto")


def test_what_is_missing_is_named_and_nothing_is_laid_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "rsync" else f"/usr/bin/{name}")
    barman.lay_out(Cluster(tmp_path, ()), 7)
    assert list(tmp_path.iterdir()) == []
    assert [each.partition(" ")[0] for each in barman.missing()] == ["barman", "rsync"]
    said = CliRunner().invoke(app, ["needs"])
    assert said.exit_code == 3
    assert "pip install 'drillbook[barman]'" in said.output
