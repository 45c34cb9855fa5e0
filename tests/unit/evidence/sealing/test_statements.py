"""The statements that are signed, and SHA256SUMS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drillbook.evidence.sealing import statements
from drillbook.evidence.sealing.statements import Kind, SumsError, parse_sums, sums_text
from drillbook.evidence.sealing.strict_json import JsonError, parse_object, stable_json

pytestmark = pytest.mark.unit

A, B = "a" * 64, "b" * 64
RECORD: dict[str, Any] = {
    "run_id": "r1",
    "title": "Redis fails",
    "started_at": "2026-11-30T07:00:00Z",
    "ended_at": "2026-11-30T07:01:00Z",
    "outcome": "PASSED",
    "environment": {"name": "lab", "kind": "lab"},
    "control": None,
    "feature": {"path": "features/redis.feature", "sha256": A},
    "git": {"commit": "c" * 40, "dirty": False},
}
ARTEFACTS = [
    {"kind": "steps", "path": "steps/redis.py", "sha256": B},
    {"kind": "feature", "path": "features/redis.feature", "sha256": A},
    {"kind": "inventory", "path": "inventories/lab/hosts.yml", "sha256": B},
]


def predicate(payload: bytes) -> dict[str, Any]:
    found = json.loads(payload)["predicate"]
    assert isinstance(found, dict)
    return found


def test_what_passed_is_said_of_the_artefacts() -> None:
    said = json.loads(statements.test_result(RECORD | {"artefacts": ARTEFACTS}))
    assert said == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "subject": [
            {"name": "features/redis.feature", "digest": {"sha256": A}},
            {"name": "steps/redis.py", "digest": {"sha256": B}},
            {"name": "git", "digest": {"gitCommit": "c" * 40}},
        ],
        "predicate": {
            "result": "PASSED",
            "configuration": [{"name": "inventories/lab/hosts.yml", "digest": {"sha256": B}}],
            "passedTests": ["Redis fails"],
            "failedTests": [],
        },
    }


def test_a_control_that_held_is_no_drill_that_passed() -> None:
    control = {"name": "no-fault", "kind": "no-fault"}
    said = predicate(statements.test_result(RECORD | {"outcome": "HELD", "control": control}))
    assert said["passedTests"] == ["Redis fails (control no-fault)"]


@pytest.mark.parametrize("outcome", ["NOT_RECOVERED", "INVALID", "NOT_RESTORED", "ABORTED", None])
def test_what_did_not_pass_is_failed_and_in_no_list(outcome: str | None) -> None:
    said = predicate(statements.test_result(RECORD | {"outcome": outcome}))
    assert (said["result"], said["passedTests"], said["failedTests"]) == ("FAILED", [], [])


def test_a_changed_checkout_names_no_commit_and_a_record_without_artefacts_its_feature() -> None:
    said = json.loads(statements.test_result(RECORD | {"git": {"commit": "c" * 40, "dirty": True}}))
    assert said["subject"] == [{"name": "features/redis.feature", "digest": {"sha256": A}}]


def test_the_digest_of_artefacts_is_of_paths_and_digests_in_any_order() -> None:
    assert statements.artefacts_digest(ARTEFACTS) == statements.artefacts_digest(reversed(ARTEFACTS))
    other = [ARTEFACTS[0] | {"sha256": A}, *ARTEFACTS[1:]]
    assert statements.artefacts_digest(ARTEFACTS) != statements.artefacts_digest(other)


def test_the_statement_of_a_run_names_the_sums_first_and_each_file() -> None:
    sums = sums_text([("report.html", B), ("drill.json", A)])
    said = json.loads(statements.recovery_drill(sums, statements.drill_predicate(RECORD, intent=B, record_digest=A)))
    assert [each["name"] for each in said["subject"]] == ["SHA256SUMS", "content/drill.json", "content/report.html"]
    assert said["subject"][0]["digest"]["sha256"] == statements.sha256(sums.encode())
    assert said["predicate"] == {
        "run_id": "r1",
        "started_at": "2026-11-30T07:00:00Z",
        "ended_at": "2026-11-30T07:01:00Z",
        "outcome": "PASSED",
        "environment": "lab",
        "control": None,
        "intent": B,
        "record": A,
    }


def test_an_entry_of_the_ledger_names_what_it_is_about() -> None:
    payload = statements.ledger_entry(
        Kind.INTENT, stream="lab", seq=3, prev=A, time="2026-11-30T07:00:00Z", about={"run_id": "r1", "folder": "f"}
    )
    said = json.loads(payload)
    assert said["subject"] == [{"name": "intent r1", "digest": {"sha256": A}}]
    assert said["predicate"] == {
        "stream": "lab",
        "seq": 3,
        "prev": A,
        "kind": "intent",
        "time": "2026-11-30T07:00:00Z",
        "run_id": "r1",
        "folder": "f",
    }


def test_sums_are_sorted_by_bytes_and_read_again() -> None:
    text = sums_text([("b", B), ("Z", A), ("a/c", A)])
    assert text == f"{A}  Z\n{A}  a/c\n{B}  b\n"
    assert parse_sums(text.encode()) == [("Z", A), ("a/c", A), ("b", B)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{A}  a",
        f"{A} a\n",
        f"{A}  \n",
        f"{A.upper()}  a\n",
        f"{A}  b\n{A}  a\n",
        f"{A}  a\n{A}  a\n",
        f"{A}  a\n{B}  a\n",
        f"{A}  a\n\n",
    ],
)
def test_other_sums_are_refused(text: str) -> None:
    with pytest.raises(SumsError):
        parse_sums(text.encode())


@pytest.mark.parametrize("data", [b'{"a":1,"a":2}', b"[]", b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"a":NaN}', b"[" * 9**5])
def test_json_with_two_meanings_is_refused(data: bytes) -> None:
    with pytest.raises(JsonError):
        parse_object(data)


def test_stable_json_is_one_text() -> None:
    assert stable_json({"b": "é", "a": [1, None]}) == '{"a":[1,null],"b":"é"}'.encode()
    with pytest.raises(ValueError, match="Out of range"):
        stable_json(float("nan"))
