"""A store of S3 that locks what it gets: one server of moto on loopback, asked by the vendor's own client, too."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from drillbook.evidence.store.copying import Copy
from drillbook.evidence.store.outbox import Outbox
from drillbook.evidence.store.place import Place, StoreError
from drillbook.evidence.store.remote import Changed, Remote
from drillbook.evidence.store.shipping import catch_up, push
from drillbook.model.times.clock import wall_now
from tests.support import shelf

pytestmark = pytest.mark.unit

NAME, DAY_S = "20991122T080000Z-it-aaaa02", 86400.0
SECRET = "testing-secret-key"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """boto3, in an environment in which s3fs finds the server as any other client does."""
    # 1.5 s of a processor, which each process that collects this module would pay
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server, none = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False), tmp_path_factory.mktemp("none")
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing-key",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(none / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(none / "credentials"),
            "XDG_CACHE_HOME": str(none / "cache"),
        }.items():
            patched.setenv(name, value)
        yield boto3.client("s3")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


@pytest.fixture
def stored(client: Any, tmp_path: Path) -> Outbox:
    """A sealed folder and a ledger, in a bucket that locks what it gets for 90 days."""
    bucket = tmp_path.name.replace("_", "-")
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    root = tmp_path / "evidence"
    (shelf.put(root, NAME, {"drill": NAME}) / "SHA256SUMS").write_text("sums")
    (root / "ledger").mkdir()
    (root / "ledger/lab.jsonl").write_text("one\n")
    outbox = Outbox(Place(root, f"s3://{bucket}/pre/fix", 90 * DAY_S), tmp_path / "kept")
    assert push(outbox).folders == [NAME]
    return outbox


def versions(client: Any, outbox: Outbox, name: str) -> tuple[str, str, list[dict[str, Any]]]:
    bucket, _, prefix = str(outbox.place.url).removeprefix("s3://").partition("/")
    key = f"{prefix}/{name}"
    return bucket, key, client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]


def test_what_is_locked_cannot_be_deleted_and_is_read_although_somebody_tried(client: Any, stored: Outbox) -> None:
    name = f"{NAME}/content/drill.json"
    bucket, key, (only,) = versions(client, stored, name)
    until = client.head_object(Bucket=bucket, Key=key)["ObjectLockRetainUntilDate"]
    assert wall_now() + timedelta(days=89) < until < wall_now() + timedelta(days=91)
    for more in ({}, {"BypassGovernanceRetention": True}):
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key=key, VersionId=only["VersionId"], **more)

    told: list[str] = []
    client.delete_object(Bucket=bucket, Key=key)  # without a version this only hides it
    copy = Copy(str(stored.place.url), told.append).bring()
    (sentence,) = told
    assert sentence.startswith(f"{stored.place.url}: {name} (")
    assert sentence.endswith(") was deleted there; the version before is read, which the store has kept")
    assert (copy / name).read_bytes() == (stored.place.folder / name).read_bytes()
    assert isinstance(datetime.fromisoformat(sentence.split("(")[1].split(")")[0]), datetime)


def test_what_is_written_over_is_told_and_a_longer_ledger_is_not(client: Any, stored: Outbox) -> None:
    told: list[str] = []
    with (stored.place.folder / "ledger/lab.jsonl").open("a") as ledger:
        ledger.write("two\n")
    push(stored)
    assert (Copy(str(stored.place.url), told.append).bring() / "ledger/lab.jsonl").read_text() == "one\ntwo\n"
    assert told == []
    bucket, key, _ = versions(client, stored, f"{NAME}/SHA256SUMS")
    client.put_object(Bucket=bucket, Key=key, Body=b"others")
    assert (Copy(str(stored.place.url), told.append).bring() / NAME / "SHA256SUMS").read_text() == "others"
    assert told[0].endswith(") was written over there; the newest version is read, and the store has the first")


def test_of_two_that_write_a_ledger_at_once_one_is_told(client: Any, stored: Outbox, tmp_path: Path) -> None:
    store = Remote(str(stored.place.url), DAY_S)
    found = store.read("ledger/lab.jsonl")
    assert found is not None
    store.write("ledger/lab.jsonl", b"one\ntheirs\n", found[1])
    with pytest.raises(Changed, match=r"ledger/lab\.jsonl was written by somebody else meanwhile"):
        store.write("ledger/lab.jsonl", b"one\nours\n", found[1])
    with pytest.raises(Changed):
        store.write("ledger/lab.jsonl", b"new\n", None, new=True)
    catch_up(tmp_path / "fresh", store)
    assert (tmp_path / "fresh/ledger/lab.jsonl").read_text() == "one\ntheirs\n"


@pytest.mark.parametrize(
    ("bucket", "lock_s", "said"),
    [
        ("plain", DAY_S, "make a bucket with object lock, or take drillbook_evidence_lock away"),
        ("none", None, "The specified bucket does not exist"),
    ],
)
def test_what_a_store_does_not_take_is_a_sentence(
    client: Any, tmp_path: Path, bucket: str, lock_s: float | None, said: str
) -> None:
    client.create_bucket(Bucket="plain")
    (tmp_path / "file").write_text("text")
    with pytest.raises(StoreError) as refused:
        Remote(f"s3://{bucket}/x", lock_s).put("a/b", tmp_path / "file")
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_store_out_of_reach_keeps_its_credentials_to_itself(stored: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(StoreError, match="Could not connect to the endpoint URL") as out_of_reach:
        Copy(str(stored.place.url), print)
    assert SECRET not in str(out_of_reach.value)
