"""What goes to a store, what waits for it, and the copy from which it is read: on a store in this process's memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import fsspec
import pytest

from drillbook.evidence.sealing.statements import sha256
from drillbook.evidence.store.copying import Copy
from drillbook.evidence.store.outbox import Outbox, files_of
from drillbook.evidence.store.place import Place, StoreError
from drillbook.evidence.store.remote import Changed, Kept, Remote
from drillbook.evidence.store.shipping import FORKS, Shipped, catch_up, missing, push, ship
from tests.support import shelf

pytestmark = pytest.mark.unit

EARLIER, NEW = "20201122T080000Z-it-aaaa01", "20991122T080000Z-it-aaaa02"
STORE = fsspec.filesystem("memory")


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """The outbox of a folder whose store is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Outbox(Place(tmp_path / "evidence", f"memory://{tmp_path.name}"), tmp_path / "kept")
    made.begin()
    return made


def sealed(root: Path, name: str = NEW, sums: str = "one") -> Path:
    folder = root / name
    if not folder.exists():
        shelf.put(root, name, {"drill": name})
    (folder / "SHA256SUMS").write_text(sums)
    (folder / "attestations.intoto.jsonl").write_text("{}")
    return folder


def remote(outbox: Outbox) -> Remote:
    return Remote(str(outbox.place.url))


def shipped(outbox: Outbox) -> Shipped:
    done = Shipped()
    ship(outbox, outbox.pending(), remote(outbox), done)
    return done


# ------------------------------------------------------------------ what waits


def test_what_is_sealed_since_the_store_was_named_waits_until_the_store_has_it(outbox: Outbox) -> None:
    root = outbox.place.folder
    sealed(root, EARLIER)
    shelf.put(root, "20991122T090000Z-it-aaaa03", {})  # under way, or refused by the rescan for secrets
    shelf.put(root, "20991122T100000Z-drills-aaaa04", {}, "drills.json")
    new = sealed(root)
    assert [each.name[-6:] for each in outbox.pending()] == ["aaaa02", "aaaa04"]
    assert [each[-6:] for each in shipped(outbox).folders] == ["aaaa02", "aaaa04"]
    assert outbox.pending() == []
    sealed(root, sums="sealed anew")
    assert outbox.pending() == [new]


def test_without_a_beginning_nothing_waits(outbox: Outbox, tmp_path: Path) -> None:
    sealed(outbox.place.folder)
    assert Outbox(outbox.place, tmp_path / "another").pending() == []


def test_a_note_that_a_kill_tore_costs_an_upload_and_no_evidence(outbox: Outbox, tmp_path: Path) -> None:
    sealed(outbox.place.folder)
    shipped(outbox)
    (notes,) = (tmp_path / "kept").iterdir()
    whole = notes.read_bytes()
    for end in range(len(whole) - 1, whole.index(b"folder"), -7):
        notes.write_bytes(whole[:end])
        assert [each.name for each in outbox.pending()] in ([], [NEW])
        outbox.done(outbox.place.folder / "x", "y")  # the line after a torn one is whole
        assert "x" in outbox._read()[1]


def test_what_says_that_a_folder_is_there_is_uploaded_last(outbox: Outbox) -> None:
    folder = sealed(outbox.place.folder)
    (folder / "content/.drill.json.new").write_text("half")
    (folder / "content/link").symlink_to("/etc/passwd")
    assert [each.relative_to(folder).as_posix() for each in files_of(folder)] == [
        "content/drill.json",
        "attestations.intoto.jsonl",
        "SHA256SUMS",
    ]


def test_what_broke_off_is_uploaded_by_the_next_session(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(outbox.place.folder)
    whole = Remote.put

    def breaks_off(self: Remote, name: str, file: Path) -> None:
        if name.endswith("SHA256SUMS"):
            raise StoreError("gone")
        whole(self, name, file)

    with monkeypatch.context() as patched, pytest.raises(StoreError, match="gone"):
        patched.setattr(Remote, "put", breaks_off)
        shipped(outbox)
    assert [each.name for each in outbox.pending()] == [NEW]
    assert missing(outbox, remote(outbox)) == outbox.pending()
    assert shipped(outbox).folders == [NEW]
    assert missing(outbox, remote(outbox)) == []


def test_a_push_takes_also_what_was_there_before_the_store(outbox: Outbox) -> None:
    sealed(outbox.place.folder, EARLIER)
    sealed(outbox.place.folder)
    assert push(outbox, waiting_only=True).folders == [NEW]
    assert push(outbox).folders == [EARLIER]
    assert push(outbox).folders == []
    STORE.rm(f"/{str(outbox.place.url).partition('//')[2]}/{NEW}/SHA256SUMS")
    assert push(outbox).folders == [NEW]


# ------------------------------------------------------------------ ledgers


def test_a_ledger_is_only_made_longer(outbox: Outbox, tmp_path: Path) -> None:
    store, ledger = remote(outbox), outbox.place.folder / "ledger/lab.jsonl"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("one\ntwo\nth")  # the last line is torn
    shipped(outbox)
    assert (store.read("ledger/lab.jsonl") or b"")[0] == b"one\ntwo\n"

    fresh = tmp_path / "fresh"  # another checkout goes on where this one ended
    catch_up(fresh, store)
    assert (fresh / "ledger/lab.jsonl").read_text() == "one\ntwo\n"
    with (fresh / "ledger/lab.jsonl").open("a") as lines:
        lines.write("three\n")
    another = Outbox(Place(fresh, outbox.place.url), tmp_path / "kept-there")
    assert push(another).forked == []
    assert (store.read("ledger/lab.jsonl") or b"")[0] == b"one\ntwo\nthree\n"

    assert shipped(outbox).forked == []  # it is behind, and that is no fork
    catch_up(outbox.place.folder, store)
    assert ledger.read_text() == "one\ntwo\nthree\n"


def test_two_ways_of_a_ledger_are_both_kept_and_told(outbox: Outbox) -> None:
    store, ledger = remote(outbox), outbox.place.folder / "ledger/lab.jsonl"
    store.write("ledger/lab.jsonl", b"one\ntheirs\n", None, new=True)
    ledger.parent.mkdir(parents=True)
    ledger.write_text("one\nours\n")
    catch_up(outbox.place.folder, store)
    assert ledger.read_text() == "one\nours\n"
    for _ in range(2):
        (told,) = shipped(outbox).forked
        assert told.startswith(f"the ledger lab of {store.url} has entries that this checkout does not know")
    assert (store.read("ledger/lab.jsonl") or b"")[0] == b"one\ntheirs\n"
    (aside,) = store.below(FORKS)
    assert aside in told
    assert (store.read(aside) or b"")[0] == b"one\nours\n"


# ------------------------------------------------------------------ the copy


def test_a_copy_is_as_the_store_is_now(outbox: Outbox) -> None:
    url = str(outbox.place.url)
    original = sealed(outbox.place.folder)
    sealed(outbox.place.folder, "20991122T090000Z-it-aaaa03")
    shipped(outbox)
    copy = Copy(url, print).bring()
    for file in files_of(original):
        assert (copy / NEW / file.relative_to(original)).read_bytes() == file.read_bytes()

    (copy / NEW / "content/planted.json").write_text("{}")
    sealed(outbox.place.folder, sums="anew")
    STORE.rm(f"/{url.partition('//')[2]}/20991122T090000Z-it-aaaa03", recursive=True)
    shipped(outbox)
    assert Copy(url, print).bring() == copy
    assert (copy / NEW / "SHA256SUMS").read_text() == "anew"
    assert not (copy / NEW / "content/planted.json").exists()
    assert not list(copy.glob("*-aaaa03/content/*"))


def test_a_copy_fetches_what_is_wanted_and_once(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(outbox.place.folder)
    shipped(outbox)
    fetched: list[str] = []
    whole = Remote.fetch

    def noted(self: Remote, new: Mapping[str, Kept], to: Callable[[str], Path]) -> None:
        fetched.extend(new)
        whole(self, new, to)

    monkeypatch.setattr(Remote, "fetch", noted)
    copy = Copy(str(outbox.place.url), print)
    for _ in range(2):
        copy.bring(lambda name: name.endswith("drill.json"))
        assert fetched == [f"{NEW}/content/drill.json"]
    Copy(str(outbox.place.url), print).bring()
    assert len(fetched) == len(set(fetched)) == 3


def test_a_name_that_leads_out_of_the_copy_is_left_out_and_told(outbox: Outbox, tmp_path: Path) -> None:
    sealed(outbox.place.folder)
    shipped(outbox)
    url = str(outbox.place.url)
    told: list[str] = []
    base = f"/{url.partition('//')[2]}"
    for name in ("a/../../../out", "b\\c", "d\x1b[2J"):
        STORE.store[f"{base}/{name}"] = STORE.store[f"{base}/{NEW}/SHA256SUMS"]
    copy = Copy(url, told.append).bring()
    assert told == [f"{url}: 3 objects have names that no evidence has, and are left out: 'a/../../../out'"]
    assert [each.name for each in copy.iterdir()] == [NEW]
    assert not list(tmp_path.rglob("out"))


def test_a_copy_of_nothing_is_empty(outbox: Outbox) -> None:
    assert list(Copy(str(outbox.place.url), print).bring().iterdir()) == []


# ------------------------------------------------------------------ a store that is a folder


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/store"


def test_nobody_writes_over_what_another_has_written_meanwhile(url: str) -> None:
    store, name = Remote(url), "ledger/lab.jsonl"
    store.write(name, b"one\n", None, new=True)
    found = store.read(name)
    assert found is not None
    with pytest.raises(Changed, match=r"ledger/lab\.jsonl was written by somebody else meanwhile"):
        Remote(url).write(name, b"another one\n", None, new=True)
    Remote(url).write(name, b"one\nof another\n", found[1])
    with pytest.raises(Changed):
        store.write(name, b"one\nours\n", found[1])
    assert store.read(name) == (b"one\nof another\n", sha256(b"one\nof another\n"))


def test_a_writer_that_dies_leaves_the_ledger_of_a_folder_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url, name = f"file://{tmp_path}/store", "ledger/lab.jsonl"
    store = Remote(url)
    store.write(name, b"one\n", None, new=True)
    found = store.read(name)

    def dies(*_: object) -> None:
        raise OSError(5, "killed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dies)
        with pytest.raises(StoreError):
            store.write(name, b"one\ntwo\n", found and found[1])
    assert store.read(name) == found
    told: list[str] = []
    copy = Copy(url, told.append).bring()
    assert [each.name for each in (copy / "ledger").iterdir()] == ["lab.jsonl"]
    assert "are left out" in told[0], "of what it had begun"
