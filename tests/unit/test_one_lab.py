"""Which tests are given to one process together, and which of them are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.one_lab import GROUP_OF, SHARED, pytest_collection_modifyitems, scope_of
from tests.support import ROOT

pytestmark = pytest.mark.unit


def item(nodeid: str, *fixtures: str) -> Any:
    return SimpleNamespace(nodeid=nodeid, fixturenames=fixtures)


def test_files_that_share_a_lab_are_one_piece_of_work_and_all_others_are_their_own() -> None:
    assert scope_of("tests/lab/test_api.py::test_it") == scope_of("tests/lab/test_items.py::test_it")
    assert scope_of("tests/lab/test_git.py::test_it") == "tests/lab/test_git.py"


def test_each_file_of_a_group_is_there() -> None:
    assert [file for file in GROUP_OF if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("name", sorted(SHARED))
def test_a_test_that_shares_a_lab_and_is_of_no_group_is_refused(name: str) -> None:
    pytest_collection_modifyitems([item("tests/lab/test_api.py::test_it", name), item("tests/x.py::test_it", "lab")])
    with pytest.raises(pytest.UsageError, match=r"of no group in tests/one_lab\.py: tests/lab/test_new\.py"):
        pytest_collection_modifyitems([item("tests/lab/test_new.py::test_it", name)])
