"""The table of brothers is true: each kind has three or more, and each has its test."""

from __future__ import annotations

import pytest

from tests.drills.mutants.brothers import BROTHERS
from tests.support import ROOT

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kind", BROTHERS)
def test_each_kind_has_three_brothers_with_a_test_each(kind: str) -> None:
    tests = BROTHERS[kind]
    assert len(set(tests.values())) >= 3
    for place in tests.values():
        path, _, name = place.partition("::")
        assert name in (ROOT / path).read_text(encoding="utf-8"), place
