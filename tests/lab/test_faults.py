"""Faults as values: what is refused by name, and what several faults add up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from drillbook_lab.proxy.faults import Refused, Stream, Toxic, conditions

pytestmark = pytest.mark.unit


def toxic(kind: str, stream: str | None = None, name: str | None = None, **attributes: float) -> Toxic:
    body: dict[str, Any] = {"type": kind, "attributes": attributes}
    return Toxic.from_json(body | ({"stream": stream} if stream else {}) | ({"name": name} if name else {}))


def together(*toxics: Toxic) -> Mapping[str, Toxic]:
    return {each.name: each for each in toxics}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"type": "latncy"}, "latncy"),
        ({"type": "latency", "attributes": {"delay": 1}}, "delay"),
        ({"type": "latency", "attributes": {"latency": -1}}, "latency"),
        ({"type": "latency", "attributes": {"latency": True}}, "latency"),
        ({"type": "latency", "stream": "sideways"}, "sideways"),
        ({"type": "latency", "toxicity": 0.5}, "toxicity"),
        ({"type": "latency", "attribute": {}}, "attribute"),
        ({}, "None"),
    ],
)
def test_what_is_not_known_is_refused_by_name(body: dict[str, Any], names: str) -> None:
    with pytest.raises(Refused, match=names):
        Toxic.from_json(body)


def test_a_toxic_survives_its_own_json() -> None:
    one = toxic("latency", "both", latency=20, jitter=5)
    assert Toxic.from_json(one.as_json()) == one


def test_names_and_streams_have_toxiproxys_defaults_but_a_cut_is_both_ways() -> None:
    assert toxic("latency").name == "latency_downstream"
    assert toxic("timeout").stream is Stream.BOTH


def test_no_toxic_is_clear() -> None:
    assert conditions({}, Stream.UPSTREAM).clear


def test_a_toxic_acts_on_its_own_direction_alone() -> None:
    found = together(toxic("latency", "upstream", latency=100))
    assert conditions(found, Stream.UPSTREAM).latency_s == pytest.approx(0.1)
    assert conditions(found, Stream.DOWNSTREAM).clear


def test_delays_add_and_the_lowest_rate_wins() -> None:
    found = together(
        toxic("latency", "both", name="a", latency=100),
        toxic("latency", "both", name="b", latency=50),
        toxic("bandwidth", "both", name="c", rate=10),
        toxic("bandwidth", "both", name="d", rate=2),
    )
    force = conditions(found, Stream.UPSTREAM)
    assert force.latency_s == pytest.approx(0.15)
    assert force.rate_bytes_s == 2000


def test_a_timeout_of_zero_never_closes() -> None:
    force = conditions(together(toxic("timeout")), Stream.UPSTREAM)
    assert force.stopped
    assert force.close_after_s is None
    assert conditions(together(toxic("timeout", timeout=500)), Stream.UPSTREAM).close_after_s == 0.5


def test_a_reset_leaves_data_alone() -> None:
    force = conditions(together(toxic("reset_peer")), Stream.DOWNSTREAM)
    assert force.clear
    assert force.reset_after_s == 0
