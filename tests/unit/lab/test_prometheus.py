"""Prometheus and Alertmanager of the lab, as far as they are files: rules, addresses, and what is missing."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import NEEDED
from drillbook_lab.cli import app
from drillbook_lab.hosts import needs
from drillbook_lab.lifecycle.blueprint import Alerting
from drillbook_lab.lifecycle.lab import Lab
from drillbook_lab.lifecycle.parts import prometheus

pytestmark = pytest.mark.unit

PORTS = {name: 20000 + number for number, name in enumerate(NEEDED)}


def rules(folder: Path) -> list[dict[str, Any]]:
    groups = [yaml.safe_load(path.read_text())["groups"] for path in sorted((folder / "rules").iterdir())]
    return [rule for each in groups for group in each for rule in group["rules"]]


def test_the_rules_have_the_names_and_titles_of_the_labs_own(tmp_path: Path) -> None:
    prometheus.lay_out(tmp_path, PORTS)
    own = tomllib.loads(files("drillbook_lab.listeners.alerting").joinpath("rules.toml").read_text())["rule"]
    known = {rule["alert"]: rule for rule in rules(tmp_path)}
    assert {rule["name"]: rule["title"] for rule in own} == {
        name: rule["annotations"]["summary"] for name, rule in known.items() if name != "figure_missing"
    }
    assert {rule["name"]: rule.get("severity", "critical") for rule in own} == {
        name: rule["labels"]["severity"] for name, rule in known.items() if name != "figure_missing"
    }


def test_each_figure_of_a_rule_is_missed_when_it_goes_away(tmp_path: Path) -> None:
    prometheus.lay_out(tmp_path, PORTS)
    about = [rule["expr"] for rule in rules(tmp_path) if rule["alert"] not in ("figure_missing", "api_down")]
    missed = [figure.partition("{")[0] for figure in prometheus.FIGURES]
    assert [each for each in about if not each.startswith(tuple(missed))] == []
    assert [rule["expr"] for rule in rules(tmp_path) if rule["alert"] == "figure_missing"] == [
        f"absent({figure})" for figure in prometheus.FIGURES
    ]


def test_they_listen_on_loopback_alone_and_go_through_the_links_of_alerting(tmp_path: Path) -> None:
    prometheus.lay_out(tmp_path, PORTS)
    config = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    told = yaml.safe_load((tmp_path / "alertmanager.yml").read_text())
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == [f"127.0.0.1:{PORTS['alerting-api']}"]
    assert told["receivers"][0]["slack_configs"][0]["api_url"] == f"http://127.0.0.1:{PORTS['alerting-sink']}/slack"
    assert "--web.listen-address=127.0.0.1:7" in prometheus.command_of_prometheus(tmp_path, 7)
    assert {"--web.listen-address=127.0.0.1:7", "--cluster.listen-address="} <= set(
        prometheus.command_of_alertmanager(tmp_path, 7)
    )


def test_what_is_missing_is_named_and_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if "alertmanager" in name else f"/usr/bin/{name}")
    monkeypatch.setattr(needs, "missing", list)
    with pytest.raises(LabError, match=r"missing: prometheus-alertmanager \(apt-get install"):
        Lab(tmp_path / "lab").up(alerting=Alerting.PROMETHEUS)
    assert not (tmp_path / "lab").exists()
    said = CliRunner().invoke(app, ["needs"])
    assert said.exit_code == 3
    assert "alerts   missing: Prometheus and Alertmanager" in said.output
    assert "- prometheus-alertmanager (apt-get install --no-install-recommends" in said.output


def test_the_machines_have_the_labs_own_alerting_alone(tmp_path: Path) -> None:
    said = CliRunner().invoke(
        app, ["up", "--state", str(tmp_path), "--staging", "hosts", "--alerting", "prometheus"], env={"COLUMNS": "200"}
    )
    assert said.exit_code == 1
    assert "--alerting is for the embedded lab" in said.output


def test_a_lab_that_is_up_keeps_its_alerting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Lab, "_running", lambda _: {"alerting": "lab"})
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert Lab(tmp_path).up() == Lab(tmp_path).up(alerting=Alerting.LAB) == {"alerting": "lab"}
    with pytest.raises(LabError, match="the lab is up with --alerting lab"):
        Lab(tmp_path).up(alerting=Alerting.PROMETHEUS)
