"""`python -m drillbook_lab.hosts.ready CONTRACT`: in the network of the machines, waits until a webhook went through.

It says on stdout how far it is and, when it gives up, what it waited for.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from drillbook_lab.app.webhooks.jobs import job_id
from drillbook_lab.base.errors import LabError
from drillbook_lab.base.poll import NotYet, until
from drillbook_lab.base.topology import MASTER_NAME, QUEUE_NAME
from drillbook_lab.hosts.contract import ssh
from drillbook_lab.lifecycle import ready
from drillbook_lab.lifecycle.parts import postgres

WITHIN_S = 120.0
"""Enough for machines that start at once on two cores that do other things as well."""
ON_THE_WAY = (*ready.TRANSIENT, subprocess.TimeoutExpired)


class Parts:
    """The checks that are repeated until the parts are ready, whatever they run on."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told

    def wait(self) -> None:
        """Raises LabError with what was seen last."""
        told = self._told
        self._until("PostgreSQL", self._filled)
        self._until("Sentinel", self._sentinels)
        print("PostgreSQL, Redis and Sentinel are up", flush=True)
        self._until("the API", lambda: ready.health(told["api"]["url"]))
        first = self._until("the first webhook", lambda: ready.submit_first_job(told["api"]["url"], told["api"]["key"]))
        self._until("the first job", lambda: self._done(first))
        self._forget(first)
        print(f"up: {told['api']['url']}", flush=True)

    def _until(self, what: str, look: Any) -> Any:
        return until(look, what=what, within_s=WITHIN_S, every_s=0.2, transient=ON_THE_WAY)

    def _filled(self) -> bool:
        database = self._told["postgres"]
        try:
            postgres.fill(database["port"], database["password"], database["app_password"], host=database["address"])
        except psycopg.errors.DuplicateObject:  # the first attempt was cut off
            return True
        return True

    def _sentinels(self) -> bool:
        redis = self._told["redis"]
        for name, node in redis["sentinels"].items():
            with ready.client(node["port"], redis["sentinel_password"], host=node["address"]) as sentinel:
                master: Mapping[str, Any] = sentinel.sentinel_masters()[MASTER_NAME]
                replicas: list[Mapping[str, Any]] = sentinel.sentinel_slaves(MASTER_NAME)
                others: list[Mapping[str, Any]] = sentinel.sentinel_sentinels(MASTER_NAME)
            flags = sorted(str(each.get("flags")) for each in (*replicas, *others))
            if flags != ["sentinel", "sentinel", "slave"] or str(master["flags"]) != "master":
                raise NotYet(f"{name} sees the primary as {master['flags']} and the others as {flags}")
        return True

    def _url(self) -> str:
        database = self._told["postgres"]
        return postgres.url(database["port"], database["user"], database["password"], host=database["address"])

    def _primary(self) -> Any:
        redis = self._told["redis"]
        node = next(iter(redis["nodes"].values()))
        return ready.client(node["port"], redis["admin_password"], host=node["address"])

    def _done(self, webhook: str) -> bool:
        with psycopg.connect(self._url(), connect_timeout=2) as database:
            worked = database.execute("SELECT FROM job_runs WHERE job_id = %s", (webhook,)).rowcount == 1
        with self._primary() as redis:
            return worked and redis.zscore(f"bull:{QUEUE_NAME}:completed", job_id(webhook)) is not None

    def _forget(self, webhook: str) -> None:
        """Remove the webhook's traces, because a drill's ledger must find only its own work."""
        with psycopg.connect(self._url(), connect_timeout=2) as database:
            database.execute("DELETE FROM job_runs WHERE job_id = %s", (webhook,))
            database.execute("DELETE FROM items WHERE id = %s", (webhook,))
        prefix = f"bull:{QUEUE_NAME}:"
        with self._primary() as redis:
            redis.zrem(prefix + "completed", job_id(webhook))
            redis.delete(prefix + job_id(webhook), prefix + "events")


class Machines(Parts):
    """Machines, and the parts on them."""

    def wait(self) -> None:
        for name in self._told["machines"]:
            self._until(f"{name} over ssh", lambda machine=name: self._answers(machine))
        print("systemd runs on each, and ssh answers", flush=True)
        super().wait()

    def _answers(self, machine: str) -> bool:
        done = subprocess.run(
            [*ssh(self._told, machine), "systemctl is-system-running; systemctl --failed --plain --no-legend"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if not done.stdout.startswith("running"):
            raise NotYet(" ".join((done.stdout + done.stderr).split())[-300:])
        return True


def main(kind: type[Parts]) -> None:
    """Wait for the parts that the contract named on the command line tells of; exit status 1 when they do not come."""
    try:
        kind(json.loads(Path(sys.argv[1]).read_text())).wait()
    except LabError as error:
        print(error, flush=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(Machines)
