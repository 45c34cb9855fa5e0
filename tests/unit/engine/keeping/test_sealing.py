"""SIGKILL before and after each write, sync, rename and unlink of a run's sealing, from its intent to its end.

Whatever dies where: whoever comes next closes the run, the ledger verifies, the bundle is whole, and no run is open.
Each death is a fork that goes through the life of one run and kills itself, which takes milliseconds.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drillbook.engine.keeping.closing import Closing
from drillbook.engine.keeping.sealing import RunSeal, signature_of
from drillbook.evidence.files import dumps, write_atomically
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing import bundle, open_run
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.rescan import LeakError
from drillbook.evidence.sealing.sealer import Sealer
from drillbook.evidence.sealing.signing import opened
from drillbook.evidence.store.outbox import ready
from drillbook.model.verdict import Outcome
from drillbook.safety.journal import Entry, EntryState
from drillbook.safety.undo import Undone
from tests.support.records import record
from tests.support.sealing import chain, kept, key, sealed_runs, whole

pytestmark = pytest.mark.unit

RUN = "0123456789abcdef"
CALLS = ("write", "fsync", "replace", "unlink")


def life(root: Path, sealer: Sealer) -> None:
    """A run from its begin to its end, as far as its evidence goes."""
    folder = root / "evidence" / f"20261122T120000Z-it-{RUN[:6]}"
    place = folder.relative_to(root).as_posix()
    run = open_run.begin(root / ".drillbook", RUN, place, "lab", signs=sealer.signs)
    seal = RunSeal(sealer, run, folder)
    seal.declare()
    ended = record(run_id=RUN, ended_at="2026-11-22T12:01:00.000Z", outcome=Outcome.PASSED, signature=seal.signature())
    write_atomically(folder / "content/drill.json", dumps(ended.as_json()))
    assert seal.close() is None


def begun(root: Path) -> None:
    """The folder of a run that is under way, beside an earlier one's."""
    folder = kept(root, RUN)
    (folder / "content/drill.json").write_text(dumps(record(run_id=RUN).as_json()))


def counting(when: int, die: Callable[[], object]) -> list[str]:
    """From now on this process dies at the boundary of this number; the names of those that were passed."""
    passed: list[str] = []

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*arguments: Any, **more: Any) -> Any:
            for boundary in ("before", "after"):
                if len(passed) == when:
                    die()
                passed.append(f"{boundary} {name}")
                if boundary == "before":
                    result = call(*arguments, **more)
            return result

        return made

    for name in CALLS:
        setattr(os, name, watched(name, getattr(os, name)))
    return passed


def died(root: Path, sealer: Sealer, when: int) -> bool:
    """Go through the life in a fork that dies at this boundary; False when there is none of this number."""
    child = os.fork()
    if child == 0:
        try:
            counting(when, lambda: os.kill(os.getpid(), signal.SIGKILL))
            life(root, sealer)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def closing(root: Path, sealer: Sealer, said: list[str]) -> Closing:
    return Closing(
        root=root,
        kept=root / ".drillbook",
        stream="lab",
        sealer=sealer,
        known={},
        switches={},
        by="a later run",
        write_report=lambda _folder: None,
        say=said.append,
    )


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    made = Sealer(tmp_path / "evidence", key(tmp_path), Redactor())
    assert made.key.keyid  # imported once, and not in each fork
    return made


def public(sealer: Sealer) -> str:
    assert sealer.source is not None
    return opened(sealer.source).public_pem


def test_whoever_comes_next_closes_the_run(tmp_path: Path, sealer: Sealer) -> None:
    when, seen = 0, set()
    while True:
        root = tmp_path / f"{when:03d}"
        begun(root)
        its = Sealer(root / "evidence", sealer.source, Redactor())
        vars(its)["key"] = sealer.key
        if not died(root, its, when):
            break
        (folder,) = (root / "evidence").glob(f"*-{RUN[:6]}")
        if ready(folder):
            whole(folder, public(sealer))  # somebody else may upload it now
        said: list[str] = []
        marked = [*(root / ".drillbook").glob("unsealed-*")]
        for _ in range(2):  # and whoever comes after that finds nothing to do
            closing(root, its, said).close([], [f"evidence/20261122T120000Z-it-{RUN[:6]}"] if not marked else [])
        assert said == []
        assert not [*(root / ".drillbook").glob("unsealed-*")]
        if marked or (root / "evidence/ledger").exists():
            seen.add(sealed_runs(root, public(sealer))[RUN])
        when += 1
    assert seen == {"aborted", "sealed"}
    # the mark 4, the intent 4, the record 2, the files 2, the statements 2, folders 2, SHA256SUMS 2, and folders 2,
    # the last entry 2, and the mark goes
    assert when == 2 * 23, "each write, sync, rename and unlink has two sides"
    assert sealed_runs(tmp_path / f"{when:03d}", public(sealer)) == {RUN: "sealed"}


def test_the_killer_kills_at_the_boundary_it_is_told(tmp_path: Path, sealer: Sealer) -> None:
    begun(tmp_path)
    assert died(tmp_path, sealer, 0)
    assert not (tmp_path / "evidence/ledger").exists()


def test_who_has_no_key_closes_the_record_and_leaves_the_seal(tmp_path: Path, sealer: Sealer) -> None:
    begun(tmp_path)
    assert died(tmp_path, sealer, 12)
    said: list[str] = []
    closing(tmp_path, Sealer(sealer.evidence_root, None, Redactor()), said).close([], [])
    (sentence,) = said
    assert "'drillbook restore' does it with the key" in sentence
    assert sealed_runs(tmp_path, public(sealer)) == {RUN: "open"}
    closing(tmp_path, sealer, said).close([], [])
    assert sealed_runs(tmp_path, public(sealer)) == {RUN: "aborted"}
    assert chain(tmp_path, public(sealer))[-1]["by"] == "a later run"


def test_a_folder_is_complete_to_nobody_while_its_signature_is_stamped(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = kept(tmp_path, RUN), []

    def asks(of: Path, url: str, _line: bytes) -> str:
        seen.append((ready(of), sorted(each.name for each in of.iterdir())))
        return f"no time stamp of {url}"

    monkeypatch.setattr(bundle, "write_stamp", asks)
    assert sealer.source is not None
    stamps = KeySource(sealer.source.place, timestamp_url="http://127.0.0.1:1")
    Sealer(sealer.evidence_root, stamps, Redactor()).seal(folder)
    assert seen == [(False, ["content"])]
    assert ready(folder)


def test_what_a_dead_run_had_almost_sealed_is_no_longer_complete(tmp_path: Path, sealer: Sealer) -> None:
    begun(tmp_path)
    (folder,) = (tmp_path / "evidence").iterdir()
    place = folder.relative_to(tmp_path).as_posix()
    open_run.begin(tmp_path / ".drillbook", RUN, place, "lab", signs=True).let_be()
    for name in ("SHA256SUMS", "attestations.intoto.jsonl", "timestamp.tsr"):
        (folder / name).write_text("of a record that said that the run was under way\n")
    said: list[str] = []
    closing(tmp_path, Sealer(sealer.evidence_root, None, Redactor()), said).close([], [])
    assert [each.name for each in folder.iterdir()] == ["content"]
    assert "'drillbook restore' does it with the key" in said[0]


def test_all_of_a_bundle_is_on_disk_before_the_ledger_says_so(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = kept(tmp_path, RUN)
    (folder / "content/deeper").mkdir()
    (folder / "content/deeper/work.ndjson").write_text("{}\n")
    sealer.intent(folder)
    synced: set[int | str] = set()
    sync, write, before = os.fsync, os.write, sealer.ledger("lab").path.stat().st_ino

    def syncs(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def writes(descriptor: int, data: bytes) -> int:
        if os.fstat(descriptor).st_ino == before:
            every = [folder.parent, folder, *folder.rglob("*")]
            assert [each.name for each in every if each.stat().st_ino not in synced] == []
            synced.add("asked")
        return write(descriptor, data)

    monkeypatch.setattr(os, "fsync", syncs)
    monkeypatch.setattr(os, "write", writes)
    sealer.seal(folder)
    assert "asked" in synced


def test_a_run_is_closed_in_the_ledger_beside_it_wherever_its_evidence_lies(tmp_path: Path, sealer: Sealer) -> None:
    begun(tmp_path)
    assert died(tmp_path, sealer, 16)
    of_guardian = Sealer(tmp_path / "another", sealer.source, Redactor())
    closing(tmp_path, of_guardian, []).close([], [])
    assert sealed_runs(tmp_path, public(sealer)) == {RUN: "aborted"}
    assert not (tmp_path / "another").exists()


def test_a_run_whose_process_lives_is_let_be(tmp_path: Path, sealer: Sealer) -> None:
    begun(tmp_path)
    run = open_run.begin(tmp_path / ".drillbook", RUN, "evidence/x", "lab", signs=True)
    other = open_run.begin(tmp_path / ".drillbook", "other", "evidence/y", "staging", signs=True)
    other.let_be()
    said: list[str] = []
    closing(tmp_path, sealer, said).close([], [])
    assert run.path.exists() and other.path.exists()
    assert open_run.under_way(tmp_path / ".drillbook") == {"evidence/x"}
    assert open_run.any_left(tmp_path / ".drillbook"), "that of the other stream"
    run.done()
    assert not run.path.exists()


def test_an_unsigned_run_is_listed_and_no_more(tmp_path: Path, sealer: Sealer) -> None:
    begun(tmp_path)
    unsigned = Sealer(sealer.evidence_root, None, Redactor())
    folder = f"evidence/20261122T120000Z-it-{RUN[:6]}"
    open_run.begin(tmp_path / ".drillbook", RUN, folder, "lab", signs=False).let_be()
    said: list[str] = []
    closing(tmp_path, sealer, said).close([], [])
    assert said == []
    assert (tmp_path / folder / "SHA256SUMS").exists()
    assert not (tmp_path / folder / "attestations.intoto.jsonl").exists()
    assert not unsigned.signs and not (tmp_path / "evidence/ledger").exists()


# ---- what cannot be sealed


def seal_of(root: Path, sealer: Sealer, folder: Path) -> RunSeal:
    place = folder.relative_to(root).as_posix()
    return RunSeal(sealer, open_run.begin(root / ".drillbook", RUN, place, "lab", signs=sealer.signs), folder)


@pytest.mark.parametrize("signs", [True, False])
def test_a_known_secret_refuses_the_seal(tmp_path: Path, sealer: Sealer, signs: bool) -> None:
    folder = kept(tmp_path, RUN)
    it = Sealer(sealer.evidence_root, sealer.source if signs else None, Redactor())
    seal = seal_of(tmp_path, it, folder)
    seal.declare()
    (folder / "content/notes.txt").write_bytes(b"\xff the token is czNjcjN0LXZhbHVl, as base64 has it")
    it.redactor.add("app token", "s3cr3t-value")
    problem = seal.close()
    assert problem is not None
    assert "content/notes.txt holds the secret app-token" in problem
    assert "s3cr3t" not in problem
    assert not (folder / "SHA256SUMS").exists()
    assert not [*(tmp_path / ".drillbook").glob("unsealed-*")]
    if signs:
        assert sealed_runs(tmp_path, public(sealer)) == {RUN: "void"}
    assert seal.close() is None


def test_a_secret_in_the_name_of_a_file_refuses_the_seal_and_is_not_shown(tmp_path: Path, sealer: Sealer) -> None:
    folder = kept(tmp_path, RUN)
    (folder / "content/of-s3cr3t-value.log").touch()
    sealer.redactor.add("app token", "s3cr3t-value")
    with pytest.raises(LeakError, match=r"content/of-\[REDACTED:app-token\]\.log holds the secret app-token"):
        sealer.seal(folder)


def test_a_ledger_that_cannot_be_written_leaves_the_run_to_the_next(tmp_path: Path, sealer: Sealer) -> None:
    folder = kept(tmp_path, RUN)
    seal = seal_of(tmp_path, sealer, folder)
    seal.declare()
    path = sealer.ledger("lab").path
    whole_line = path.read_bytes()
    path.write_bytes(whole_line + b"damaged\n")
    problem = seal.close()
    assert problem is not None and "the next run tries again" in problem
    assert not (folder / "SHA256SUMS").exists()
    path.write_bytes(whole_line)
    closing(tmp_path, sealer, []).close([], [])
    assert sealed_runs(tmp_path, public(sealer)) == {RUN: "aborted"}


def test_a_run_that_broke_nothing_declares_itself_at_its_end(tmp_path: Path, sealer: Sealer) -> None:
    folder = kept(tmp_path, RUN)
    seal = seal_of(tmp_path, sealer, folder)
    signed = seal.signature()
    assert (signed.state, signed.keyid) == ("signed", sealer.key.keyid)
    assert signed.reason == "a playbook can read this key: drill.pem is not encrypted"
    assert seal.close() is None
    assert sealed_runs(tmp_path, public(sealer)) == {RUN: "sealed"}
    assert signature_of(Sealer(tmp_path, None, Redactor())).state == "unsigned"


def test_a_proof_is_sealed_with_an_intent_of_its_own(tmp_path: Path, sealer: Sealer) -> None:
    folder = tmp_path / "evidence/20261122T120000Z-proof-it-abcdef"
    (folder / "content").mkdir(parents=True)
    (folder / "content/proof.json").write_text(dumps({"scenario": "features/x.feature::It", "proven": True}))
    assert sealer.seal_proof(folder, "lab") is not None
    assert sealed_runs(tmp_path, public(sealer)) == {folder.name: "sealed"}
    assert whole(folder, public(sealer))["outcome"] == "PROVEN"


def test_what_is_put_back_after_the_seal_is_another_entry(tmp_path: Path, sealer: Sealer) -> None:
    folder = kept(tmp_path, RUN)
    seal_of(tmp_path, sealer, folder).close()
    before = (folder / "content/drill.json").read_bytes()
    place = folder.relative_to(tmp_path).as_posix()
    entry = Entry("e1", RUN, "cut", {}, "lab", "undo.yml", place, EntryState.CLOSED, "")
    closing(tmp_path, sealer, []).close([Undone(entry, None, None)], [])
    assert (folder / "content/drill.json").read_bytes() == before
    last = chain(tmp_path, public(sealer))[-1]
    assert (last["kind"], last["by"], last["faults"], last["problem"]) == ("restored", "a later run", ["cut"], None)
    assert sealed_runs(tmp_path, public(sealer)) == {RUN: "sealed"}
