"""Production is broken only when two people said so, and one drill at a time breaks an environment."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from drillbook.errors import GuardError
from drillbook.guard import Lock, permit
from drillbook.inventory import Environment, EnvironmentKind

from .support import DEADLINE_S, until

pytestmark = pytest.mark.unit

PRODUCTION = Environment("prod-eu", EnvironmentKind.PRODUCTION)


@pytest.mark.parametrize("kind", [EnvironmentKind.LAB, EnvironmentKind.STAGING])
def test_what_is_not_production_needs_no_leave(kind: EnvironmentKind) -> None:
    permit(Environment("staging", kind), None, [])


def test_production_with_its_name_and_the_tag() -> None:
    permit(PRODUCTION, "prod-eu", ["severity:P0", "production-safe"])


@pytest.mark.parametrize("allowed", [None, "", "prod", "PROD-EU", "prod-us"])
def test_production_without_its_name(allowed: str | None) -> None:
    with pytest.raises(GuardError, match=r"'prod-eu' is production: .* give --allow-production prod-eu"):
        permit(PRODUCTION, allowed, ["production-safe"])


@pytest.mark.parametrize("tags", [[], ["production"], ["not-production-safe"], ["@production-safe"]])
def test_production_without_the_tag(tags: list[str]) -> None:
    with pytest.raises(GuardError, match="no tag @production-safe"):
        permit(PRODUCTION, "prod-eu", tags)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".drillbook" / "lock-lab"


def test_a_free_lock_is_taken_and_names_its_holder(path: Path) -> None:
    lock = Lock(path, "mine")
    assert lock.acquire("The network is cut") is None
    holder = lock.holder()
    assert holder is not None
    assert (holder.session, holder.drill) == ("mine", "The network is cut")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    lock.release()


def test_another_session_is_refused_and_told_who_has_it(path: Path) -> None:
    mine, other = Lock(path, "mine"), Lock(path, "other")
    mine.acquire("The network is cut")
    with pytest.raises(GuardError, match="another drill is running in this environment: 'The network is cut', process"):
        other.acquire("Redis is killed")
    other.release()
    with pytest.raises(GuardError):
        other.acquire("Redis is killed")
    holder = mine.holder()
    assert holder is not None
    assert holder.drill == "The network is cut"
    mine.release()


def test_a_lock_that_was_given_back_is_free_for_all(path: Path) -> None:
    mine, other = Lock(path, "mine"), Lock(path, "other")
    mine.acquire("one")
    mine.release()
    mine.release()
    assert other.acquire("another") is None
    other.release()
    assert mine.acquire("one again") is None
    mine.release()


def test_the_same_session_waits_and_says_so_once(path: Path) -> None:
    """Two workers of xdist."""
    first, second = Lock(path, "mine"), Lock(path, "mine")
    first.acquire("one")
    said: list[str] = []
    waiter = threading.Thread(target=second.acquire, args=("two", said.append))
    waiter.start()
    until(lambda: said == ["waiting for 'one', which has the environment"], "waiting")
    assert waiter.is_alive()
    first.release()
    waiter.join(DEADLINE_S)
    assert not waiter.is_alive()
    holder = second.holder()
    assert holder is not None
    assert holder.drill == "two"
    assert len(said) == 1
    second.release()


HOLD = """
import sys
from pathlib import Path
from drillbook.guard import Lock
lock = Lock(Path(sys.argv[1]), "dead")
lock.acquire("Redis is killed")
lock.name_evidence("evidence/dead")
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lock_of_a_dead_process_is_free_and_says_whose_it_was(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        mine = Lock(path, "mine")
        with pytest.raises(GuardError, match=f"'Redis is killed', process {process.pid}"):
            mine.acquire("one")
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)
    dead = mine.acquire("one")
    assert dead is not None
    assert (dead.pid, dead.session, dead.drill, dead.evidence) == (
        process.pid,
        "dead",
        "Redis is killed",
        "evidence/dead",
    )
    holder = mine.holder()
    assert holder is not None
    assert (holder.session, holder.evidence) == ("mine", None)
    mine.release()


def test_a_holder_may_name_its_evidence(path: Path) -> None:
    lock = Lock(path, "mine")
    lock.acquire("one")
    lock.name_evidence("evidence/run")
    holder = Lock(path, "other").holder()
    assert holder is not None
    assert (holder.drill, holder.evidence) == ("one", "evidence/run")
    lock.release()


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"pid": 1}', '{"nobody": 1}', "\x00"])
def test_a_holder_that_cannot_be_read_is_nobody(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    lock = Lock(path, "mine")
    assert lock.holder() is None
    assert lock.acquire("one") is None
    assert json.loads(path.read_text())["drill"] == "one"
    lock.release()


def test_nobody_holds_what_is_not_there(path: Path) -> None:
    assert Lock(path, "mine").holder() is None


def test_a_holder_that_has_not_said_its_name_yet_is_waited_for(path: Path) -> None:
    path.parent.mkdir()
    lock = Lock(path, "mine")
    with path.open("a") as nameless:
        fcntl.flock(nameless, fcntl.LOCK_EX)
        waiter = threading.Thread(target=lock.acquire, args=("one",))
        waiter.start()
        waiter.join(0.15)
        assert waiter.is_alive()
    waiter.join(DEADLINE_S)
    assert not waiter.is_alive()
    lock.release()


def test_an_interrupt_while_waiting_gives_the_place_up(path: Path) -> None:
    first, second = Lock(path, "mine"), Lock(path, "mine")
    first.acquire("one")

    def stop(_text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        second.acquire("two", stop)
    first.release()
    third = Lock(path, "other")
    third.acquire("three")
    third.release()
