"""`drillbook lab needs`: one table of what each staging and each kind of drill needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook_lab.cli import app
from drillbook_lab.compose import needs as needs_of_compose
from drillbook_lab.hosts import needs
from drillbook_lab.lifecycle.parts import barman

pytestmark = pytest.mark.unit

ROWS = ["lab", "node", "storage", "alerts", "backups", "vendors", "hosts", "compose"]


def test_what_npm_and_pip_install_is_named_where_nobody_has_installed_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("drillbook_lab.cli.find_spec", lambda _: None)
    said = CliRunner().invoke(app, ["needs"])
    assert said.exit_code == 3
    for lacks in (
        "- its packages of npm (drillbook lab node)",
        "- moto (pip install 'drillbook[storage]')",
        "- vercel, wrangler, gh (drillbook lab clients)",
    ):
        assert lacks in said.output
    assert [line.split()[0] for line in said.output.splitlines() if not line.startswith(" ")] == ROWS


def test_where_all_is_there_each_row_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    for absent in ("_absent_node", "_absent_storage", "_absent_alerts", "_absent_clients"):
        monkeypatch.setattr(f"drillbook_lab.cli.{absent}", list)
    monkeypatch.setattr(needs, "missing", list)
    monkeypatch.setattr(needs_of_compose, "missing", list)
    monkeypatch.setattr(barman, "missing", list)
    said = CliRunner().invoke(app, ["needs"])
    assert said.exit_code == 0
    assert [line.split()[:2] for line in said.output.splitlines()] == [[row, "ready:"] for row in ROWS]
