"""docs/verify.md says each code with the status that it has, and no other."""

from __future__ import annotations

import re

import pytest

from drillbook.evidence.verifying.findings import Code
from tests.support import ROOT

pytestmark = pytest.mark.unit

ROW = re.compile(r"^\| `([EWIF]_\w+)` \| (\d?) ?\|", re.MULTILINE)


def test_each_code_has_its_row() -> None:
    rows = ROW.findall((ROOT / "docs/verify.md").read_text(encoding="utf-8"))
    assert rows == [(code.value, str(code.weight.exit_status or "")) for code in Code]
