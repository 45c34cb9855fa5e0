"""Where evidence is to lie, as options and the ini name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.store.place import Place, place

pytestmark = pytest.mark.unit

ROOT, HERE = Path("/repo"), Path("/repo/deep")


@pytest.mark.parametrize(
    ("text", "lock", "is_to_lie"),
    [
        ("kept", "", Place(HERE / "kept")),
        ("/mnt/kept", "", Place(Path("/mnt/kept"))),
        ("s3://bucket/drills/", "", Place(ROOT / "evidence", "s3://bucket/drills")),
        ("s3://bucket", "90d", Place(ROOT / "evidence", "s3://bucket", 90 * 86400.0)),
        ("file:///mnt/store", "", Place(ROOT / "evidence", "file:///mnt/store")),
        ("sftp://me@host/x", "", Place(ROOT / "evidence", "sftp://me@host/x")),
        ("kept", "90d", Place(HERE / "kept")),  # the ini locks what goes to a store; here none does
    ],
)
def test_a_place_is_a_folder_and_perhaps_a_store(text: str, lock: str, is_to_lie: Place) -> None:
    assert place(text, HERE, ROOT, lock) == is_to_lie


@pytest.mark.parametrize(
    ("text", "lock", "said"),
    [
        (
            "s3://key:s3cr3tvalue@bucket/x",
            "",
            "s3://...@bucket/x: terminals and logs show this URL: remove the password",
        ),
        ("sftp://me:s3cr3tvalue@host/x", "", "sftp://...@host/x: terminals and logs show this URL"),
        ("file:///mnt/store", "90d", "drillbook_evidence_lock: file:///mnt/store cannot lock evidence"),
        ("s3://bucket", "soon", "drillbook_evidence_lock: 'soon' is not a duration"),
        ("s3://bucket", "0d", "drillbook_evidence_lock: '0d' locks nothing"),
    ],
)
def test_what_is_no_place_is_refused_without_showing_a_password(text: str, lock: str, said: str) -> None:
    with pytest.raises(DrillbookError) as refused:
        place(text, HERE, ROOT, lock)
    assert str(refused.value).startswith(said)
    assert "s3cr3tvalue" not in str(refused.value)


@pytest.mark.parametrize(("url", "gone"), [("s3://bucket", "s3fs"), ("file:///mnt/store", "fsspec")])
def test_without_its_library_it_says_which_extra_has_it(url: str, gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == gone else object())
    with pytest.raises(DrillbookError, match=r"this needs the extra 's3': pip install 'drillbook\[s3\]'"):
        place(url, HERE, ROOT)
