"""What stands at the top of a report: a reason may be cut there, and what to do next may not."""

from __future__ import annotations

import pytest

from drillbook.evidence.render.html import headline

pytestmark = pytest.mark.unit


def test_who_reads_not_restored_reads_the_command() -> None:
    said = headline.verdict({"outcome": "NOT_RESTORED", "reason": "a reason " * 100})
    assert "undo what is open with 'drillbook restore'" in said["meaning"]
