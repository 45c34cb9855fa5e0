"""What the engine makes of switches: armed before the fault, renewed while it is open, disarmed once it is gone."""

from __future__ import annotations

import importlib
import importlib.util
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import PlaybookError
from drillbook.model.record import SwitchState
from drillbook.safety.dead_man_switch import HAS_FIRED, Switches, has_fired
from drillbook.safety.journal import Entry, EntryState, Journal
from drillbook.safety.undo import StillArmedError, undo_all
from drillbook.target.ansible.result import PlayResult, TaskStatus
from tests.support import ROOT
from tests.support.unit import played, task, until

pytestmark = pytest.mark.unit

PLAYBOOKS = ROOT / "playbooks"
DONE = played(task(TaskStatus.CHANGED, "dead_man_switch"))
FAILED = played(task(TaskStatus.FAILED, "dead_man_switch"), status="failed", rc=2)
FIRED = played(replace(task(TaskStatus.FAILED), message=f"the switch {HAS_FIRED} at noon"), status="failed", rc=2)
GONE = played(task())
NOT_GONE = played(task(TaskStatus.CHANGED))

Answer = Callable[[], PlayResult]


class Target:
    """Plays of switch.yml that were asked for, and what they answer: that all is done, unless said otherwise."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[Mapping[str, object]] = []

    def __call__(self, playbook: Path, variables: Mapping[str, object], *, timeout_s: float) -> PlayResult:
        assert playbook == Path("/srv/playbooks/faults/cut/switch.yml")
        assert timeout_s > 0
        self.asked.append(variables)
        return self.answers.get(str(variables["drillbook_switch"]), lambda: DONE)()

    @property
    def wanted(self) -> list[object]:
        return [each["drillbook_switch"] for each in self.asked]


def answers(result: PlayResult) -> Answer:
    return lambda: result


def raises(error: Exception) -> Answer:
    def run() -> PlayResult:
        raise error

    return run


def entry(switch: str | None = "playbooks/faults/cut/switch.yml") -> Entry:
    return Entry("e1", "run", "cut", {"client": "api"}, "lab", "undo.yml", "", EntryState.PLANNED, "", switch)


def switches(target: Target, after_s: int | None = 600) -> Switches:
    return Switches(Path("/srv"), after_s, target)


def test_a_switch_is_armed_with_the_variables_of_its_fault_and_disarmed_after_the_proof() -> None:
    target = Target()
    ours = switches(target)
    assert ours.arm(entry()) is None
    assert ours.states == {"e1": SwitchState.ARMED}
    assert ours.undo(entry(), answers(GONE)) is GONE
    assert ours.states == {"e1": SwitchState.DISARMED}
    of_the_fault = {"client": "api", "drillbook_switch_id": "e1", "drillbook_switch_after": 600}
    assert target.asked == [of_the_fault | {"drillbook_switch": wanted} for wanted in ("armed", "disarmed")]


def test_an_inventory_that_asks_for_none_arms_none_and_disarms_those_of_earlier_runs() -> None:
    target = Target()
    ours = switches(target, after_s=None)
    assert ours.playbook("cut") is None
    assert ours.arm(entry()) is None
    assert target.wanted == []
    ours.undo(entry(), answers(GONE))
    assert target.wanted == ["disarmed"]


def test_a_fault_has_a_switch_when_the_file_is_there(tmp_path: Path) -> None:
    ours = Switches(tmp_path, 60, Target())
    assert ours.playbook("cut") is None
    (tmp_path / "playbooks/faults/cut").mkdir(parents=True)
    (tmp_path / "playbooks/faults/cut/switch.yml").touch()
    assert ours.playbook("cut") == "playbooks/faults/cut/switch.yml"


NOT_ARMED = {
    "it failed": (answers(FAILED), "Failed:"),
    "it changed nothing": (answers(GONE), "switch.yml changed nothing"),
    "it matched no host": (answers(played(plays_without_hosts=("The switch",))), "No host matched"),
    "it skipped a host": (
        answers(played(task(TaskStatus.CHANGED), task(TaskStatus.SKIPPED, host="api"))),
        "ran no task on api",
    ),
    "it took too long": (answers(played(task(TaskStatus.CHANGED), status="timeout", rc=254)), "took too long"),
    "it is no playbook": (raises(PlaybookError("switch.yml cannot be run")), "switch.yml cannot be run"),
}


@pytest.mark.parametrize(("armed", "says"), NOT_ARMED.values(), ids=list(NOT_ARMED))
def test_a_switch_that_is_not_armed_says_so(armed: Answer, says: str) -> None:
    ours = switches(Target(armed=armed))
    problem = ours.arm(entry())
    assert problem is not None
    assert problem.startswith("its dead man's switch could not be armed: ")
    assert says in problem
    assert ours.states == {"e1": SwitchState.NOT_ARMED}


def test_what_never_became_a_play_armed_nothing_and_is_not_disarmed() -> None:
    target = Target(armed=raises(PlaybookError("no YAML")))
    ours = switches(target)
    ours.arm(entry())
    assert ours.undo(entry(), answers(GONE)) is GONE
    assert target.wanted == ["armed"]


def test_what_failed_may_be_armed_on_some_hosts_and_is_disarmed() -> None:
    target = Target(armed=answers(FAILED))
    ours = switches(target)
    ours.arm(entry())
    ours.undo(entry(), answers(GONE))
    assert target.wanted == ["armed", "disarmed"]


def test_a_fault_that_is_not_proven_gone_keeps_its_switch() -> None:
    target = Target()
    assert switches(target).undo(entry(), answers(NOT_GONE)) is NOT_GONE
    assert target.wanted == []


@pytest.mark.parametrize("disarmed", [answers(FAILED), raises(PlaybookError("no YAML"))], ids=["failed", "no play"])
def test_a_switch_that_stays_armed_keeps_the_entry_open_and_the_proof(disarmed: Answer, tmp_path: Path) -> None:
    ours = switches(Target(disarmed=disarmed))
    with pytest.raises(StillArmedError, match="its dead man's switch could not be disarmed: "):
        ours.undo(entry(), answers(GONE))
    journal = Journal(tmp_path / "journal")
    journal.plan(
        "e1",
        run_id="run",
        fault="cut",
        variables={},
        inventory="lab",
        undo_playbook="undo.yml",
        evidence="",
        switch_playbook="playbooks/faults/cut/switch.yml",
    )
    (undone,) = undo_all(journal, journal.open_entries(), lambda each: ours.undo(each, answers(GONE)))
    assert undone.result is GONE
    assert "could not be disarmed" in (undone.problem or "")
    (open_entry,) = journal.open_entries()
    assert open_entry.state is EntryState.UNDO_FAILED
    assert open_entry.switch_playbook == "playbooks/faults/cut/switch.yml"


def test_a_journal_of_an_older_version_has_no_switch(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    line = {name: getattr(entry(), name) for name in Entry.__slots__ if name != "switch_playbook"}
    journal._append(line)
    assert journal.entries() == [entry(switch=None)]


def test_an_open_fault_is_renewed_until_its_undo_has_run() -> None:
    target = Target()
    ours = switches(target, after_s=0)  # renewed without a pause
    ours.arm(entry())
    until(lambda: target.wanted.count("renewed") >= 3)
    ours.undo(entry(), answers(NOT_GONE))
    done = len(target.asked)
    assert not [thread for thread in threading.enumerate() if thread.name == "renew-cut"]
    assert len(target.asked) == done


def test_no_renewal_meets_the_disarming() -> None:
    renewing, go_on = threading.Event(), threading.Event()

    def slow() -> PlayResult:
        renewing.set()
        assert go_on.wait(10)
        return DONE

    target = Target(renewed=slow)
    ours = switches(target, after_s=0)
    ours.arm(entry())
    assert renewing.wait(10)
    undoing = threading.Thread(target=lambda: ours.undo(entry(), answers(GONE)))
    undoing.start()
    assert "disarmed" not in target.wanted
    go_on.set()
    undoing.join()
    assert target.wanted[-1] == "disarmed"


@pytest.mark.parametrize(
    "renewed",
    [answers(FAILED), raises(PlaybookError("gone")), raises(OSError("Too many open files"))],
    ids=["failed", "no play", "crashed"],
)
def test_a_renewal_that_fails_is_tried_again(renewed: Answer) -> None:
    target = Target(renewed=renewed)
    ours = switches(target, after_s=0)
    ours.arm(entry())
    until(lambda: target.wanted.count("renewed") >= 3)
    ours.close()
    assert ours.states == {"e1": SwitchState.ARMED}


def test_a_switch_that_fired_is_renewed_no_more_and_stays_fired() -> None:
    target = Target(renewed=answers(FIRED))
    ours = switches(target, after_s=0)
    ours.arm(entry())
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "renew-cut"])
    assert target.wanted.count("renewed") == 1
    assert ours.states == {"e1": SwitchState.FIRED}
    ours.undo(entry(), answers(GONE))
    assert ours.states == {"e1": SwitchState.FIRED}


def test_that_it_has_fired_is_known_by_its_words() -> None:
    assert has_fired(FIRED)
    assert not has_fired(FAILED)
    assert DONE.why_not_clean(on_every_host=True) is None
    assert GONE.why_not_clean(on_every_host=True) is None
    assert FIRED.why_not_clean(on_every_host=True) is not None


def test_what_happened_to_a_switch_is_told_once_in_its_order() -> None:
    ours = switches(Target(armed=answers(FIRED)))
    ours.arm(entry())
    play, fired = ours.take_events()
    assert (play.entry, play.play, play.variables["drillbook_switch"], play.state) == (entry(), FIRED, "armed", None)
    assert (fired.play, fired.problem, fired.state) == (None, None, SwitchState.FIRED)
    assert ours.take_events() == []


def test_a_fault_without_a_switch_is_a_problem_that_is_told() -> None:
    ours = switches(Target())
    ours.arm(entry(switch=None))
    (event,) = ours.take_events()
    assert (event.play, event.state) == (None, None)
    assert event.problem == "the fault 'cut' has no switch.yml: it stays when the control node is lost"


def test_a_renewal_that_fails_is_told_once_for_each_reason() -> None:
    ours = switches(Target(renewed=raises(PlaybookError("gone"))), after_s=0)
    ours.arm(entry())
    target = ours._run
    assert isinstance(target, Target)
    until(lambda: target.wanted.count("renewed") >= 3)
    ours.close()
    problems = [event.problem for event in ours.take_events() if event.problem is not None]
    assert problems == ["the dead man's switch of the fault 'cut' was not renewed: gone"]


# ---------------------------------------------------------------------- the timer and the module, without a process


def loaded(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def timer() -> Any:
    return loaded(PLAYBOOKS / "module_utils/dead_man_timer.py", "dead_man_timer_of_the_test")


def test_a_clock_that_is_set_does_not_move_the_timer(
    timer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, flag = tmp_path / "x.json", tmp_path / "flag"
    timer.write(lease, {"renewals": 0})
    order = {"command": ["touch", str(flag)], "environment": None, "stdin": None, "after_s": 0.1, "tries": 1}
    monkeypatch.setattr(time, "time", lambda: 0.0)  # the wall clock stands still; timers on it would never end
    timer.Timer(lease, order | {"pause_s": 0}).watch()
    assert flag.exists()


def test_a_timer_whose_lease_is_gone_does_nothing(timer: Any, tmp_path: Path) -> None:
    order = {"command": ["touch", str(tmp_path / "flag")], "after_s": 0}
    timer.Timer(tmp_path / "x.json", order).watch()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_does_not_keep_the_command_from_running(
    timer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, flag = tmp_path / "x.json", tmp_path / "flag"
    timer.write(lease, {"renewals": 0})

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(timer, "write", full)
    order = {"command": ["touch", str(flag)], "environment": None, "stdin": None, "after_s": 0, "tries": 1}
    timer.Timer(lease, order | {"pause_s": 0}).watch()
    assert flag.exists()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    utils = importlib.import_module("ansible.module_utils")

    monkeypatch.setattr(utils, "__path__", [*utils.__path__, str(PLAYBOOKS / "module_utils")])
    return loaded(PLAYBOOKS / "library/dead_man_switch.py", "dead_man_switch_of_the_test")


@pytest.mark.parametrize(
    ("user", "said", "kills"),
    [
        ("drill", ("b true\n", "as 0\n", 'as 1 "root"\n'), True),
        ("drill", ("b false\n", "as 0\n", 'as 1 "root"\n'), False),
        ("drill", ("b true\n", "as 0\n", 'as 2 "root" "drill"\n'), False),
        ("root", ("b true\n", "as 0\n", "as 0\n"), False),
        ("drill", ("b false\n", 'as 1 "drill"\n', "as 0\n"), True),
        ("drill", ("b true\n", 'as 1 "other"\n', "as 0\n"), False),
        ("drill", ("", "", ""), False),
    ],
)
def test_who_loses_his_processes_with_his_session(
    module: Any, user: str, said: tuple[str, str, str], kills: bool
) -> None:
    assert module.logind_kills(user, *said) is kills
