"""Prometheus and Alertmanager: where they come from, and the files that they are started with.

They are optional, and may stand in for the lab's own alerting. If they are not installed, the lab says so, and a drill
that needs them is not run. Both use the links of the lab's own alerting, so a fault of these links affects either.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

from drillbook_lab.base import files
from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import HOST

CHANNEL = "#alerts"
FIGURES = (
    'component_up{component="redis"}',
    'component_up{component="database"}',
    "circuit_breaker_state",
    "buffer_size",
    "queue_jobs",
    "queue_oldest_active_seconds",
    "queue_error_rate",
)
"""The figures that the rules are about. Where one goes away, its rule cannot fire any more."""
_PACKAGES = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}
_RULES = "prometheus.yml"


@dataclass(frozen=True, slots=True)
class Stack:
    """The two commands; None for one that is not installed."""

    prometheus: str | None
    alertmanager: str | None

    @property
    def missing(self) -> tuple[str, ...]:
        """Debian's packages of what is not installed."""
        return tuple(package for name, package in _PACKAGES.items() if getattr(self, name) is None)


def find() -> Stack:
    """What is on the PATH. Debian's package calls its Alertmanager `prometheus-alertmanager`."""
    return Stack(shutil.which("prometheus"), shutil.which("prometheus-alertmanager") or shutil.which("alertmanager"))


def how_to_get(missing: tuple[str, ...]) -> str:
    """What to do about packages that are missing. Their services are not needed, the lab starts its own processes."""
    wanted = " ".join(missing)
    return f"{', '.join(missing)} (apt-get install --no-install-recommends {wanted}; no service of it has to run)"


def require() -> None:
    """Raise LabError if one of them is not installed."""
    if missing := find().missing:
        raise LabError(f"no alerting by Prometheus here; missing: {how_to_get(missing)}")


def lay_out(folder: Path, ports: Mapping[str, int]) -> None:
    """Write the configuration of both, and the rules."""
    (folder / "rules").mkdir(mode=0o700, parents=True)
    files.write(config_file(folder), _config(ports))
    files.write(folder / "alertmanager.yml", _alertmanager(ports))
    text = resources("drillbook_lab.listeners.alerting").joinpath(_RULES).read_text()
    files.write(rules_folder(folder) / "figures.yml", text)
    files.write(rules_folder(folder) / "missing.yml", missing_rules())


def config_file(folder: Path) -> Path:
    return folder / "prometheus.yml"


def rules_folder(folder: Path) -> Path:
    return folder / "rules"


def missing_rules() -> str:
    """One rule for each figure: it fires while there is none. JSON, which is YAML as well."""
    rules = [
        {
            "alert": "figure_missing",
            "expr": f"absent({figure})",
            "for": "5s",
            "labels": {"severity": "critical", "figure": figure},
            "annotations": {
                "summary": f"No figure of {figure}",
                "description": f"Its rules cannot fire while Prometheus has no {figure}",
            },
        }
        for figure in FIGURES
    ]
    return json.dumps({"groups": [{"name": "missing", "rules": rules}]}, indent=2) + "\n"


def command_of_prometheus(folder: Path, port: int) -> list[str]:
    return [
        find().prometheus or "prometheus",
        f"--config.file={config_file(folder)}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={HOST}:{port}",
        # so that a playbook can make it read its rules anew
        "--web.enable-lifecycle",
        # For some seconds after that it knows no Alertmanager. By default it tells a minute later what fires meanwhile.
        "--rules.alert.resend-delay=5s",
    ]


def command_of_alertmanager(folder: Path, port: int) -> list[str]:
    return [
        find().alertmanager or "prometheus-alertmanager",
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={HOST}:{port}",
        # none beside it: with an address it would listen on all interfaces
        "--cluster.listen-address=",
    ]


def _config(ports: Mapping[str, int]) -> str:
    """Looks once a second, as the lab's own alerting does."""
    return f"""\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files: [rules/*.yml]
alerting:
  alertmanagers:
    - static_configs:
        - targets: ['{HOST}:{ports["alertmanager"]}']
scrape_configs:
  - job_name: api
    static_configs:
      - targets: ['{HOST}:{ports["alerting-api"]}']
    metric_relabel_configs: []
"""


def _alertmanager(ports: Mapping[str, int]) -> str:
    return f"""\
route:
  receiver: chat
  group_by: [alertname, figure]
  group_wait: 1s
  group_interval: 5s
  repeat_interval: 4h
receivers:
  - name: chat
    slack_configs:
      - api_url: http://{HOST}:{ports["alerting-sink"]}/slack
        channel: '{CHANNEL}'
        send_resolved: true
        title: '[{{{{ .Status | toUpper }}}}] {{{{ .CommonAnnotations.summary }}}}'
        text: '{{{{ .CommonAnnotations.description }}}}'
        short_fields: true
        fields:
          - title: alert
            value: '{{{{ .CommonLabels.alertname }}}}'
          - title: status
            value: '{{{{ .Status }}}}'
          - title: severity
            value: '{{{{ .CommonLabels.severity }}}}'
"""
