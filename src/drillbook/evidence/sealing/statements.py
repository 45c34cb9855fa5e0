"""The in-toto statements that are signed: about a bundle, and about each entry of the ledger. Pure functions.

The rule: all that a statement says is also in the record or in a file of the bundle. A statement only adds who says it.
docs/evidence.md describes each of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from drillbook.evidence.sealing.strict_json import stable_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
RECOVERY_DRILL = "https://drillbook.dev/attestation/recovery-drill/v0.1"
LEDGER_ENTRY = "https://drillbook.dev/attestation/ledger-entry/v0.1"
PASSED, FAILED = "PASSED", "FAILED"
GOOD_OUTCOMES = ("PASSED", "HELD", "PROVEN")
"""The outcomes of a drill, of a control and of a proof that speak for the runbook."""
PROVEN, NOT_PROVEN = "PROVEN", "NOT_PROVEN"
"""The outcomes of a proof, whose bundle has content/proof.json and no content/drill.json."""
FIRST_PREV = "0" * 64
SUMS, ATTESTATIONS, TIMESTAMP, CONTENT = "SHA256SUMS", "attestations.intoto.jsonl", "timestamp.tsr", "content"
RECORD, PROOF = "drill.json", "proof.json"
LEDGER_FOLDER = "ledger"


class Kind(StrEnum):
    """What an entry of the ledger says."""

    INTENT = "intent"
    """A run is about to begin: {run_id, folder, scenario, control, artefacts, inventory}."""
    SEALED = "sealed"
    """The run ended and sealed itself: {run_id, folder, outcome, sums, intent}."""
    ABORTED = "aborted"
    """The run's process died, and somebody else has sealed it: {run_id, folder, outcome, sums, intent, by}."""
    KEY_ROTATED = "key-rotated"
    """Signed by the old key: {old, new, public}; keyids, and the new key as PEM."""
    KEY_REVOKED = "key-revoked"
    """{keyid, since, reason}."""
    VOID = "void"
    """The run ended, but could not be sealed: {run_id, reason}. It closes the run, and there is no bundle."""
    RESTORED = "restored"
    """What a sealed run had left open was put back later: {run_id, by, faults, problem}; null, or why it was not."""
    REPAIRED = "repaired"
    """A torn last line was removed: {removed}, the sha256 of its bytes."""


CLOSING = frozenset({Kind.SEALED, Kind.ABORTED, Kind.VOID})
"""The kinds that close the run of an intent."""


def sha256(data: bytes) -> str:
    """The digest in the form used everywhere here: 64 small hex digits."""
    return hashlib.sha256(data).hexdigest()


def subject(name: str, digest: str) -> dict[str, Any]:
    """One subject of a statement."""
    return {"name": name, "digest": {"sha256": digest}}


def statement(predicate_type: str, subjects: Sequence[Mapping[str, Any]], predicate: Mapping[str, Any]) -> bytes:
    """The bytes of a statement, which are the payload of an envelope."""
    return stable_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": list(subjects),
            "predicateType": predicate_type,
            "predicate": dict(predicate),
        }
    )


# ---- of a bundle --------------------------------------------------------------------------------------------------


def artefacts_digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """The digest of a record's artefacts: sha256 of the stable JSON of the sorted [path, sha256] pairs."""
    return sha256(stable_json(sorted({(str(row["path"]), str(row["sha256"])) for row in rows})))


def artefacts_of(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The artefacts of a record (drill.json as it is read); if it lists none, its feature."""
    listed = record.get("artefacts") or []
    return list(listed) or [
        {"kind": "feature", "path": record["feature"]["path"], "sha256": record["feature"]["sha256"]}
    ]


def of_artefacts(rows: Iterable[Mapping[str, Any]], inventory_only: bool = False) -> list[dict[str, Any]]:
    """The subjects of a test-result, or with `inventory_only` its configuration: each path once, sorted."""
    found = {str(row["path"]): str(row["sha256"]) for row in rows if (row.get("kind") == "inventory") is inventory_only}
    return [subject(path, found[path]) for path in sorted(found)]


def test_result(record: Mapping[str, Any]) -> bytes:
    """Statement (a), about a record: what was tested, and whether it passed. Strict: only the fields of v0.1.

    Only a good outcome is PASSED. Every other is FAILED, and its title is in no list: the statement knows no INVALID
    and no ABORTED. The record has the outcome.
    """
    rows = artefacts_of(record)
    subjects = of_artefacts(rows)
    git = record.get("git") or {}
    if git.get("commit") and git.get("dirty") is False:
        subjects.append({"name": "git", "digest": {"gitCommit": git["commit"]}})
    good = record.get("outcome") in GOOD_OUTCOMES
    return statement(
        TEST_RESULT,
        subjects,
        {
            "result": PASSED if good else FAILED,
            "configuration": of_artefacts(rows, inventory_only=True),
            "passedTests": [tested(record)] if good else [],
            "failedTests": [],
        },
    )


def tested(record: Mapping[str, Any]) -> str:
    """The test's name in a test-result. A control that HELD is not a passed drill of its scenario."""
    control = record.get("control")
    return str(record["title"]) + (f" (control {control['name']})" if control else "")


def recovery_drill(sums: str, predicate: Mapping[str, Any]) -> bytes:
    """Statement (b), about the text of SHA256SUMS: these files belong to this run."""
    files = [subject(f"{CONTENT}/{path}", digest) for path, digest in parse_sums(sums.encode())]
    return statement(RECOVERY_DRILL, [subject(SUMS, sha256(sums.encode())), *files], predicate)


def drill_predicate(record: Mapping[str, Any], *, intent: str, record_digest: str) -> dict[str, Any]:
    """The predicate of statement (b). `intent` is the digest of the intent entry's payload."""
    return {
        "run_id": record["run_id"],
        "started_at": record["started_at"],
        "ended_at": record.get("ended_at"),
        "outcome": record.get("outcome"),
        "environment": record["environment"]["name"],
        "control": (record.get("control") or {}).get("name"),
        "intent": intent,
        "record": record_digest,
    }


# ---- SHA256SUMS ---------------------------------------------------------------------------------------------------


class SumsError(ValueError):
    """A bad line of SHA256SUMS."""


def sums_text(files: Iterable[tuple[str, str]]) -> str:
    """The text of SHA256SUMS for (path, digest) pairs; paths are relative to content/, sorted by their bytes."""
    ordered = sorted(files, key=lambda each: each[0].encode())
    return "".join(f"{digest}  {path}\n" for path, digest in ordered)


def parse_sums(data: bytes) -> list[tuple[str, str]]:
    """(path, digest) of each line. Raises SumsError for text that `sums_text` would not have written."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SumsError("no UTF-8") from error
    if not text.endswith("\n"):
        raise SumsError("the last line has no end")
    found = []
    for number, line in enumerate(text[:-1].split("\n"), start=1):
        digest, gap, path = line[:64], line[64:66], line[66:]
        if len(digest) != 64 or set(digest) - set("0123456789abcdef") or gap != "  " or not path:
            raise SumsError(f"line {number} is not '<64 hex>  <path>'")
        found.append((path, digest))
    if sums_text(found) != text or len({path for path, _ in found}) != len(found):
        raise SumsError("the lines are not sorted, or a path stands twice")
    return found


# ---- of the ledger ------------------------------------------------------------------------------------------------


def ledger_entry(kind: Kind, *, stream: str, seq: int, prev: str, time: str, about: Mapping[str, Any]) -> bytes:
    """The payload of one entry; `about` holds the fields of its kind."""
    name = about.get("run_id") or about.get("new") or about.get("keyid") or ""
    return statement(
        LEDGER_ENTRY,
        [subject(f"{kind} {name}".strip(), prev)],
        {**about, "stream": stream, "seq": seq, "prev": prev, "kind": kind.value, "time": time},
    )
