"""What a system answers is shown, and obeyed by no terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.model.printable import printable, printable_data
from tests.support.unit import quickly

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "two lines\n\tand a tab, \u00e4\u00f6\u00fc, \U0001f525",
            "two lines\n\tand a tab, \u00e4\u00f6\u00fc, \U0001f525",
        ),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten\x08", "over\\rwritten\\x08"),
        ("\x9b31m of C1", "\\x9b31m of C1"),
        ("half a pair: \ud83d", "half a pair: \\ud83d"),
        ("the other half: \udd25", "the other half: \\udd25"),
        ("\u202ereversed\u2066", "\\u202ereversed\\u2066"),
        ("\x00\x7f", "\\x00\\x7f"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@quickly
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_sent_and_shown(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert all(each.isprintable() or each in "\n\t" or ord(each) > 0x9F for each in shown)


def test_data_is_shown_to_its_leaves() -> None:
    assert printable_data({"a\x1b": ["\x07", ("\ud800", 1, None)]}) == {"a\\x1b": ["\\x07", ("\\ud800", 1, None)]}
