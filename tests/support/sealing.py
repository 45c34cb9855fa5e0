"""Evidence that is sealed, and a small verifier for the writer's tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from drillbook.evidence.files import dumps
from drillbook.evidence.sealing import keys
from drillbook.evidence.sealing.envelope import public_key, verify
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.ledger import ledger_path
from drillbook.evidence.sealing.lines import predicate_of
from drillbook.evidence.sealing.statements import FIRST_PREV, RECOVERY_DRILL, parse_sums, sha256
from drillbook.evidence.sealing.strict_json import parse_object
from drillbook.model.record import Record
from drillbook.model.verdict import Outcome
from tests.support.records import record

PASSPHRASE = "correct horse battery staple"


def key(folder: Path, passphrase: str | None = None) -> KeySource:
    """Write a new key to this folder."""
    path = folder / "drill.pem"
    keys.write_new(path, keys.new_key(passphrase))
    return KeySource(str(path), None, passphrase)


def kept(root: Path, run_id: str = "0123456789abcdef", **more: Any) -> Path:
    """Write the evidence folder of a drill that has passed, below root/evidence."""
    it: Record = record(run_id=run_id, ended_at="2026-11-22T12:01:00.000Z", outcome=Outcome.PASSED, **more)
    folder = root / "evidence" / f"20261122T120000Z-it-{run_id[:6]}"
    (folder / "content").mkdir(parents=True)
    (folder / "content/drill.json").write_text(dumps(it.as_json()))
    (folder / "content/samples.ndjson").write_text("{}\n")
    return folder


def chain(root: Path, public: str, stream: str = "lab") -> list[dict[str, Any]]:
    """The predicates of a ledger. Asserts that every line is signed, and names the line before."""
    lines = ledger_path(root / "evidence", stream).read_bytes().split(b"\n")
    assert lines.pop() == b"", "the last line is torn"
    found, prev = [], FIRST_PREV
    for seq, line in enumerate(lines):
        payload = verify(line, [public_key(public)]).payload
        said = dict(predicate_of(payload))
        assert (said["seq"], said["prev"], said["stream"]) == (seq, prev, stream)
        prev = sha256(payload)
        found.append(said | {"digest": prev})
    return found


def whole(folder: Path, public: str) -> dict[str, Any]:
    """The predicate of a bundle. Asserts that every file is what was signed."""
    sums = (folder / "SHA256SUMS").read_bytes()
    files = sorted(path for path in (folder / "content").rglob("*") if path.is_file())
    is_now = {p.relative_to(folder / "content").as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    assert dict(parse_sums(sums)) == is_now
    lines = (folder / "attestations.intoto.jsonl").read_bytes().splitlines()
    statements = [parse_object(verify(line, [public_key(public)]).payload) for line in lines]
    (own,) = (each for each in statements if each["predicateType"] == RECOVERY_DRILL)
    assert own["subject"][0] == {"name": "SHA256SUMS", "digest": {"sha256": sha256(sums)}}
    assert own["predicate"]["record"] == is_now.get("drill.json", is_now.get("proof.json"))
    predicate: dict[str, Any] = own["predicate"]
    return predicate


def sealed_runs(root: Path, public: str, stream: str = "lab") -> dict[str, str]:
    """The closing kind of each run in the ledger, or `open`. Asserts that no run closes twice, and that bundles agree
    with it.
    """
    said: dict[str, str] = {}
    intents: dict[str, str] = {}
    for entry in chain(root, public, stream):
        if entry["kind"] == "intent":
            assert entry["run_id"] not in said
            said[entry["run_id"]], intents[entry["run_id"]] = "open", entry["digest"]
        elif entry["kind"] in {"sealed", "aborted", "void"}:
            assert said[entry["run_id"]] == "open"
            said[entry["run_id"]] = entry["kind"]
        if entry["kind"] in {"sealed", "aborted"}:
            folder = root / "evidence" / entry["folder"]
            bundle = whole(folder, public)
            assert entry["sums"] == sha256((folder / "SHA256SUMS").read_bytes())
            assert entry["intent"] == bundle["intent"] == intents[entry["run_id"]]
            assert entry["outcome"] == bundle["outcome"]
    return said
