"""The modules for BullMQ on a real queue with real workers: what each does, and what each refuses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from drillbook_lab.testing import RunningLab
from tests.support.modules import ForkedModules

from .support import Plays

pytestmark = pytest.mark.lab

PREFIX = "bull:webhooks:"


class Modules:
    """Runs one module after the other on the lab's queue."""

    def __init__(self, lab: RunningLab, forked: ForkedModules) -> None:
        self.lab, self._forked = lab, forked
        redis = lab.contract["redis"]
        self.queue = {
            "queue": "webhooks",
            "redis": {
                "sentinels": [f"127.0.0.1:{node['port']}" for node in redis["sentinels"].values()],
                "master": redis["master_name"],
                "password": redis["admin_password"],
                "sentinel_password": redis["sentinel_password"],
            },
        }

    def run(self, module: str, **arguments: Any) -> dict[str, Any]:
        """What the module answers; `failed` in it when it refuses."""
        return self._forked.run(module, {**self.queue, **arguments})

    def submit(self, **payload: Any) -> str:
        """A webhook by the front door; gives the id of its job."""
        webhook = f"module-{uuid.uuid4().hex[:12]}"
        answer = self.lab.api("POST", "/webhooks", {"id": webhook, "kind": "test", "payload": payload})
        assert answer.status_code == 202
        return f"wh-{webhook}"

    def state(self, job: str) -> str:
        return str(self.run("bullmq_job", ids=[job])["jobs"][0]["state"])

    def redis(self, *command: str) -> Any:
        with self.lab.redis(self.lab.primary()) as node:
            return node.execute_command(*command)

    def holder(self, job: str) -> str:
        """The worker that holds the job, by its lock."""
        return str(self.redis("GET", f"{PREFIX}{job}:lock")).partition(".")[0]

    def held(self, job: str) -> None:
        """Wait until a worker holds the job."""
        self.lab.eventually("a worker with the job", lambda: self.redis("EXISTS", f"{PREFIX}{job}:lock") == 1)


@pytest.fixture
def modules(lab: RunningLab, forked_modules: ForkedModules) -> Iterator[Modules]:
    made = Modules(lab, forked_modules)
    made.run("bullmq_clear", what="failed")  # of a test before, in another file
    yield made


@pytest.mark.parametrize(
    ("module", "arguments"),
    [("bullmq_queue", {}), ("bullmq_job", {"ids": ["x"]}), ("bullmq_job", {"ids": ["x"], "state": "failed"})],
)
def test_a_play_is_answered_as_these_tests_are(
    modules: Modules, plays: Plays, module: str, arguments: dict[str, object]
) -> None:
    forked = modules.run(module, **arguments)
    assert forked.pop("failed", False) == ("state" in arguments)
    played = plays.module(module, **{**modules.queue, **arguments})
    assert forked == {name: played[name] for name in forked}
    assert {*played} - {*forked} <= {"_ansible_no_log", "exception"}, "what Ansible itself adds"


def test_a_stuck_job_is_failed_with_its_reason_and_retried(modules: Modules) -> None:
    job = modules.submit(hang_attempts=1)
    modules.held(job)
    refused = modules.run("bullmq_job", state="absent", ids=[job])
    assert f"job {job} is held by a worker: end that worker" in refused["msg"]
    assert not modules.run("bullmq_job", state="failed", active_for=3600, reason="stuck")["changed"]

    failed = modules.run("bullmq_job", state="failed", ids=[job], reason="stuck: by hand")
    assert failed["moved"] == [job]
    (worker,) = failed["workers"]
    assert worker in ("worker-1", "worker-2", "worker-3")
    assert not modules.run("bullmq_job", state="failed", ids=[job], reason="stuck: by hand")["changed"]
    assert modules.run("bullmq_job", ids=[job])["jobs"][0]["reason"] == "stuck: by hand"

    # what does not fit the reason stays
    assert not modules.run("bullmq_job", state="waiting", among="failed", reason="poison")["changed"]
    modules.lab.kill(worker)
    assert modules.run("bullmq_job", state="waiting", among="failed", reason="stuck")["moved"] == [job]
    modules.lab.eventually("the job done", lambda: modules.redis("ZSCORE", f"{PREFIX}completed", job) is not None)


def test_jobs_in_a_key_of_no_meaning_come_back_and_none_is_lost(modules: Modules) -> None:
    job = modules.submit(hang_attempts=1)
    modules.held(job)
    worker = modules.run("bullmq_job", ids=[job])["jobs"][0]["worker"]
    modules.lab.kill(worker)
    assert modules.redis("LREM", f"{PREFIX}active", "1", job) == 1
    modules.redis("RPUSH", f"{PREFIX}waiting", job, "of-no-job")
    assert modules.state(job) == "unknown"

    assert set(modules.run("bullmq_job", state="returned", key="waiting")["moved"]) == {job, "of-no-job"}
    assert modules.redis("EXISTS", f"{PREFIX}waiting") == 0
    # and where the id is in no key at all
    assert modules.redis("LREM", f"{PREFIX}active", "1", job) == 1
    assert modules.run("bullmq_job", state="returned")["moved"] == [job]
    assert not modules.run("bullmq_job", state="returned")["changed"]
    # nobody holds it: it is tried once more, hangs again, and is in a worker's hands
    modules.run("bullmq_job", state="recovered", ids=[job])
    modules.held(job)
    assert not modules.run("bullmq_job", state="returned", key="waiting")["changed"]
    # a sorted set is BullMQ's own and left alone
    failed = modules.run("bullmq_job", state="failed", ids=[job], reason="the end of the test")
    assert not modules.run("bullmq_job", state="returned", key="failed")["changed"]
    modules.lab.kill(failed["workers"][0])
    # the killed worker's lock, and what has come back from it, are there for a moment more
    modules.lab.eventually("the job gone", lambda: modules.run("bullmq_job", state="absent", ids=[job])["changed"])
    assert modules.run("bullmq_job", ids=[job])["jobs"] == []


def test_a_worker_whose_job_hangs_ends_by_itself_when_it_is_told_to(modules: Modules) -> None:
    job = modules.submit(hang_attempts=1000)
    modules.held(job)
    worker = modules.run("bullmq_job", state="failed", ids=[job], reason="the end of the test")["workers"][0]
    before = modules.lab.lab.logs(worker).count("did not finish in time")
    modules.lab.supervisor.stop(worker)
    assert modules.lab.lab.logs(worker).count("did not finish in time") == before + 1
    modules.lab.eventually("the job gone", lambda: modules.run("bullmq_job", state="absent", ids=[job])["changed"])


def test_what_a_live_worker_holds_is_not_swept_away(modules: Modules) -> None:
    job = modules.submit(hang_attempts=1000)
    modules.held(job)
    assert not modules.run("bullmq_job", state="recovered", ids=[job])["changed"]
    assert modules.run("bullmq_job", ids=[job])["jobs"][0]["worker"] == modules.holder(job)
    assert (
        "1 jobs are still active after 0 s" in modules.run("bullmq_job", state="recovered", ids=[job], timeout=0)["msg"]
    )
    idle = modules.run("bullmq_queue", state="idle", timeout=0.5)
    assert "1 jobs are still active after 0.5 s" in idle["msg"]

    cleared = modules.run("bullmq_clear", what="all")
    assert "Cannot obliterate queue with active jobs" in cleared["msg"]
    assert not modules.run("bullmq_queue")["paused"], "a refused clearing leaves the queue as it was"

    failed = modules.run("bullmq_job", state="failed", ids=[job], reason="the end of the test")
    modules.lab.kill(failed["workers"][0])
    assert modules.run("bullmq_clear", what="failed")["removed"] == 1


def test_a_paused_queue_is_cleared_and_runs(modules: Modules) -> None:
    assert modules.run("bullmq_queue", state="paused")["changed"]
    assert not modules.run("bullmq_queue", state="paused")["changed"]
    jobs = [modules.submit() for _ in range(3)]
    assert modules.run("bullmq_queue")["counts"]["waiting"] == 3
    assert modules.run("bullmq_clear", what="all")["removed"] == 3
    assert modules.run("bullmq_job", ids=jobs)["jobs"] == []
    assert not modules.run("bullmq_clear", what="all")["changed"]
    assert not modules.run("bullmq_queue", state="running")["changed"]


def test_what_is_asked_wrongly_is_refused_in_a_sentence(modules: Modules) -> None:
    assert (
        "state is failed but all of the following are missing: reason"
        in modules.run("bullmq_job", state="failed", ids=["x"])["msg"]
    )
    modules.run("redis_command", command=["SET", f"{PREFIX}no-list", "of this test"])
    wrong = modules.run("redis_command", command=["LLEN", f"{PREFIX}no-list"])
    assert "queue webhooks: WRONGTYPE" in wrong["msg"]
    assert modules.run("redis_command", command=["DEL", f"{PREFIX}no-list"])["answer"] == 1
