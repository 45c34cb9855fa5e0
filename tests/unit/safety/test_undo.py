"""A fault is gone when an assertion that held says so, on every host; one undo that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drillbook.errors import JournalError, PlaybookError
from drillbook.safety.journal import Entry, EntryState, Journal
from drillbook.safety.undo import Undone, undo_all, why_not_gone
from drillbook.target.ansible.result import HostStats, PlayResult, TaskStatus
from tests.support.unit import played, task

pytestmark = pytest.mark.unit

CHANGED = task(TaskStatus.CHANGED, "ansible.builtin.command", name="The path is open")
GONE = task()


@pytest.mark.parametrize("action", ["ansible.builtin.assert", "assert"])
def test_an_assertion_that_held_at_the_end_proves_it(action: str) -> None:
    assert why_not_gone(played(CHANGED, task(action=action))) is None
    assert why_not_gone(played(CHANGED, GONE, task(host="api"))) is None
    assert why_not_gone(played(GONE, task(TaskStatus.SKIPPED, "ansible.builtin.debug"))) is None


NOT_GONE = {
    "it failed": (played(GONE, status="failed", rc=2), "ended failed (rc 2)"),
    "it failed, and why": (
        played(task(TaskStatus.FAILED), status="failed", rc=2),
        'ended failed (rc 2): Failed: "The fault is gone" on web',
    ),
    "it took too long": (
        played(GONE, status="timeout", rc=254),
        "ended timeout (rc 254): The playbook undo.yml was ended",
    ),
    "it was cancelled": (played(GONE, status="canceled", rc=254), "ended canceled (rc 254)"),
    "its status says otherwise": (played(GONE, rc=4), "ended with status 4"),
    "it matched no host": (played(plays_without_hosts=("Redis is back",)), "No host matched: undo.yml did nothing"),
    "it was over before its tasks": (played(), "No task ran: undo.yml"),
    "one of its plays matched no host": (played(GONE, plays_without_hosts=("Redis is back",)), '"Redis is back"'),
    "a failure was ignored": (played(task(TaskStatus.IGNORED, name="x"), GONE), 'Failed, and ignored: "x"'),
    "a failure was rescued": (played(task(TaskStatus.RESCUED, name="x"), GONE), 'Failed, and rescued: "x"'),
    "a host was unreachable": (played(GONE, task(TaskStatus.UNREACHABLE, host="api")), "Unreachable"),
    "it only pretended": (played(task(check_mode=True)), "check mode"),
    "a file was missing": (played(GONE, errors=("no such file",)), "Ansible stopped: no such file"),
    "a job goes on": (played(GONE, task(TaskStatus.UNFINISHED, name="x"), GONE), 'Not finished: "x"'),
    "it asserts nothing": (played(CHANGED), "does not end with an assertion that held on web"),
    "the assertion is not the last task": (played(GONE, CHANGED), "does not end with an assertion"),
    "the assertion was skipped": (
        played(CHANGED, task(TaskStatus.SKIPPED)),
        "(its last task there was 'The path is open'",
    ),
    "the assertion changed something": (played(task(TaskStatus.CHANGED)), "does not end with an assertion"),
    "it asserts on one host only": (
        played(GONE, task(action="ansible.builtin.ping", host="api")),
        "an assertion that held on api",
    ),
    "it skipped all on one host": (played(GONE, task(TaskStatus.SKIPPED, host="api")), "ran no task on api"),
    "it ran no task": (played(hosts={"web": HostStats()}), "ran no task on web"),
}


@pytest.mark.parametrize(("result", "says"), NOT_GONE.values(), ids=list(NOT_GONE))
def test_not_proven_gone(result: PlayResult, says: str) -> None:
    problem = why_not_gone(result)
    assert problem is not None
    assert says in problem
    assert "undo.yml" in problem


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "journal")
    for name in ("first", "second", "third"):
        journal.plan(
            name, run_id="run", fault=name, variables={}, inventory="lab", undo_playbook=f"{name}/undo.yml", evidence=""
        )
    return journal


def states(journal: Journal) -> dict[str, EntryState]:
    return {entry.id: entry.state for entry in journal.entries()}


def undoing(**what: Callable[[], PlayResult]) -> Callable[[Entry], PlayResult]:
    """Runs an undo: what is said for its entry, or a proof that the fault is gone."""
    return lambda entry: what.get(entry.id, lambda: played(GONE))()


def raises(error: BaseException) -> Callable[[], PlayResult]:
    def run() -> PlayResult:
        raise error

    return run


def test_all_are_undone_newest_first_and_closed(journal: Journal) -> None:
    seen: list[str] = []

    def run(entry: Entry) -> PlayResult:
        seen.append(f"{entry.id} {states(journal)[entry.id]}")
        return played(GONE)

    told: list[Undone] = []
    done = undo_all(journal, journal.open_entries(), run, told.append)
    assert seen == ["third undoing", "second undoing", "first undoing"]
    assert [one.problem for one in done] == [None, None, None]
    assert told == done
    assert journal.open_entries() == []


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (lambda: played(CHANGED), "does not end with an assertion"),
        (raises(PlaybookError("There is no playbook second/undo.yml")), "There is no playbook second/undo.yml"),
        (raises(OSError("Too many open files")), "the undo second/undo.yml crashed (OSError: Too many open files)"),
    ],
    ids=["not proven", "cannot be run", "crashed"],
)
def test_one_that_fails_stops_no_other(journal: Journal, outcome: Callable[[], PlayResult], says: str) -> None:
    done = undo_all(journal, journal.open_entries(), undoing(second=outcome))
    assert [one.entry.id for one in done if one.problem] == ["second"]
    assert says in (done[1].problem or "")
    assert states(journal) == {
        "first": EntryState.CLOSED,
        "second": EntryState.UNDO_FAILED,
        "third": EntryState.CLOSED,
    }


def test_one_that_failed_is_tried_again(journal: Journal) -> None:
    undo_all(journal, journal.open_entries(), undoing(second=lambda: played(CHANGED)))
    done = undo_all(journal, journal.open_entries(), undoing())
    assert [one.entry.id for one in done] == ["second"]
    assert journal.open_entries() == []


def test_what_cannot_be_told_stops_no_undo(journal: Journal) -> None:
    def tell(undone: Undone) -> None:
        raise BrokenPipeError(undone.entry.id)

    with pytest.raises(BrokenPipeError, match="third"):
        undo_all(journal, journal.open_entries(), undoing(), tell)
    assert journal.open_entries() == []


def test_what_cannot_be_noted_is_undone_all_the_same_and_stays_open(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = journal.open_entries()
    ran: list[str] = []

    def run(entry: Entry) -> PlayResult:
        ran.append(entry.id)
        return played(GONE)

    def full(*_: object) -> None:
        raise JournalError("the undo journal cannot be written: No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "mark", full)
        done = undo_all(journal, entries, run)
    assert ran == ["third", "second", "first"]
    assert [one.problem for one in done] == [None, None, None], "each is proven gone"
    assert all("No space left" in (one.why_open or "") for one in done)
    assert done[0].said.startswith("undone: third: it is proven gone, and the undo journal cannot be written")
    assert journal.open_entries() == entries


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), pytest.fail.Exception("Timeout (>5.0s)")])
@pytest.mark.parametrize("at", ["first", "second", "third"])
def test_whatever_is_raised_every_undo_is_tried(journal: Journal, at: str, error: BaseException) -> None:
    with pytest.raises(type(error)):
        undo_all(journal, journal.open_entries(), undoing(**{at: raises(error)}))
    assert [entry.id for entry in journal.open_entries()] == [at]
    assert states(journal)[at] is EntryState.UNDOING


def test_an_undo_that_was_broken_off_is_made_once_more(journal: Journal) -> None:
    seen: list[str] = []

    def run(entry: Entry) -> PlayResult:
        seen.append(entry.id)
        if len(seen) == 1:
            pytest.fail("Timeout (>5.0s)")
        return played(GONE)

    told: list[Undone] = []
    with pytest.raises(pytest.fail.Exception, match="Timeout"):
        undo_all(journal, journal.open_entries(), run, told.append)
    assert seen == ["third", "second", "first", "third"]
    assert [one.problem for one in told] == [None, None, None]
    assert journal.open_entries() == []


def test_what_is_raised_while_it_is_told_stops_no_undo(journal: Journal) -> None:
    def tell(undone: Undone) -> None:
        pytest.fail(undone.entry.id)

    with pytest.raises(pytest.fail.Exception, match="third"):
        undo_all(journal, journal.open_entries(), undoing(), tell)
    assert journal.open_entries() == []


def test_the_hosts_of_the_journal_are_proven(journal: Journal) -> None:
    journal.mark("second", EntryState.INJECTED, hosts=["web", "api"])
    done = undo_all(journal, journal.open_entries(), undoing())
    says = "the undo undo.yml proved nothing on api, which the fault changed"
    assert [one.problem for one in done] == [None, says, None]
    assert [entry.id for entry in journal.open_entries()] == ["second"]
    undo_all(journal, journal.open_entries(), undoing(second=lambda: played(GONE, task(host="api"))))
    assert journal.open_entries() == []


def test_a_host_is_proven_by_one_whose_tasks_were_delegated_to_it() -> None:
    delegated = task(TaskStatus.CHANGED, "ansible.builtin.command", targets=("api",))
    assert why_not_gone(played(delegated, GONE), ("web", "api")) is None
    skipped = task(TaskStatus.SKIPPED, "ansible.builtin.command", targets=("api",))
    assert "proved nothing on api" in str(why_not_gone(played(skipped, GONE), ("web", "api")))


@pytest.mark.parametrize("action", ["debug", "assert", "set_fact", "pause", "include_vars", "add_host"])
def test_a_host_is_proven_by_no_task_that_runs_in_ansible_alone(action: str) -> None:
    """Delegated to the host, it has not been there."""
    for name in (action, f"ansible.builtin.{action}"):
        delegated = task(TaskStatus.OK, name, targets=("api",))
        assert "proved nothing on api" in str(why_not_gone(played(delegated, GONE), ("web", "api")))


@pytest.mark.parametrize("action", ["ping", "ansible.builtin.ping", "wait_for_connection", "ansible.windows.win_ping"])
def test_a_host_is_proven_by_no_task_that_only_reaches_it(action: str) -> None:
    delegated = task(TaskStatus.OK, action, targets=("api",))
    assert "proved nothing on api" in str(why_not_gone(played(delegated, GONE), ("web", "api")))


@pytest.mark.parametrize(
    "action", ["setup", "ansible.builtin.gather_facts", "fetch", "ansible.builtin.uri", "community.x.y"]
)
def test_a_host_is_proven_by_a_task_that_looked_there(action: str) -> None:
    delegated = task(TaskStatus.OK, action, targets=("api",))
    assert why_not_gone(played(delegated, GONE), ("web", "api")) is None
