"""What the plugin of the tiers refuses, before any test runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.tiers import pytest_collection_modifyitems

pytestmark = pytest.mark.unit


def item(nodeid: str, *tiers: str) -> Any:
    marked = {tier: object() for tier in tiers}
    return SimpleNamespace(nodeid=nodeid, user_properties=[], get_closest_marker=marked.get)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (item("t.py::test_it"), "each test has one tier"),
        (item("t.py::test_it", "unit", "lab"), "each test has one tier"),
        (item("t.py::test_it[<function f at 0x7f81cbea0680>]", "unit"), "each process names it anew"),
    ],
)
def test_a_test_without_a_tier_or_a_name_of_its_own_is_refused(refused: Any, why: str) -> None:
    with pytest.raises(pytest.UsageError, match=why):
        pytest_collection_modifyitems([refused])


def test_the_tier_of_a_test_is_told_with_its_report() -> None:
    good = item("t.py::test_it[a-1]", "lab")
    pytest_collection_modifyitems([good])
    assert good.user_properties == [("tier", "lab")]
