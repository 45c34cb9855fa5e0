"""The restore: the record says `restored` where the verdict does, whatever could not be written down.

The final balance: what was seen at its end decides, and what nobody saw is no failure.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.checks import Check
from drillbook.engine import restore
from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.engine.restore import Restore
from drillbook.engine.under_way import UnderWay
from drillbook.errors import CouldNotLookError, JournalError
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.writer import Recorder
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import FaultRecord, UndoState
from drillbook.model.times.clock import Anchor
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import FindingKind
from drillbook.model.work_balance import Account, Answered, Attempt, account
from drillbook.safety.journal import Journal
from drillbook.target.ansible.result import PlayResult
from drillbook.target.inventory.settings import Endpoint, EndpointKind, Work
from drillbook.target.probing.load import Load
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import Watched, look_once
from tests.support.records import check, record
from tests.support.unit import played, task

pytestmark = pytest.mark.unit

LOST = account([Attempt("job", 1.0, 2.0, Answered.ACKNOWLEDGED)], {})


class Books(Load):
    """Work whose books say this, look by look; None: they are not to be read."""

    def __init__(self, *say: Account | None) -> None:
        database = Endpoint("books", EndpointKind.SQL, "postgresql://127.0.0.1:1/app")
        super().__init__(Prober({}), Work("http://127.0.0.1:1", "books", "select 1"), database, "run-")
        self.say = list(say)

    def balance(self, until_s: float | None = None) -> Account:
        said = self.say.pop(0)
        if said is None:
            raise CouldNotLookError("the books are not to be read")
        return said


def every_look(_prober: Prober, check: Check, **_when: float) -> Watched:
    """Waiting until the books have said it all, whatever the time."""
    assert callable(check.source)
    seen = [check.judge(look_once(check.name, check.source)) for _ in range(2)]
    return Watched(None, seen[-1], len(seen), 0)


def under_way(tmp_path: Path, undo: PlayResult | None = None, **more: Any) -> UnderWay:
    """A drill whose steps are over; with `undo` it has one fault, and this is what its undo comes to."""
    kept = record(checks=[check(1, Phase.RESTORE)])
    recorder = Recorder(tmp_path / "run", kept, Redactor(), more.pop("listener", lambda _event: None))
    log = DrillLog(Anchor(), kept, recorder, Objectives.of(frozenset()))
    journal = Journal(tmp_path / "journal")
    if undo is not None:
        journal.plan(
            "entry", run_id="run", fault="cut", variables={}, inventory="lab", undo_playbook="undo.yml", evidence="run"
        )
        kept.faults.append(FaultRecord("cut", {}, "entry", took_effect=True))
    switches = SimpleNamespace(take_events=list, states={})
    session = SimpleNamespace(journal=journal, switches=switches, run_undo=lambda _entry: undo)
    return UnderWay(
        session=cast(Any, session),
        scenario=cast(Any, None),
        objectives=Objectives.of(frozenset()),
        run_id="run",
        log=log,
        prober=Prober({}),
        abort=cast(Any, None),
        settled_s=0.0,
        **more,
    )


def events(drill: UnderWay) -> list[str]:
    return [each.event for each in drill.log.record.timeline]


def test_what_was_put_back_is_restored(tmp_path: Path) -> None:
    drill = under_way(tmp_path, played(task()))
    Restore(drill).run()
    assert drill.log.findings == []
    assert events(drill) == [Event.RESTORED]


def test_what_was_not_put_back_has_no_moment_at_which_it_was(tmp_path: Path) -> None:
    drill = under_way(tmp_path, played())
    Restore(drill).run()
    assert drill.log.judge(restored=True).restored.holds is False
    assert drill.log.findings[0].sentence.startswith("the fault 'cut' was not undone: the undo undo.yml: No task ran")
    assert events(drill) == []


def test_a_baseline_that_does_not_hold_again_is_not_restored(tmp_path: Path) -> None:
    drill = under_way(tmp_path, played(task()))
    drill.log.record.checks.clear()
    Restore(drill).run()
    assert drill.log.judge(restored=True).restored.reasons[0].startswith("no baseline check was repeated")
    assert events(drill) == []


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def full_evidence(patched: pytest.MonkeyPatch) -> None:
    patched.setattr("drillbook.evidence.files.os", SimpleNamespace(fsync=full_disk))


def full_journal(patched: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise JournalError("the undo journal cannot be written: No space left on device")

    patched.setattr(Journal, "mark", full)


@pytest.mark.parametrize("fill", [full_evidence, full_journal])
def test_a_full_disk_does_not_break_what_is_proven_whole(
    fill: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill = under_way(tmp_path, played(task()))
    with monkeypatch.context() as patched:
        fill(patched)
        Restore(drill).run()
    verdict = drill.log.judge(restored=True)
    assert drill.log.record.faults[0].undo is UndoState.GONE
    assert verdict.restored.holds
    assert verdict.outcome == "INVALID"
    assert "No space left" in verdict.reason
    assert len(drill.log.findings) == 1, "said once, however often it was tried"
    assert events(drill) == [Event.RESTORED]


def test_on_a_full_disk_the_fault_that_stays_is_named_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = under_way(tmp_path, played())
    with monkeypatch.context() as patched:
        full_evidence(patched)
        Restore(drill).run()
    verdict = drill.log.judge(restored=True)
    assert verdict.outcome == "NOT_RESTORED"
    assert verdict.reason.startswith("the fault 'cut' was not undone")
    assert any("No space left" in reason for reason in verdict.valid.reasons)


def test_a_terminal_that_is_closed_does_not_break_what_is_proven_whole(tmp_path: Path) -> None:
    def closed(_event: object) -> None:
        raise BrokenPipeError("nobody reads")

    drill = under_way(tmp_path, played(task()), listener=closed)
    Restore(drill).run()
    assert drill.log.judge(restored=True).restored.holds


@pytest.mark.parametrize(
    ("say", "kind", "sentence"),
    [
        ((None, LOST), FindingKind.FAILED, "1 acknowledged, 0 completed, 1 lost"),
        ((LOST, None), FindingKind.UNKNOWN, "the books are not to be read"),
    ],
)
def test_the_last_look_decides(
    say: tuple[Account | None, ...],
    kind: FindingKind,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restore, "watch", every_look)  # the real one waits a minute for sound books
    drill = under_way(tmp_path, load=Books(*say))
    log, kept = drill.log, drill.log.record
    Restore(drill)._balance()
    (found,) = log.findings
    assert found.kind is kind
    assert sentence in found.sentence
    assert kept.work is not None and kept.work.lost_count == 1
