"""Which part of a playbook is run."""

from __future__ import annotations

from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.target.ansible.selection import ALL, Selection

pytestmark = pytest.mark.unit


def test_it_is_what_the_command_line_takes() -> None:
    it = Selection.of(tags=["a", "b"], skip_tags="c,d", limit=("web", "!web-2"))
    assert it.arguments() == ["--tags=a,b", "--skip-tags=c,d", "--limit=web,!web-2"]
    assert str(it) == "--tags=a,b --skip-tags=c,d --limit=web,!web-2"
    assert Selection.of() == ALL and ALL.arguments() == []


@pytest.mark.parametrize("value", [5, {"a": 1}, [1], None])
def test_a_variable_of_that_name_is_told_from_it(value: Any) -> None:
    with pytest.raises(
        DrillbookError, match=r"limit of a recovery is a text or a list of texts, and not .*another name"
    ):
        Selection.of(limit=value)
