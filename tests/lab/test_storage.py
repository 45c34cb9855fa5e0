"""Objects with versions: what is damaged is found, and the version that is right comes back. By boto3, against moto."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from tests.support import ROOT

pytestmark = pytest.mark.unit

Do = Callable[..., dict[str, Any]]
OBJECTS = {"a.txt": "a", "b.txt": "b", "b.txt.old": "older"}


@pytest.fixture(scope="module")
def module() -> Any:
    spec = importlib.util.spec_from_file_location("s3_objects", ROOT / "playbooks/library/s3_objects.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def do(module: Any) -> Iterator[Do]:
    """The module, on a bucket that is filled."""
    given: dict[str, Any] = {"url": None, "bucket": "uploads", "access_key": "a", "secret_key": "s"}
    given |= {"region": "us-east-1", "sums": "SHA256SUMS", "state": "read", "overwritten": [], "deleted": []}

    def run(**asked: object) -> dict[str, Any]:
        found: dict[str, Any] = module.work({**given, "objects": OBJECTS, **asked}, False)
        return found

    with mock_aws():
        run(state="filled")
        yield run


def test_what_is_there_is_not_filled_again(do: Do) -> None:
    assert do(state="filled") == {"changed": False, "damaged": [], "restored": []}


def test_the_right_version_comes_back_once(do: Do) -> None:
    for _ in range(2):
        do(state="damaged", overwritten=["b.txt"], deleted=["a.txt"])
    assert do()["damaged"] == ["a.txt", "b.txt"]
    assert do(state="restored") == {"changed": True, "damaged": [], "restored": ["a.txt", "b.txt"]}
    assert not do(state="restored")["changed"]


def test_what_has_no_right_version_is_said_before_anything_changes(do: Do, module: Any) -> None:
    do(state="damaged", overwritten=["a.txt"])
    bucket = module.Bucket(
        {
            "url": None,
            "bucket": "uploads",
            "access_key": "a",
            "secret_key": "s",
            "region": "us-east-1",
            "sums": "SHA256SUMS",
        }
    )
    bucket._s3.put_object(
        Bucket="uploads", Key="SHA256SUMS", Body=f"{module.digest(b'a')}  a.txt\n{'0' * 64}  b.txt\n".encode()
    )
    with pytest.raises(module.RefusedError, match=r"no version of b.txt in uploads has the checksum"):
        do(state="restored")
    assert do()["damaged"] == ["a.txt", "b.txt"]


def test_without_a_list_of_checksums_nobody_knows(do: Do, module: Any) -> None:
    with pytest.raises(module.RefusedError, match="has no OTHER: nobody knows what is right"):
        do(sums="OTHER")
