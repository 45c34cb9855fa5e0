"""Waiting for a check: the moment is a sample's, and what nobody saw is unknown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from drillbook.checks import At, Check, Observation, looked
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.times.sample import Sample
from drillbook.model.times.windows import Found
from drillbook.target.probing import waiting as watching
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import Watched, look_once, not_met, watch
from tests.support.unit import DEADLINE_S, endpoint, no_answer, sample

pytestmark = pytest.mark.unit

API = At("api", "the API")
UP = API.json("status", "the status").is_("up")
TOOK_S = 0.25


class History(Prober):
    """A prober that has sampled already: one sample a second from second 0 on, which is long ago.

    `+` answered "up", `-` "down", `x` not at all; a blank is a second in which nobody looked.
    """

    def __init__(self, marks: str, *, alive: bool = True, timeout_s: float = 0.25) -> None:
        super().__init__({"api": endpoint("api", "http://127.0.0.1:1", samples_per_s=1.0, timeout_s=timeout_s)})
        self._alive = alive
        for second, mark in enumerate(marks):
            if mark == "x":
                self.of("api").append(no_answer(at=second))
            elif mark != " ":
                self.of("api").append(sample({"status": "up" if mark == "+" else "down"}, at=second, took=TOOK_S))

    @property
    def alive(self) -> bool:
        return self._alive


def watched(marks: str, since: float = 0.0, until: float = 100.0, length: float = 0.0, check: Check = UP) -> Watched:
    return watch(History(marks), check, since_s=since, until_s=until, length_s=length)


def test_met() -> None:
    it = watched("--+")
    assert it.found == Found(2.25, 1.25, 2.25)
    assert it.last == Observation(True, "up", "is up")
    assert it.samples == 3


def test_what_was_before_does_not_count() -> None:
    it = watched("++--+", since=2.0)
    assert it.found == Found(4.25, 1.25, 4.25)
    assert it.samples == 3


def test_what_the_first_look_shows_may_have_been_so_since_the_look_before_the_event() -> None:
    assert watched("+--+", since=1.5).found == Found(3.25, 1.25, 3.25)
    assert watched("++++", since=1.5).found == Found(2.25, 1.25, 2.25)
    assert watched("  ++", since=1.5).found == Found(2.25, 0.25, 2.25)


def test_late() -> None:
    it = watched("----+", until=3.5)
    assert it.found is None
    assert it.last == Observation(False, "down", "is up")
    assert it.samples == 4


def test_an_answer_that_comes_after_the_deadline_is_late_although_it_was_asked_for_before() -> None:
    it = watched("---+", until=3.1)
    assert it.found is None
    assert it.last == Observation(True, "up", "is up")
    assert watched("---+", until=3.25).found is not None


@pytest.mark.parametrize("marks", ["----", "-x-x", "xxxx"])
def test_never(marks: str) -> None:
    it = watched(marks, until=3.5)
    assert it.found is None
    assert it.samples == 4
    assert it.last is not None
    assert not it.last.met


@pytest.mark.parametrize("marks", ["", "+++"])
def test_nothing_observed_is_unknown(marks: str) -> None:
    with pytest.raises(CouldNotLookError, match="the status is up: nothing was observed in the time allowed"):
        watched(marks, since=50.0, until=60.0)


def test_a_window() -> None:
    it = watched("-+++++", length=3)
    assert it.found == Found(1.25, 1.25, 4.25)
    assert it.breaks == 0


def test_a_window_after_breaks() -> None:
    it = watched("+-++x+++++", length=3)
    assert it.found is not None
    assert (it.found.at_s, it.found.end_s, it.breaks) == (5.25, 8.25, 2)


def test_a_window_that_nobody_watched_all_the_time_is_none() -> None:
    with pytest.raises(
        CouldNotLookError, match=r"the status is up: nobody looked for 2\.0 s while the drill waited for it"
    ):
        watched("++ ++ ++", until=8, length=3)
    assert watched("+++  ++++", length=3).found == Found(5.25, 3.25, 8.25, 1)


@pytest.mark.parametrize(
    ("until", "length", "found"),
    [
        (3.25, 2.0, True),
        (3.25, 2.5, True),
        (3.24, 2.0, False),
        (3.0, 0.5, False),
    ],
)
def test_a_window_may_begin_at_the_last_moment_and_no_later(until: float, length: float, found: bool) -> None:
    it = watched("---++++++++", until=until, length=length)
    assert (it.found is not None) == found


def test_a_window_that_can_no_longer_begin_in_time_is_not_waited_for() -> None:
    """An hour's hold is not waited for when it cannot count any more."""
    it = watched("--+-++++++", until=2.5, length=3600)
    assert it.found is None
    assert (it.samples, it.breaks) == (4, 1)


def test_the_first_sample_alone() -> None:
    history = History("-++")
    it = watch(history, UP, since_s=0.0, until_s=10.0, first_only=True)
    assert (it.found, it.samples) == (None, 1)
    assert watch(history, UP, since_s=0.5, until_s=10.0, first_only=True).found is not None


def test_a_sample_may_carry_a_better_time() -> None:
    check = Check("a message", "api", lambda each: Observation(each.value == {"status": "up"}, "it", "it", at_s=0.5))
    assert watched("--+", check=check).found == Found(0.5, 0.0, 2.25)
    assert watched("-++++", length=2, check=check).found == Found(1.25, 1.25, 3.25)


def test_changes_are_told_and_repetitions_are_not() -> None:
    told: list[str] = []
    watch(History("--xx-+"), UP, since_s=0.0, until_s=10.0, tell=lambda seen: told.append(seen.observed))
    assert told == ["down", "connection refused", "down", "up"]


def test_a_judgement_that_crashes_is_unknown() -> None:
    crashing = API.json("status").satisfies("is short", lambda value: value.length < 3)
    with pytest.raises(CouldNotLookError, match=r"the check itself failed .AttributeError"):
        watched("+", check=crashing)


def test_an_endpoint_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(DrillbookError, match="no endpoint 'nobody'"):
        watched("+", check=At("nobody").answers())


def test_a_dead_prober_is_unknown_once_its_samples_are_read() -> None:
    with pytest.raises(CouldNotLookError, match="the prober stopped: 'api' is no longer looked at"):
        watch(History("---", alive=False), UP, since_s=0.0, until_s=100.0)
    assert watch(History("--+", alive=False), UP, since_s=0.0, until_s=100.0).found is not None


def test_samples_are_waited_for() -> None:
    history = History("")
    now = time.monotonic()

    def write() -> None:
        history.of("api").append(sample({"status": "down"}, at=now))
        history.of("api").append(sample({"status": "up"}, at=now + 0.01))

    writer = threading.Thread(target=write)
    writer.start()
    it = watch(history, UP, since_s=now, until_s=now + DEADLINE_S)
    writer.join()
    assert it.found is not None
    assert it.samples == 2


def test_a_prober_that_dies_while_it_is_waited_for_is_noticed() -> None:
    history = History("")
    now = time.monotonic()
    history._alive = True

    def die(_seen: object) -> None:
        history._alive = False

    history.of("api").append(sample({"status": "down"}, at=now))
    with pytest.raises(CouldNotLookError, match="the prober stopped"):
        watch(history, UP, since_s=now, until_s=now + 3600, tell=die)


@pytest.mark.parametrize(
    ("within", "length", "sentence"),
    [
        (None, 0.0, "the status is up: observed down, required is up now"),
        (3.5, 0.0, "the status is up: observed down, required is up within 3.5 s"),
        (
            3.5,
            2.0,
            "the status is up: observed down, required is up for 2 s on end, beginning within 3.5 s (1 interruptions)",
        ),
    ],
)
def test_why_it_was_not_met(within: float | None, length: float, sentence: str) -> None:
    assert not_met(UP, watched("-+--", until=3.5, length=2), within, length) == sentence


def test_a_prober_without_further_samples_is_waited_for_until_the_deadline_only() -> None:
    now = time.monotonic()
    history = History("")
    history.of("api").append(sample({"status": "down"}, at=now - 5))
    with pytest.raises(CouldNotLookError, match=r"nobody looked for 3\.\d s while the drill waited for it"):
        watch(history, UP, since_s=now - 10, until_s=now - 1.24)


# what nobody saw


@pytest.mark.parametrize(
    ("marks", "until", "length"),
    [
        ("---      +++", 8.0, 0.0),  # it may have come in time
        ("---         ", 8.0, 0.0),
        ("+++   +++   +++", 14.0, 4.0),
        ("+++   ---", 8.0, 4.0),  # it may have been long enough
    ],
)
def test_what_may_have_been_met_while_nobody_looked_is_unknown(marks: str, until: float, length: float) -> None:
    with pytest.raises(CouldNotLookError, match=r"nobody looked for \d\.\d s while the drill waited for it"):
        watched(marks, until=until, length=length)


@pytest.mark.parametrize(
    ("marks", "until", "length"),
    [("---   ---", 8.0, 0.0), ("---   -+-+-", 10.0, 4.0), ("---   --+", 7.5, 0.0)],
)
def test_a_gap_in_which_it_would_not_have_stayed_so_hides_nothing(marks: str, until: float, length: float) -> None:
    it = watched(marks, until=until, length=length)
    assert it.found is None
    assert it.gap is not None and it.gap.seconds == 4.0


def test_a_gap_before_a_window_that_was_watched_is_no_matter() -> None:
    assert watched("++     +++++", until=8, length=3).found is not None


def test_a_long_time_out_does_not_let_two_looks_show_a_window() -> None:
    """A look that hung for 9 s and was answered then says nothing of what was in between."""
    history = History("+", timeout_s=20.0)
    for at, took in ((1.0, 9.0), (11.0, TOOK_S)):
        history.of("api").append(sample({"status": "up"}, at=at, took=took))
    with pytest.raises(CouldNotLookError, match=r"nobody looked for 9\.8 s while the drill waited for it"):
        watch(history, UP, since_s=0.0, until_s=2.0, length_s=5.0)


def test_a_look_that_waited_in_vain_saw_all_of_the_silence() -> None:
    history = History("x", timeout_s=20.0)
    for at in (1.0, 22.0):
        history.of("api").append(sample(at=at, took=20.0, ok=False, error="no answer in time"))
    assert watch(history, API.silent(), since_s=0.0, until_s=2.0, length_s=30.0).found is not None


# looks that are made when asked


def look(*values: object) -> Callable[[], object]:
    """Gives the values in turn, the last one again and again; raises those that are errors."""
    left = list(values)

    def it() -> object:
        value = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(value, BaseException):
            raise value
        return value

    return it


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_INTERVAL_S", 0.005)


def asked(*values: object, within: float = DEADLINE_S, length: float = 0.0) -> Watched:
    now = time.monotonic()
    check = looked("the queue", look(*values)).is_(0)
    return watch(Prober({}), check, since_s=now, until_s=now + within, length_s=length)


def test_a_look_is_repeated_until_it_is_met() -> None:
    it = asked(3, OSError("no"), 0)
    assert it.found is not None
    assert it.samples == 3


def test_a_look_that_is_never_met() -> None:
    it = asked(3, within=0.02)
    assert it.found is None
    assert it.last == Observation(False, "3", "is 0")
    assert it.samples >= 2


def test_a_look_that_could_not_begin_in_time_is_unknown() -> None:
    with pytest.raises(CouldNotLookError, match="nobody looked in time"):
        asked(0, within=-1)


def test_looks_may_fill_a_window() -> None:
    it = asked(3, 0, 3, 0, length=0.02)
    assert it.found is not None
    assert it.breaks == 1
    assert it.found.end_s - it.found.at_s >= 0.02


def test_looks_of_a_steps_own_that_take_too_long_show_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_GAP_S", 0.01)
    now = time.monotonic()
    slow = looked("the queue", lambda: threading.Event().wait(0.02) or 0).is_(0)
    with pytest.raises(CouldNotLookError, match="the queue is 0: nobody looked for"):
        watch(Prober({}), slow, since_s=now, until_s=now + 0.1, length_s=0.5)


def test_looks_of_a_steps_own_may_take_their_time_where_no_window_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for a time-out of its own saw that there was no answer; a control would show nothing else."""
    monkeypatch.setattr(watching, "LOOK_GAP_S", 0.01)
    now = time.monotonic()
    slow = looked("the queue", lambda: threading.Event().wait(0.02) or 1).is_(0)
    seen = watch(Prober({}), slow, since_s=now, until_s=now + 0.1)
    assert (seen.found, seen.gap) == (None, None)


@pytest.mark.parametrize(
    "error", [OSError("broken"), AssertionError("no"), SystemExit(1), pytest.fail.Exception("no")], ids=repr
)
def test_a_look_that_fails_is_a_sample_that_says_so(error: BaseException) -> None:
    taken = look_once("the queue", look(error))
    assert (taken.ok, taken.value) == (False, None)
    assert taken.error is not None
    assert taken.error.startswith(type(error).__name__)
    with pytest.raises(CouldNotLookError, match="every look failed"):
        asked(error, within=0.2)


def test_a_look_has_its_times() -> None:
    before = time.monotonic()
    taken: Sample = look_once("the queue", look(7))
    assert before <= taken.sent_s <= taken.done_s <= time.monotonic()
    assert (taken.ok, taken.value) == (True, 7)


def test_a_look_that_hangs_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_TIMEOUT_S", 0.02)
    let_go = threading.Event()
    with pytest.raises(CouldNotLookError, match=r"the queue: the look did not come back within 0\.02 s"):
        look_once("the queue", lambda: let_go.wait(DEADLINE_S))
    now = time.monotonic()
    with pytest.raises(CouldNotLookError, match="did not come back"):
        hanging = looked("it", lambda: let_go.wait(DEADLINE_S)).is_(1)
        watch(Prober({}), hanging, since_s=now, until_s=now + DEADLINE_S)
    let_go.set()


@pytest.mark.parametrize("answer", ["no", str.isalpha, 1, None], ids=["word", "method", "number", "nothing"])
def test_a_judgement_that_is_no_truth_value_is_unknown(answer: object) -> None:
    check = Check("it", "api", lambda sample: Observation(answer, "it", "it"))  # type: ignore[arg-type]
    with pytest.raises(CouldNotLookError, match="neither true nor false"):
        watched("+", check=check)


async def _never_awaited(*_: object) -> bool:
    return False


def test_a_condition_that_is_never_awaited_is_unknown() -> None:
    reading = looked("it", lambda: "up")
    with pytest.raises(CouldNotLookError, match="neither true nor false"):
        watch(Prober({}), reading.satisfies("is good", _never_awaited), since_s=0, until_s=0)  # type: ignore[arg-type]


def test_a_look_that_is_never_awaited_fails() -> None:
    assert "is async" in str(look_once("it", _never_awaited).error)


@pytest.mark.parametrize(("value", "found"), [(1, True), (2, False)])
def test_a_look_of_a_steps_own_that_begins_now_may_take_its_time(value: int, found: bool) -> None:
    now = time.monotonic()
    check = looked("the answer", lambda: threading.Event().wait(0.01) or value).is_(1)
    it = watch(History(""), check, since_s=now, until_s=now, first_only=True)
    assert (it.found is not None) is found
    assert it.samples == 1
