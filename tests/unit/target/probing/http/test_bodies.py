"""What endpoints say takes so much memory and no more; what checks have read of it stays."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from drillbook.checks import MISSING, At, Check, Observation, Reading
from drillbook.errors import CouldNotLookError
from drillbook.model.times.remembered import Remembered
from drillbook.target.probing.http import bodies
from drillbook.target.probing.http.bodies import Body
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.series import Series
from drillbook.target.probing.waiting import judge, watch
from tests.support.unit import answering, endpoint, reply, sample
from tests.unit.target.probing.test_prober import samples

pytestmark = pytest.mark.unit

API = At("api", "the API")
NUMBER = API.json("number", "the number")


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "KEPT_BYTES", 100_000)


def said(number: int, length: int = 10_000) -> bytes:
    """JSON that cannot be packed well, and differs from all other."""
    noise = random.Random(number).randbytes(length // 2).hex()
    return json.dumps({"number": number, "noise": noise, "word": "up", "rest": [number]}).encode()


def told(many: int, series: Series | None = None, read: str | None = None, **more: int) -> Series:
    it = series or Series("api")
    it.remember(read)
    for number in range(many):
        it.append(sample(Body(said(number, **more)), at=number))
    return it


def size(series: Series) -> int:
    return sum(each.value.size for each in series.looks() if isinstance(each.value, Body))


@pytest.mark.parametrize("raw", [b"[1]", b"plain", b"\xff", b"", json.dumps(["x" * 5000]).encode()])
def test_a_body_is_read_as_it_came(raw: bytes) -> None:
    value = Body(raw).read()
    assert value == (json.loads(raw) if raw[:1] == b"[" else raw.decode("utf-8", "backslashreplace"))


def test_what_is_kept_is_bounded_and_every_look_stays() -> None:
    it = told(200)
    assert len(it) == 200
    assert size(it) <= 100_000
    assert it[-1].value == json.loads(said(199))
    assert [each.sent_s for each in it.looks()] == list(range(200))


def test_what_was_read_of_a_value_stays() -> None:
    it = told(200, read="number")
    assert [NUMBER.read(each) for each in it.all()] == list(range(200))
    assert isinstance(it.looks()[0].value, Remembered)


@pytest.mark.parametrize(
    "use",
    [
        lambda value: value["number"],
        lambda value: value == {"number": 0},
        lambda value: "number" in value,
        bool,
        list,
        lambda value: value.get("number"),
        lambda value: f"{value}",
        lambda value: value.at("word"),
    ],
)
def test_what_nobody_read_is_unknown_and_not_missing(use: Callable[..., object]) -> None:
    first = told(50, read="number")[0]
    with pytest.raises(CouldNotLookError, match="the answer that this look saw is no longer kept"):
        use(first.value)


def test_a_check_of_what_is_gone_could_not_look() -> None:
    first = told(50, read="number")[0]
    own = Check("it", "api", lambda each: Observation(each.value == 1, "it", "it"))
    for check in (API.json("word", "the word").is_("up"), own, Reading("it", "api", lambda each: each.value).is_(1)):
        with pytest.raises(CouldNotLookError, match="is no longer kept"):
            judge(check, first)
    assert judge(NUMBER.is_(0), first).met
    assert judge(API.answers(), first).met


def test_a_part_that_is_large_itself_is_not_kept() -> None:
    for path in ("noise", "rest"):
        with pytest.raises(CouldNotLookError):
            _ = At("api").json(path).read(told(50, read=path)[0])
    assert At("api").json("nothing").read(told(50, read="nothing")[0]) is MISSING


def test_waiting_for_a_check_remembers_what_it_reads() -> None:
    prober = Prober({"api": endpoint("api", "http://127.0.0.1:1", samples_per_s=1.0)})
    now = time.monotonic()
    prober.of("api").append(sample(Body(said(0)), at=now))
    assert watch(prober, NUMBER.is_(0), since_s=now, until_s=now + 5).found is not None
    told(50, prober.of("api"))
    assert NUMBER.read(prober.of("api")[0]) == 0


def test_the_same_answer_again_and_again_is_kept_once_whichever_line_it_came_by() -> None:
    it = Series("api")
    for at in range(200):
        it.append(sample(Body(said(7)), at=at))
    assert len({id(each.value) for each in it.looks()}) == 1
    assert it[0].value == it[199].value == json.loads(said(7))


def changing() -> Iterator[bytes]:
    return (reply(200, said(number)) for number in count())


def test_an_endpoint_that_says_much_is_sampled_all_the_same() -> None:
    answers = changing()
    taken = samples(answering(*(next(answers) for _ in range(30))), 25)
    assert all(each.ok for each in taken)
    assert isinstance(taken[0].value, Remembered)
    assert taken[-1].value["noise"]  # type: ignore[index]


def test_an_answer_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drillbook.target.probing.http.connection.MOST_BYTES", 1_000_000)
    first = samples(answering(reply(200, b"x" * 1_500_000)))[0]
    assert (first.ok, first.error) == (False, "ConnectionError: the answer is longer than 1 MB")
