"""What is said of a span rests on looks all over that span: where nobody looked, it is unknown."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.checks import At
from drillbook.engine.looking import Absent, Demanding, last_since, seen_since
from drillbook.engine.stability import settle
from drillbook.engine.under_way import UnderWay
from drillbook.errors import CouldNotLookError
from drillbook.model.control import Control, ControlKind
from drillbook.model.phases import Phase
from drillbook.model.times.gaps import Gap
from drillbook.model.times.remembered import Remembered
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import FindingKind
from drillbook.safety.abort_condition import AbortGuard
from drillbook.safety.signals import Shield
from drillbook.target.inventory.settings import Endpoint, EndpointKind, Work
from drillbook.target.probing.load import Load, Rate
from drillbook.target.probing.prober import Prober
from tests.unit.engine.drills import AGO_S, under_way

pytestmark = pytest.mark.unit

API = At("api", "the API")
UP = API.json("status", "the status").is_("up")
WELL = "-" + "+" * 30
HOLE = "-++++         " + "+" * 17
"""It came up, then nobody looked for 10 s, and then it was up."""


def settled(drill: UnderWay) -> list[str]:
    Demanding(drill).eventually(UP, within=60)
    settle(drill)
    return [finding.sentence for finding in drill.log.findings if finding.kind is FindingKind.UNKNOWN]


def test_a_criterion_that_nobody_watched_to_the_end_is_unknown(tmp_path: Path) -> None:
    drill = under_way(tmp_path, HOLE)
    assert settled(drill) == ["the status is up: nobody looked for 10.0 s at 'api'"]
    assert Event.RECOVERED not in drill.log.moments
    assert drill.log.judge(restored=False).valid.holds is False


def test_a_criterion_at_which_nobody_looks_any_more_is_unknown(tmp_path: Path) -> None:
    (sentence,) = settled(under_way(tmp_path, "-++++"))
    assert "the status is up: nobody looked for 2" in sentence


def test_a_criterion_that_was_watched_to_the_end_is_met(tmp_path: Path) -> None:
    drill = under_way(tmp_path, WELL)
    assert settled(drill) == []
    assert Event.RECOVERED in drill.log.moments


def test_a_gap_before_the_last_return_of_a_criterion_is_no_matter(tmp_path: Path) -> None:
    assert settled(under_way(tmp_path, "-++      -" + "+" * 21)) == []


def test_what_broke_and_whose_time_is_over_has_failed(tmp_path: Path) -> None:
    drill = under_way(tmp_path, "-++++" + "-" * 26)
    Demanding(drill).eventually(UP, within=10)
    settle(drill)
    (finding,) = drill.log.findings
    assert (finding.kind, finding.sentence.endswith("it did not stay so to the end of the criteria")) == (
        FindingKind.FAILED,
        True,
    )


def now(drill: UnderWay) -> None:
    """The look that begins now, for who asks for one."""
    drill.prober.look({"status": "up"}, time.monotonic() + 0.3)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("marks", "unknown"), [(WELL[1:], False), (HOLE[1:], True)])
def test_what_was_always_so_was_always_looked_at(tmp_path: Path, marks: str, unknown: bool) -> None:
    drill = under_way(tmp_path, marks + "+")
    now(drill)
    always = Demanding(drill).always
    if unknown:
        with pytest.raises(CouldNotLookError, match=r"the status is up: nobody looked for 10\.0 s"):
            always(UP)
    else:
        always(UP)
    (check,) = drill.log.record.checks
    assert (check.met, check.unknown) == (not unknown, unknown)


@pytest.mark.parametrize(("marks", "unknown"), [("-" * 30, False), ("-----     " + "-" * 20, True)])
def test_what_a_control_never_saw_it_has_looked_for_all_the_time(tmp_path: Path, marks: str, unknown: bool) -> None:
    drill = under_way(tmp_path, marks, Phase.SYMPTOMS, control=Control(ControlKind.NO_FAULT))
    Absent(drill).eventually(UP, within=20)
    (check,) = drill.log.record.checks
    assert (check.met, check.unknown) == (False, unknown)


STATUS = API.json("status", "the status")


def test_what_the_prober_has_seen_is_a_claim_of_all_of_the_time(tmp_path: Path) -> None:
    assert len(seen_since(under_way(tmp_path, WELL), STATUS)) == 31
    with pytest.raises(CouldNotLookError, match=r"^the status: nobody looked for 10\.0 s at 'api'$"):
        seen_since(under_way(tmp_path / "hole", HOLE), STATUS)
    with pytest.raises(CouldNotLookError, match=r"nobody looked for 2\d\.\d s"):
        seen_since(under_way(tmp_path / "end", "-++++"), STATUS)


def test_what_is_no_longer_kept_was_not_seen(tmp_path: Path) -> None:
    drill = under_way(tmp_path, WELL)
    samples = drill.prober.of("api")._samples
    samples[3] = replace(samples[3], value=Remembered({"status": "up"}))
    assert len(seen_since(drill, STATUS)) == 31
    with pytest.raises(CouldNotLookError, match=r"^the load: the answer that this look saw is no longer kept"):
        seen_since(drill, API.json("load", "the load"))


def test_what_was_seen_last_needs_a_look_of_late(tmp_path: Path) -> None:
    assert last_since(under_way(tmp_path, HOLE[:-1] + "-"), STATUS) == "down"
    assert last_since(under_way(tmp_path / "none", WELL), API.json("nothing", "nothing")) is None
    with pytest.raises(CouldNotLookError, match=r"nobody looked for 2\d\.\d s at 'api'"):
        last_since(under_way(tmp_path / "end", "-++++"), STATUS)


@pytest.mark.parametrize(("marks", "told"), [("+" * 31, 0), ("+++++     " + "+" * 21, 1), ("+" * 20, 1)])
def test_an_abort_condition_at_which_nobody_looked_could_not_have_fired(tmp_path: Path, marks: str, told: int) -> None:
    drill = under_way(tmp_path, marks)
    guard = AbortGuard([drill.prober.endpoint("api")], Shield(lambda _text: None))
    guard.hold()
    sentences = list(guard.unseen(drill.prober))
    assert len(sentences) == told
    assert all("@abort-when:api: nobody looked for" in sentence for sentence in sentences)


# ------------------------------------------------------------------ the work


class Paused(Prober):
    """A prober whose loop stood still for 9 s."""

    def __init__(self, since_s: float) -> None:
        super().__init__({})
        self._pulse.pauses.append(Gap(since_s, since_s + 9.0))


def load(since_s: float, per_second: float = 50.0) -> Load:
    database = Endpoint("books", EndpointKind.SQL, "postgresql://127.0.0.1:1/app")
    it = Load(Paused(since_s), Work("http://127.0.0.1:1", "books", "select 1"), database, "run-")
    it.rates.append(Rate(since_s - 5, per_second))
    return it


def test_work_that_nobody_submitted_is_in_no_balance() -> None:
    began_s = time.monotonic() - AGO_S
    with pytest.raises(CouldNotLookError, match=r"the balance of the work: nobody submitted for 9\.0 s"):
        load(began_s).refuse_pause(began_s - 1)
    with pytest.raises(CouldNotLookError, match=r"nobody submitted for 4\.0 s"):
        load(began_s).refuse_pause(began_s + 5)
    with pytest.raises(CouldNotLookError, match="nobody submitted for"):
        load(time.monotonic() - 10).failures(last_s=30)


def test_a_pause_while_nothing_was_to_be_submitted_is_no_matter() -> None:
    began_s = time.monotonic() - AGO_S
    load(began_s).refuse_pause(began_s + 8.5)
    load(began_s, per_second=0.0).refuse_pause(began_s)
    load(began_s, per_second=0.1).refuse_pause(began_s)


def test_a_balance_that_is_sound_only_because_nobody_submitted_is_unknown(tmp_path: Path) -> None:
    from drillbook.engine.restore import Restore
    from drillbook.model.work_balance import Answered, Attempt, account

    drill = under_way(tmp_path)
    drill.load = load(time.monotonic() - AGO_S + 5)
    done = account([Attempt("job", 1.0, 2.0, Answered.ACKNOWLEDGED)], {"job": 1})
    cast(Any, drill.load).balance = lambda: done
    cast(Any, drill).scenario = SimpleNamespace(control=None)
    Restore(drill)._balance()
    (finding,) = drill.log.findings
    assert (finding.phase, finding.kind) == (Phase.CRITERIA, FindingKind.UNKNOWN)
    assert "nobody submitted for 9.0 s" in finding.sentence
