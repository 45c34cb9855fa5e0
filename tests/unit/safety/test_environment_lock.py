"""Production is broken only when two people said so, and one drill at a time breaks an environment."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from drillbook.errors import GuardError
from drillbook.model import paths
from drillbook.safety.environment_lock import EnvironmentLock, HolderRole, Lock, state_folder
from drillbook.safety.journal import EntryState, Journal
from drillbook.safety.permission import permit
from drillbook.target.inventory.settings import Environment, EnvironmentKind
from tests.support.unit import DEADLINE_S, until

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
from drillbook.safety.environment_lock import Lock
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
    assert (holder.session, holder.evidence) == ("mine", "evidence/dead"), "kept until that record is closed"
    mine.release()


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from drillbook.safety.environment_lock import Lock

def killed(event, arguments):
    if event == "os.truncate":
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(killed)
Lock(Path(sys.argv[1]), "a session that dies").acquire(sys.argv[2])
"""


@pytest.mark.parametrize("drill", ["B", "A drill of which the title is longer than that of the one before"])
def test_who_is_killed_while_it_writes_its_name_loses_no_evidence(path: Path, drill: str) -> None:
    """Killed between the new text and the cut of the file: the new text is shorter than the old one, or longer."""
    first = Lock(path, "the first", root=path.parent)
    first.acquire("Redis is killed")
    first.name_evidence("evidence/dead")
    first.release(keep_name=True)
    before = path.stat()
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path), drill], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.stat().st_ino == before.st_ino, "the kernel's lock is that of the file"
    found = Lock(path, "mine").holder()
    assert found is not None
    assert (found.drill, found.session) == (drill, "a session that dies")
    assert found.evidence == "evidence/dead"
    mine = Lock(path, "mine")
    assert mine.acquire("one") == found
    assert json.loads(path.read_text())["evidence"] == "evidence/dead"
    mine.release()


@pytest.mark.parametrize("kind", list(EnvironmentKind))
def test_two_environments_with_similar_names_do_not_refuse_each_other(
    tmp_path: Path, state: Path, kind: EnvironmentKind
) -> None:
    one = EnvironmentLock(tmp_path, Environment("my lab", kind), "one session")
    other = EnvironmentLock(tmp_path, Environment("my-lab", kind), "another session")
    one.acquire("one")
    other.acquire("other")
    one.release()
    other.release()


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


# ------------------------------------------------------------------ roles


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (HolderRole.GUARDIAN, "waiting for the guardian of 'one' (process"),
        (HolderRole.RESTORE, "waiting for 'one' (process"),
    ],
)
def test_who_puts_the_environment_back_is_waited_for(path: Path, role: HolderRole, said: str) -> None:
    first, second = Lock(path, "one session", role=role), Lock(path, "another session")
    first.acquire("one")
    told: list[str] = []
    waiter = threading.Thread(target=second.acquire, args=("two", told.append))
    waiter.start()
    until(lambda: len(told) == 1, "told")
    assert told[0].startswith(said)
    assert told[0].endswith(", which puts the environment back")
    first.release()
    waiter.join(DEADLINE_S)
    assert not waiter.is_alive()
    second.release()


@pytest.mark.parametrize("role", list(HolderRole))
def test_nobody_waits_for_the_drill_of_another_session(path: Path, role: HolderRole) -> None:
    first, second = Lock(path, "one session"), Lock(path, "another session", role=role)
    first.acquire("one")
    with pytest.raises(GuardError, match="another drill is running"):
        second.acquire("two")
    first.release()


# ------------------------------------------------------------------ the lock of the machine

STAGING = Environment("staging", EnvironmentKind.STAGING)
LAB = Environment("staging", EnvironmentKind.LAB)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "drillbook"


def checkout(tmp_path: Path, name: str, environment: Environment = STAGING) -> EnvironmentLock:
    return EnvironmentLock(tmp_path / name, environment, f"session of {name}")


def break_something(root: Path, state: EntryState = EntryState.INJECTED) -> None:
    journal = Journal(paths.journal(root, "staging"))
    journal.plan(
        "1", run_id="r", fault="network_cut", variables={}, inventory="inv", undo_playbook="undo.yml", evidence="e"
    )
    journal.mark("1", state)


def die(lock: EnvironmentLock) -> None:
    """Give the locks up as the kernel does for a dead process: the name stays."""
    assert lock._machine is not None
    for each in (lock._machine, lock._here):
        each.release(keep_name=True)


@pytest.mark.parametrize("kind", [EnvironmentKind.STAGING, EnvironmentKind.PRODUCTION])
def test_two_checkouts_do_not_have_one_environment(tmp_path: Path, state: Path, kind: EnvironmentKind) -> None:
    environment = Environment("staging", kind)
    one, other = checkout(tmp_path, "one", environment), checkout(tmp_path, "other", environment)
    one.acquire("The network is cut")
    assert (state / "lock-staging").is_file()
    assert state.stat().st_mode & 0o777 == 0o700
    with pytest.raises(GuardError, match=rf"since [^ ]*, in the checkout {tmp_path}/one\. Wait for it to end"):
        other.acquire("Redis is killed")
    another = checkout(tmp_path, "other", Environment("another staging", kind))
    another.acquire("Redis is killed")
    another.release()
    one.release()
    assert other.acquire("Redis is killed") is None
    holder = other.holder()
    assert holder is not None
    assert (holder.root, holder.role, holder.drill) == (str(tmp_path / "other"), HolderRole.DRILL, "Redis is killed")
    other.release()
    assert other.holder() is None


def test_two_checkouts_have_their_labs_each(tmp_path: Path, state: Path) -> None:
    one, other = checkout(tmp_path, "one", LAB), checkout(tmp_path, "other", LAB)
    one.acquire("one")
    other.acquire("other")
    assert not state.exists()
    with pytest.raises(GuardError, match="another drill is running"):
        EnvironmentLock(tmp_path / "one", LAB, "another session").acquire("one again")
    one.release()
    other.release()


def test_the_open_fault_of_a_dead_drill_keeps_another_checkout_out(tmp_path: Path, state: Path) -> None:
    one, other = checkout(tmp_path, "one"), checkout(tmp_path, "other")
    one.acquire("The network is cut")
    break_something(tmp_path / "one")
    die(one)
    for _ in range(2):
        with pytest.raises(GuardError) as raised:
            other.acquire("Redis is killed")
        assert f"in the checkout {tmp_path}/one) left the fault 'network_cut' in this environment: run" in str(
            raised.value
        )
        assert str(raised.value).endswith(f"'drillbook restore' in {tmp_path}/one first")
    again = checkout(tmp_path, "one")
    dead = again.acquire("drillbook restore")
    assert dead is not None
    assert dead.drill == "The network is cut"
    Journal(paths.journal(tmp_path / "one", "staging")).mark("1", EntryState.CLOSED)
    again.release()
    assert other.acquire("Redis is killed") is None
    other.release()


def test_a_dead_drill_without_an_open_fault_is_no_obstacle(tmp_path: Path, state: Path) -> None:
    one, other = checkout(tmp_path, "one"), checkout(tmp_path, "other")
    one.acquire("The network is cut")
    break_something(tmp_path / "one", EntryState.CLOSED)
    die(one)
    assert other.acquire("Redis is killed") is None, "the dead of another checkout is not this one's to close"
    other.release()


def test_a_drill_that_ends_with_an_open_fault_leaves_its_name(tmp_path: Path, state: Path) -> None:
    one, other = checkout(tmp_path, "one"), checkout(tmp_path, "other")
    one.acquire("The network is cut")
    break_something(tmp_path / "one", EntryState.UNDO_FAILED)
    one.release()
    with pytest.raises(GuardError, match="left the fault 'network_cut'"):
        other.acquire("Redis is killed")
    assert one.acquire("The network is cut") is None
    one.release()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (shutil.rmtree, "its undo journal is gone: check by hand"),
        (lambda root: (root / ".drillbook/journal-staging.ndjson").write_text("x\n"), "cannot be known: .* is damaged"),
    ],
)
def test_what_cannot_be_known_keeps_out(
    tmp_path: Path, state: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    one, other = checkout(tmp_path, "one"), checkout(tmp_path, "other")
    one.acquire("The network is cut")
    die(one)
    spoil(tmp_path / "one")
    with pytest.raises(GuardError, match=sentence):
        other.acquire("Redis is killed")
    (state / "lock-staging").unlink()
    other.acquire("Redis is killed")
    other.release()


def test_a_lock_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(GuardError, match="lock-staging: the lock cannot be made: "):
        checkout(tmp_path, "one").acquire("one")


def test_where_the_state_of_a_user_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert state_folder() == Path("/home/ada/.local/state/drillbook")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_folder() == Path("/home/ada/.local/state/drillbook")
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert state_folder() == Path("/var/state/drillbook")


def test_an_environment_may_have_any_name(tmp_path: Path, state: Path) -> None:
    lock = checkout(tmp_path, "one", Environment("../eu/1", EnvironmentKind.STAGING))
    lock.acquire("one")
    assert [each.name for each in state.iterdir()] == ["lock-..%2Feu%2F1"]
    lock.release()


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(GuardError, match=r"'prod-eu' is production \(hosts\.yml:6\): Drillbook breaks nothing there"):
        permit(PRODUCTION, None, [], "hosts.yml:6")
    with pytest.raises(GuardError, match=r"'prod-eu' is production \(hosts\.yml:6\) and the scenario has no tag"):
        permit(PRODUCTION, "prod-eu", [], "hosts.yml:6")


def test_a_lock_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(GuardError, match="the lock cannot be made"):
        Lock(tmp_path / "file/lock", "me").acquire("a drill")
