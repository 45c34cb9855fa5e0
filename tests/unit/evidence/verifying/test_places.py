"""Bundles of strangers on a disk: no link is followed, no fifo is opened, and nothing is read without a limit."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from drillbook.evidence.verifying import envelopes, folders, trees
from drillbook.evidence.verifying.findings import Code, Report
from drillbook.evidence.verifying.folders import DiskFolder, Kind, UnreadableError, name_problem, path_problem
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.whole import Options, Verifier, verify_path
from tests.support.sealed import NOW, Evidence, codes, key

pytestmark = pytest.mark.unit


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[Evidence, Path, Path]:
    """Evidence, the same on a disk, and the folder of its drill there."""
    evidence = Evidence()
    folder = evidence.drill()
    return evidence, evidence.write(tmp_path / "evidence"), tmp_path / "evidence" / folder


def verified(root: Path, evidence: Evidence) -> Report:
    return Verifier(evidence.trust(), Options(Clock(NOW))).all(DiskFolder(root))


def test_a_disk_says_what_memory_says(sealed: tuple[Evidence, Path, Path]) -> None:
    evidence, root, folder = sealed
    assert verified(root, evidence) == evidence.verify()
    (folder / "content/report.html").write_text("another")
    evidence.files[f"{folder.name}/content/report.html"] = b"another"
    assert verified(root, evidence) == evidence.verify()
    assert codes(verified(root, evidence)) == [Code.E_FILE_DIGEST]


def test_a_file_that_became_a_link_to_the_same_bytes_is_not_followed(sealed: tuple[Evidence, Path, Path]) -> None:
    evidence, root, folder = sealed
    report = folder / "content/report.html"
    elsewhere = root.with_name("elsewhere.html")
    report.rename(elsewhere)
    report.symlink_to(elsewhere)
    assert codes(verified(root, evidence)) == [Code.E_FILETYPE]


@pytest.mark.parametrize("what", ["content", ""])
def test_a_folder_that_became_a_link_is_not_followed(sealed: tuple[Evidence, Path, Path], what: str) -> None:
    evidence, root, folder = sealed
    inner = folder / what
    inner.rename(root.with_name("elsewhere"))
    inner.symlink_to(root.with_name("elsewhere"))
    assert Code.E_FILETYPE in codes(verified(root, evidence))


def test_the_ledger_that_became_a_link_is_not_followed(sealed: tuple[Evidence, Path, Path]) -> None:
    evidence, root, _ = sealed
    (root / "ledger").rename(root.with_name("elsewhere"))
    (root / "ledger").symlink_to(root.with_name("elsewhere"))
    assert codes(verified(root, evidence)) == [Code.E_FILETYPE, Code.E_LEDGER_MISSING]


@pytest.mark.parametrize("name", ["content/report.html", "SHA256SUMS", "attestations.intoto.jsonl"])
def test_a_fifo_keeps_nobody_waiting(sealed: tuple[Evidence, Path, Path], name: str) -> None:
    evidence, root, folder = sealed
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert Code.E_FILETYPE in codes(verified(root, evidence))


def test_a_fifo_that_took_a_files_place_after_the_list_was_made_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(UnreadableError, match="no regular file"):
        list(DiskFolder(tmp_path).chunks("a"))


def test_a_link_that_took_a_files_place_after_the_list_was_made_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "inner/file").symlink_to(tmp_path / "secret")
    (tmp_path / "inner/folder").symlink_to(tmp_path)
    with pytest.raises(UnreadableError):
        list(DiskFolder(tmp_path / "inner").chunks("file"))
    with pytest.raises(UnreadableError):
        DiskFolder(tmp_path / "inner").folder("folder")


def test_what_a_folder_holds_has_its_kind(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fsencode(os.path.relpath(tmp_path / "socket")))
        found = DiskFolder(tmp_path).entries()
    other = dict.fromkeys(("fifo", "socket"), Kind.OTHER)
    assert found == {"file": Kind.FILE, "folder": Kind.FOLDER, "link": Kind.LINK, **other}


def test_a_name_that_is_no_text_is_told(sealed: tuple[Evidence, Path, Path]) -> None:
    evidence, root, folder = sealed
    Path(os.fsdecode(os.fsencode(folder / "content") + b"/\xff")).touch()
    report = verified(root, evidence)
    assert codes(report) == [Code.E_NAME]
    assert "\\udcff" in str(report.as_json())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("..", "out of its folder"),
        (".", "out of its folder"),
        ("", "out of its folder"),
        ("a\\b", "backslash"),
        ("a\nb", "does not show"),
        ("a\u202eb", "does not show"),
        ("a\u2028b", "does not show"),
        ("\udcff", "no UTF-8"),
        ("e\u0301", "NFC"),
        ("x" * 256, "255 bytes"),
    ],
)
def test_a_name_that_may_mean_two_things_is_refused(name: str, says: str) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert says in problem
    assert path_problem(f"a/{name}/b") == problem


@pytest.mark.parametrize("name", ["drill.json", ".hidden", "it is-~so", "é", "x" * 255])
def test_a_plain_name_is_not(name: str) -> None:
    assert name_problem(name) is None


# ---- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["SUMS_BYTES", "RECORD_BYTES", "FILE_BYTES", "MOST_FILES"])
def test_what_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    evidence = Evidence()
    evidence.drill()
    monkeypatch.setattr(trees, limit, 2)
    report = evidence.verify()
    assert codes(report) == [Code.E_SIZE]
    assert report.exit_status == 3


def test_folders_without_end_are_not_followed() -> None:
    evidence = Evidence()
    folder = evidence.drill()
    evidence.files[f"{folder}/content/{'a/' * 40}b"] = b""
    assert codes(evidence.verify()) == [Code.E_SIZE]


def test_a_line_without_end_is_not_read(sealed: tuple[Evidence, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, root, _ = sealed
    monkeypatch.setattr(folders, "CHUNK_BYTES", 64)
    assert verified(root, evidence) == evidence.verify()
    for module in ("bundles", "ledgers"):
        monkeypatch.setattr(f"drillbook.evidence.verifying.{module}.LINE_BYTES", 500)
    assert Code.E_SIZE in codes(verified(root, evidence))
    assert envelopes.LINE_BYTES > 500


def test_what_cannot_be_read_is_told_and_is_no_pass() -> None:
    class Denied:
        """A folder that the reader may not look into."""

        def entries(self) -> dict[str, Kind]:
            raise UnreadableError("Permission denied")

    evidence = Evidence()
    report = Verifier(evidence.trust(), Options(Clock(NOW))).all(Denied())  # type: ignore[arg-type]
    assert (codes(report), report.exit_status) == ([Code.E_NOTHING], 3)


def test_a_file_that_a_disk_does_not_give_is_told(
    sealed: tuple[Evidence, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence, root, _ = sealed
    real = os.open

    def opened(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if path in ("report.html", "lab.jsonl"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
    report = verified(root, evidence)
    assert codes(report) == [Code.E_LEDGER_MISSING, Code.E_LEDGER_TORN, Code.E_UNREADABLE]


# ---- where somebody stands ----------------------------------------------------------------------------------------


def test_a_path_of_one_bundle_is_read_with_the_ledger_beside_it(sealed: tuple[Evidence, Path, Path]) -> None:
    evidence, root, folder = sealed
    file = root.with_name("trust.json")
    file.write_text(f'{{"keys": [{{"keyid": "{key().keyid}", "public": {key().public!r}}}]}}'.replace("'", '"'))
    options = Options(Clock(NOW))
    report = verify_path(folder, file, options)
    assert (codes(report), report.heads, report.counts.entries) == ([], (evidence.head(),), 2)
    folder.rename(root.with_name(folder.name))
    assert codes(verify_path(root.with_name(folder.name), file, options)) == [Code.I_NO_LEDGER]


@pytest.mark.parametrize("what", ["none", "file", "empty"])
def test_a_path_with_nothing_there_is_never_whole(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    report = verify_path(tmp_path / what, None, Options(Clock(NOW)))
    assert report.exit_status == 3
    assert Code.E_NOTHING in codes(report)
