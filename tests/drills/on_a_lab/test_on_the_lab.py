"""The lab's own drill in shapes that must not pass: a dropped job, an alert never sent, a health endpoint that lies."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drillbook_lab.testing import RunningLab
from tests.drills.conftest import JUDGED_EARLY, Mini, Ran, lab_drills, looked_at

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[3]
FEATURE = """@rto:10m
Feature: Redis fails over

  Scenario: The network between the API and Redis is cut
    Given the system is healthy
    And jobs are submitted at 10 per second
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    And within {alert} seconds an alert about "redis" reaches the "#alerts" channel
    When the recovery playbook "redis/restore_network" is run
    Then within 60 seconds the API reports "redis" as up
    And within {jobs} seconds every acknowledged job is completed exactly once
"""


@pytest.fixture
def repository(lab: RunningLab, tmp_path: Path) -> Iterator[Callable[..., Ran]]:
    """Runs the feature in a copy of this repository's drills, after an edit."""
    mini = lab_drills(lab, tmp_path / "drills")
    looked_at(mini.root, "api", "queue", "redis", "database", "alerts")

    def run(edit: Callable[[Mini], None] = lambda _mini: None, *, alert: int = 60, jobs: int = 60) -> Ran:
        (mini.root / "features/redis.feature").write_text(FEATURE.format(alert=alert, jobs=jobs))
        edit(mini)
        return mini.pytest()

    yield run
    lab.heal()


def test_the_drill_passes_as_it_is(repository: Callable[..., Ran]) -> None:
    ran = repository()
    assert ran.status == 0, ran.output
    work = ran.drill["work"]
    assert work["acknowledged"] > 0
    assert (work["lost_count"], work["duplicated_count"], work["unexpected_count"]) == (0, 0, 0)
    assert ran.drill["times"]["alert_s"] < 60
    assert ran.drill["probe_cpu_ratio"] is not None


def test_one_acknowledged_job_is_dropped(lab: RunningLab, repository: Callable[..., Ran]) -> None:
    def drop(mini: Mini) -> None:
        postgres = lab.contract["postgres"]
        # a job of this drill: those before it have left theirs, and ids begin with a random number
        newest = "(select left(job_id, 15) from job_runs where job_id ~ '^drill' order by at desc limit 1)"
        oldest = f"(select min(job_id) from job_runs where starts_with(job_id, {newest}))"
        # no word that is known to destroy: those would be refused before the drill
        query = f"update job_runs set job_id = 'dropped' where job_id = {oldest}"
        task = {
            "name": "A job is dropped",
            "ansible.builtin.command": {
                "argv": [
                    str(Path(postgres["bin"]) / "psql"),
                    "-h", "127.0.0.1", "-p", str(postgres["port"]), "-U", postgres["user"], "-d", "app",
                    "-c",
                    query,
                ]
            },
            "environment": {"PGPASSWORD": "{{ lab.postgres.password }}"},
        }  # fmt: skip
        playbook = mini.root / "playbooks/recovery/redis/restore_network.yml"
        playbook.write_text(playbook.read_text() + "\n    - " + json.dumps(task) + "\n")
        mini.replace(*JUDGED_EARLY)

    ran = repository(drop, jobs=10)
    assert ran.status == 1, ran.output
    assert ran.drill["outcome"] == "NOT_RECOVERED"
    assert "1 lost" in ran.drill["reason"]
    assert ran.drill["work"]["lost_count"] == 1
    assert ran.drill["axes"]["valid"]["holds"] is True


def test_the_alert_is_never_sent(lab: RunningLab, repository: Callable[..., Ran]) -> None:
    supervisor = lab.contract["supervisor"]
    control = [supervisor["ctl"], "-c", supervisor["conf"]]
    subprocess.run([*control, "stop", "alerting"], check=True, capture_output=True)
    try:
        ran = repository(alert=8)
    finally:
        subprocess.run([*control, "start", "alerting"], check=True, capture_output=True)
    assert ran.status == 11, ran.output
    assert ran.drill["outcome"] == "INVALID"
    assert "a message about redis in #alerts, coloured danger: observed no such message" in ran.drill["reason"]
    assert ran.drill["axes"]["restored"]["holds"] is True


def test_the_health_endpoint_lies(lab: RunningLab, repository: Callable[..., Ran]) -> None:
    with always_well(lab.health()) as url:
        ran = repository(
            lambda mini: mini.replace("inventories/lab/hosts.yml", '"{{ lab.api.url }}/health/details"', f'"{url}"')
        )
    assert ran.status == 11, ran.output
    assert ran.drill["outcome"] == "INVALID"
    assert "redis is down: observed up" in ran.drill["reason"]


@contextmanager
def always_well(health: dict[str, Any]) -> Iterator[str]:
    """An endpoint that says for ever what the API said when it was well."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps(health).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/health"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
