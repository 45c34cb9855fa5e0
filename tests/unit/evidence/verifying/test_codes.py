"""Each code of a verification is made to happen once, by the one thing that it is about; nothing else finds it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from drillbook.evidence.verifying.findings import Code, Head, Report, Weight
from drillbook.evidence.verifying.folders import Kind
from drillbook.model.record import ControlRecord
from drillbook.model.verdict import Outcome
from tests.support import records, sealed
from tests.support.sealed import DRILL, START, ZEROS, Evidence, codes, digest, envelope, key, stable

pytestmark = pytest.mark.unit

Make = Callable[[Evidence, str], Report]
CASES: list[tuple[tuple[Code, ...], str, Make]] = []
BY_ANOTHER_TEST = {
    Code.E_TRUST,
    Code.E_TRUST_KEYID,
    Code.E_ALGORITHM,
    Code.E_UNREADABLE,
    Code.E_KEY_VALIDITY,
    Code.E_KEY_REVOKED,
    Code.E_NOT_ANCHORED,
    Code.E_ROTATION,
    Code.I_KEY_ROTATED,
    Code.I_KEY_REVOKED,
    Code.W_TSA_UNCHECKED,
    Code.W_TSA_MISSING,
    Code.E_TSA_INVALID,
    Code.E_TSA_UNTRUSTED,
    Code.E_TSA_MISMATCH,
    Code.E_TSA_OUTSIDE_WINDOW,
    Code.W_PROOF_GONE,
}
"""In test_keys.py, test_places.py and test_timestamps.py, and in tests/unit/evidence/gate/test_verified.py."""


def makes(*found: Code) -> Callable[[Make], Make]:
    """The codes that a change of whole evidence leads to, all of them."""

    def kept(make: Make) -> Make:
        CASES.append((tuple(sorted(found)), make.__name__, make))
        return make

    return kept


@pytest.mark.parametrize(("found", "name", "make"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_is_found_with_its_code(found: tuple[Code, ...], name: str, make: Make) -> None:
    del name
    evidence = Evidence()
    report = make(evidence, evidence.drill())
    assert codes(report) == list(found)
    weights = {code.weight for code in found}
    assert report.exit_status == next((weight.exit_status for weight in Weight if weight in weights), 0)


def test_each_code_is_made_to_happen() -> None:
    made = {code for found, _, _ in CASES for code in found}
    assert made | BY_ANOTHER_TEST == set(Code)
    assert not made & BY_ANOTHER_TEST


def test_evidence_with_nothing_wrong_is_whole() -> None:
    evidence = Evidence()
    evidence.drill()
    evidence.drill("bbbb02", Outcome.HELD, control=records.CONTROL)
    report = evidence.verify(heads=[evidence.head()])
    assert (report.findings, report.exit_status, report.verdict) == ((), 0, "whole")
    assert report.heads == (evidence.head(),)
    assert (report.counts.bundles, report.counts.signed, report.counts.files, report.counts.entries) == (2, 2, 6, 4)


# ---- changes of evidence ------------------------------------------------------------------------------------------


def attestations(folder: str) -> str:
    return f"{folder}/attestations.intoto.jsonl"


def record(folder: str) -> str:
    return f"{folder}/content/drill.json"


def signed_anew(evidence: Evidence, folder: str, change: Callable[[dict[str, Any]], object], which: int = 1) -> None:
    """One of the two statements with a change in it, signed with the good key."""
    lines = evidence.lines(attestations(folder))
    document = json.loads(sealed.payload_of(lines[which]))
    change(document)
    lines[which] = envelope(stable(document), evidence.signer)
    evidence.put_lines(lines, attestations(folder))


def with_line(evidence: Evidence, folder: str, line: bytes, which: int = 1) -> Report:
    lines = evidence.lines(attestations(folder))
    lines[which] = line
    evidence.put_lines(lines, attestations(folder))
    return evidence.verify()


def made_otherwise(**changes: Any) -> Report:
    """Evidence of one drill that somebody with the key made otherwise."""
    evidence = Evidence()
    evidence.drill(**changes)
    return evidence.verify()


# ---- the trust file, and nothing there ----------------------------------------------------------------------------


@makes(Code.E_NO_TRUST)
def nobody_is_trusted(evidence: Evidence, folder: str) -> Report:
    return evidence.verify(None)


@makes(Code.E_NO_TRUST, Code.E_FILE_DIGEST)
def nobody_is_trusted_and_a_file_was_changed(evidence: Evidence, folder: str) -> Report:
    evidence.files[f"{folder}/content/report.html"] = b"x"
    return evidence.verify(None)


@makes(Code.E_NOTHING)
def nothing_is_there(evidence: Evidence, folder: str) -> Report:
    return Evidence().verify()


@makes(Code.E_NOTHING, Code.W_NOT_A_BUNDLE)
def only_other_things_are_there(evidence: Evidence, folder: str) -> Report:
    other = Evidence({"summary.json": b"{}", "latest": Kind.LINK, "notes/content/a.txt": b"a", "more/a.txt": b""})
    return other.verify()


# ---- envelopes ----------------------------------------------------------------------------------------------------

LOST = (Code.E_ATTESTATION_MISSING,)
"""A statement that cannot be believed is none."""


@makes(Code.E_JSON, *LOST)
def an_envelope_has_a_key_twice(evidence: Evidence, folder: str) -> Report:
    line = evidence.lines(attestations(folder))[1]
    return with_line(evidence, folder, line[:-2] + b',"payloadType":"application/vnd.in-toto+json"}\n')


@makes(Code.E_JSON, *LOST)
def an_envelope_has_a_byte_order_mark(evidence: Evidence, folder: str) -> Report:
    return with_line(evidence, folder, b"\xef\xbb\xbf" + evidence.lines(attestations(folder))[1])


@makes(Code.E_JSON, *LOST)
def an_envelope_has_a_space(evidence: Evidence, folder: str) -> Report:
    return with_line(evidence, folder, evidence.lines(attestations(folder))[1].replace(b":", b": ", 1))


@makes(Code.E_JSON, *LOST)
def an_envelope_has_a_field_that_nobody_signs(evidence: Evidence, folder: str) -> Report:
    line = stable(json.loads(evidence.lines(attestations(folder))[1]) | {"comment": "approved"}) + b"\n"
    return with_line(evidence, folder, line)


@makes(Code.E_JSON, *LOST)
def the_spare_bits_of_base64_are_used(evidence: Evidence, folder: str) -> Report:
    line = json.loads(evidence.lines(attestations(folder))[1])
    sig = line["signatures"][0]["sig"]
    assert sig.endswith("==")
    other = sig[:-3] + chr(ord(sig[-3]) + 1) + "=="
    assert base64.b64decode(other) == base64.b64decode(sig)
    line["signatures"][0]["sig"] = other
    return with_line(evidence, folder, stable(line) + b"\n")


@makes(Code.E_JSON, *LOST)
def the_last_line_was_cut(evidence: Evidence, folder: str) -> Report:
    return with_line(evidence, folder, evidence.lines(attestations(folder))[1][:-1])


@makes(Code.E_JSON, *LOST)
def a_signed_payload_is_ambiguous(evidence: Evidence, folder: str) -> Report:
    payload = b'{"a":1,"a":2}'
    return with_line(evidence, folder, envelope(payload, evidence.signer))


@makes(Code.E_JSON, *LOST)
def a_signed_payload_is_no_number(evidence: Evidence, folder: str) -> Report:
    return with_line(evidence, folder, envelope(b'{"a":NaN}', evidence.signer))


@makes(Code.E_JSON, *LOST)
def an_envelope_is_nested_without_end(evidence: Evidence, folder: str) -> Report:
    return with_line(evidence, folder, b"[" * 200_000 + b"\n")


@makes(Code.E_SIZE)
def there_are_too_many_statements(evidence: Evidence, folder: str) -> Report:
    evidence.put_lines(evidence.lines(attestations(folder)) + [b"\n"] * 15, attestations(folder))
    report = evidence.verify()
    assert Code.E_JSON in codes(report)
    rest = tuple(each for each in report.findings if each.code is not Code.E_JSON)
    return Report(rest)


@makes(Code.E_PAYLOAD_TYPE, *LOST)
def an_envelope_holds_something_else(evidence: Evidence, folder: str) -> Report:
    payload = sealed.payload_of(evidence.lines(attestations(folder))[1])
    return with_line(evidence, folder, envelope(payload, evidence.signer, payload_type="application/json"))


@makes(Code.E_NO_SIGNATURE, *LOST)
def an_envelope_has_no_signature(evidence: Evidence, folder: str) -> Report:
    return with_line(evidence, folder, envelope(sealed.payload_of(evidence.lines(attestations(folder))[1])))


@makes(Code.E_NO_SIGNATURE, *LOST)
def there_are_no_envelopes(evidence: Evidence, folder: str) -> Report:
    evidence.files[attestations(folder)] = b""
    return evidence.verify()


@makes(Code.E_DUP_SIGNATURE, *LOST)
def a_key_has_signed_twice(evidence: Evidence, folder: str) -> Report:
    payload = sealed.payload_of(evidence.lines(attestations(folder))[1])
    return with_line(evidence, folder, envelope(payload, evidence.signer, evidence.signer))


@makes(Code.E_SIGNATURE, *LOST)
def a_signature_is_of_another_payload(evidence: Evidence, folder: str) -> Report:
    one, two = (json.loads(line) for line in evidence.lines(attestations(folder)))
    return with_line(evidence, folder, stable(two | {"signatures": one["signatures"]}) + b"\n")


@makes(Code.E_SIGNATURE, *LOST)
def one_of_two_trusted_signatures_is_bad(evidence: Evidence, folder: str) -> Report:
    two = json.loads(evidence.lines(attestations(folder))[1])
    other = json.loads(envelope(b"{}", key(1)))["signatures"]
    lines = evidence.lines(attestations(folder))
    lines[1] = stable(two | {"signatures": [*two["signatures"], *other]}) + b"\n"
    evidence.put_lines(lines, attestations(folder))
    return evidence.verify(evidence.trust(key().row(), key(1).row()))


@makes(Code.E_UNTRUSTED_KEY, Code.E_ATTESTATION_MISSING)
def somebody_else_has_signed_a_statement(evidence: Evidence, folder: str) -> Report:
    payload = sealed.payload_of(evidence.lines(attestations(folder))[1])
    return with_line(evidence, folder, envelope(payload, key(1)))


@makes(Code.W_UNKNOWN_SIGNER)
def somebody_else_has_signed_as_well(evidence: Evidence, folder: str) -> Report:
    payload = sealed.payload_of(evidence.lines(attestations(folder))[1])
    return with_line(evidence, folder, envelope(payload, evidence.signer, key(1)))


@makes(Code.E_THRESHOLD)
def two_have_to_sign_and_one_has(evidence: Evidence, folder: str) -> Report:
    return evidence.verify(evidence.trust(key().row(), key(1).row(), threshold=2))


def test_two_have_to_sign_and_both_have() -> None:
    evidence = Evidence()
    evidence.drill(signers=(key(), key(1)))
    assert codes(evidence.verify(evidence.trust(key().row(), key(1).row(), threshold=2))) == []


@makes(Code.E_JSON, *LOST)
def the_id_of_a_key_is_no_text(evidence: Evidence, folder: str) -> Report:
    line = evidence.lines(attestations(folder))[1]
    return with_line(evidence, folder, line.replace(b'"keyid":"' + key().keyid[:1].encode(), b'"keyid":"\\ud800'))


# ---- statements ---------------------------------------------------------------------------------------------------


@makes(Code.E_STATEMENT, *LOST)
def a_statement_is_of_another_type(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"))
    return evidence.verify()


@makes(Code.E_STATEMENT, *LOST)
def a_statement_has_no_subject(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it.update(subject=[]))
    return evidence.verify()


@makes(Code.E_STATEMENT, *LOST)
def a_digest_is_none(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["subject"][0].update(digest={"sha256": "none"}))
    return evidence.verify()


SHAPES: list[Callable[[dict[str, Any]], object]] = [
    lambda it: it.update(predicateType=7),
    lambda it: it.update(predicate=[]),
    lambda it: it.update(subject=[7]),
    lambda it: it.update(subject=[{"name": "SHA256SUMS", "digest": {}}]),
    lambda it: it.update(subject=[{"name": 7, "digest": {"sha256": ZEROS}}]),
]


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_a_statement_of_another_shape_is_told(shape: int) -> None:
    evidence = Evidence()
    folder = evidence.drill()
    signed_anew(evidence, folder, SHAPES[shape])
    assert codes(evidence.verify()) == [Code.E_ATTESTATION_MISSING, Code.E_STATEMENT]


ENTRIES: list[Callable[[dict[str, Any]], object]] = [
    lambda it: it.update(predicateType=DRILL),
    lambda it: it["predicate"].update(seq="2"),
    lambda it: it["predicate"].update(seq=True),
    lambda it: it["predicate"].update(prev="2"),
    lambda it: it["predicate"].update(time="yesterday"),
    lambda it: it["predicate"].update(removed=""),
    lambda it: it["predicate"].update(stream=""),
    lambda it: it["subject"][0]["digest"].update(sha256=ZEROS),
    lambda it: it["subject"].append(it["subject"][0]),
]


@pytest.mark.parametrize("shape", range(len(ENTRIES)))
def test_an_entry_of_another_shape_is_told(shape: int) -> None:
    evidence = Evidence()
    evidence.drill()
    evidence.entry("repaired", removed=ZEROS, change=ENTRIES[shape])
    assert codes(evidence.verify()) == [Code.E_STATEMENT]


@makes(Code.E_JSON)
def a_line_of_the_ledger_is_none(evidence: Evidence, folder: str) -> Report:
    evidence.put_lines([*evidence.lines(), b"another\n"])
    return evidence.verify()


@makes(Code.E_STATEMENT)
def a_statement_lacks_a_field(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].pop("record"))
    return evidence.verify()


@makes(Code.E_STATEMENT)
def a_list_of_tests_is_none(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(passedTests="all"), 0)
    return evidence.verify()


@makes(Code.E_STATEMENT)
def an_entry_has_another_subject(evidence: Evidence, folder: str) -> Report:
    other = Evidence()
    other.drill()
    other.entry("repaired", removed=ZEROS, change=lambda it: it["subject"][0].update(name="sealed"))
    return other.verify()


@makes(Code.E_STATEMENT, Code.E_RUN_NEVER_CLOSED)
def an_entry_lacks_a_field(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(close=lambda it: it["predicate"].pop("sums"))


@makes(Code.E_PREDICATE_UNKNOWN)
def a_statement_says_what_nobody_knows(evidence: Evidence, folder: str) -> Report:
    document = json.loads(sealed.payload_of(evidence.lines(attestations(folder))[1]))
    document["predicateType"] = "https://slsa.dev/provenance/v1"
    lines = [*evidence.lines(attestations(folder)), envelope(stable(document), evidence.signer)]
    evidence.put_lines(lines, attestations(folder))
    return evidence.verify()


@makes(Code.E_VERSION_UNSUPPORTED, Code.E_ATTESTATION_MISSING)
def a_statement_is_of_another_version(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it.update(predicateType=DRILL.replace("v0.1", "v2")))
    return evidence.verify()


@makes(Code.E_VERSION_UNSUPPORTED)
def an_entry_is_of_a_kind_of_tomorrow(evidence: Evidence, folder: str) -> Report:
    evidence.entry("review", run_id="a")
    return evidence.verify()


@makes(Code.E_VERSION_UNSUPPORTED)
def a_record_is_of_another_version(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it.update(schema="drillbook/drill/2"))


@makes(Code.E_RESULT_ENUM)
def a_result_is_none(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(result="BANANA"), 0)
    return evidence.verify()


@makes(Code.E_RESULT_CONTRADICTION)
def it_passed_without_a_test(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(passedTests=[]), 0)
    return evidence.verify()


@makes(Code.E_RESULT_CONTRADICTION)
def it_passed_and_failed(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(failedTests=[records.TITLE]), 0)
    return evidence.verify()


@makes(Code.E_OUTCOME_MISMATCH)
def the_test_result_says_more_than_the_drill(evidence: Evidence, folder: str) -> Report:
    report = made_otherwise(
        outcome=Outcome.INVALID,
        result=lambda it: it["predicate"].update(result="PASSED", passedTests=[records.TITLE]),
    )
    return Report(tuple(each for each in report.findings if each.code is not Code.F_DRILL))


@makes(Code.E_ATTESTATION_MISSING)
def the_test_result_was_taken_out(evidence: Evidence, folder: str) -> Report:
    evidence.put_lines(evidence.lines(attestations(folder))[1:], attestations(folder))
    return evidence.verify()


@makes(Code.E_ATTESTATION_MISSING)
def the_signatures_were_taken_away(evidence: Evidence, folder: str) -> Report:
    del evidence.files[attestations(folder)]
    return evidence.verify()


@makes(Code.E_ATTESTATION_TWICE)
def a_statement_stands_twice(evidence: Evidence, folder: str) -> Report:
    lines = evidence.lines(attestations(folder))
    evidence.put_lines([*lines, lines[1]], attestations(folder))
    return evidence.verify()


@makes(Code.E_UNSIGNED)
def nobody_has_signed(evidence: Evidence, folder: str) -> Report:
    del evidence.files[attestations(folder)], evidence.files[evidence.ledger]
    return evidence.verify()


@makes(Code.E_NOT_SEALED)
def nobody_has_sealed(evidence: Evidence, folder: str) -> Report:
    del evidence.files[attestations(folder)], evidence.files[evidence.ledger], evidence.files[f"{folder}/SHA256SUMS"]
    return evidence.verify()


# ---- files --------------------------------------------------------------------------------------------------------


@makes(Code.E_SUMS_MISSING)
def the_sums_were_taken_away(evidence: Evidence, folder: str) -> Report:
    del evidence.files[f"{folder}/SHA256SUMS"]
    return evidence.verify()


def with_sums(evidence: Evidence, folder: str, change: Callable[[bytes], bytes]) -> Report:
    sums = evidence.files[f"{folder}/SHA256SUMS"]
    assert isinstance(sums, bytes)
    evidence.files[f"{folder}/SHA256SUMS"] = change(sums)
    return evidence.verify()


@makes(Code.E_SUMS_FORMAT)
def the_sums_are_in_another_order(evidence: Evidence, folder: str) -> Report:
    return with_sums(evidence, folder, lambda sums: b"".join(reversed(sums.splitlines(keepends=True))))


@makes(Code.E_FILE_MISSING)
def a_file_was_taken_away(evidence: Evidence, folder: str) -> Report:
    del evidence.files[f"{folder}/content/samples.ndjson"]
    return evidence.verify()


@makes(Code.E_FILE_MISSING)
def the_content_was_taken_away(evidence: Evidence, folder: str) -> Report:
    for path in [each for each in evidence.files if "/content/" in each]:
        del evidence.files[path]
    return evidence.verify()


@makes(Code.E_FILE_EXTRA)
def a_file_was_put_in(evidence: Evidence, folder: str) -> Report:
    evidence.files[f"{folder}/content/work.ndjson"] = b""
    return evidence.verify()


@makes(Code.E_FILE_EXTRA)
def a_file_was_put_beside_the_content(evidence: Evidence, folder: str) -> Report:
    evidence.files[f"{folder}/approved.txt"] = b""
    return evidence.verify()


@makes(Code.E_FILE_EXTRA)
def a_file_was_put_beside_the_ledger(evidence: Evidence, folder: str) -> Report:
    evidence.files["ledger/lab.jsonl.orig"] = b""
    return evidence.verify()


@makes(Code.E_FILE_DIGEST)
def a_file_was_changed(evidence: Evidence, folder: str) -> Report:
    evidence.files[record(folder)] = b"{}"
    return evidence.verify()


@makes(Code.E_FILE_DIGEST, Code.E_FILE_MISSING, Code.E_FILE_EXTRA)
def files_were_swapped_and_one_was_renamed(evidence: Evidence, folder: str) -> Report:
    content = f"{folder}/content"
    files = evidence.files
    files[f"{content}/drill.json"], files[f"{content}/report.html"] = files[f"{content}/report.html"], b"x"
    files[f"{content}/sample.ndjson"] = files.pop(f"{content}/samples.ndjson")
    return evidence.verify()


@makes(Code.E_FILETYPE, Code.E_FILE_EXTRA)
def links_and_fifos_were_put_in(evidence: Evidence, folder: str) -> Report:
    evidence.files |= {f"{folder}/content/a": Kind.LINK, f"{folder}/content/b": Kind.OTHER}
    evidence.files[f"{folder}/a"] = Kind.LINK
    return evidence.verify()


@makes(Code.E_FILETYPE)
def a_file_became_a_link(evidence: Evidence, folder: str) -> Report:
    evidence.files[f"{folder}/content/report.html"] = Kind.LINK
    return evidence.verify()


@makes(Code.E_FILETYPE, Code.E_SUMS_MISSING)
def the_sums_became_a_fifo(evidence: Evidence, folder: str) -> Report:
    evidence.files[f"{folder}/SHA256SUMS"] = Kind.OTHER
    return evidence.verify()


@makes(Code.E_FILETYPE, Code.E_LEDGER_MISSING)
def the_ledger_became_a_link(evidence: Evidence, folder: str) -> Report:
    evidence.files[evidence.ledger] = Kind.LINK
    return evidence.verify()


@makes(Code.E_NAME)
def a_name_shows_nothing_of_itself(evidence: Evidence, folder: str) -> Report:
    evidence.files["\x1b[2J"] = b""
    return evidence.verify()


@makes(Code.E_NAME, Code.E_FILE_EXTRA)
def two_names_are_one_elsewhere(evidence: Evidence, folder: str) -> Report:
    evidence.files[f"{folder}/content/Report.HTML"] = b""
    return evidence.verify()


@makes(Code.E_NAME, Code.E_FILE_MISSING, Code.E_LEDGER_DIGEST, Code.E_SUBJECT_DIGEST)
def the_sums_lead_out_of_the_folder(evidence: Evidence, folder: str) -> Report:
    def leading_out(sums: bytes) -> bytes:
        lines = [*sums.decode().splitlines(keepends=True), f"{ZEROS}  ../../secret\n"]
        return "".join(sorted(lines, key=lambda line: line[66:])).encode()

    return with_sums(evidence, folder, leading_out)


@makes(Code.E_NAME, Code.E_RUN_UNRECORDED)
def an_entry_leads_out_of_the_folder(evidence: Evidence, folder: str) -> Report:
    other = "../../etc"
    leads_out = lambda it: it["predicate"].update(folder=other)  # noqa: E731
    return made_otherwise(intent=leads_out, close=leads_out)


@makes(Code.E_SUBJECT_DIGEST, Code.E_LEDGER_DIGEST, Code.E_RUN_BINDING)
def a_file_was_changed_and_listed_anew(evidence: Evidence, folder: str) -> Report:
    before = evidence.files[record(folder)]
    assert isinstance(before, bytes)
    after = before.replace(b"14.6", b"11.1")
    evidence.files[record(folder)] = after
    return with_sums(evidence, folder, lambda sums: sums.replace(digest(before).encode(), digest(after).encode()))


@makes(Code.E_SUBJECT_DIGEST)
def a_file_was_signed_that_is_not_listed(evidence: Evidence, folder: str) -> Report:
    more = sealed.subject("content/work.ndjson", ZEROS)
    signed_anew(evidence, folder, lambda it: it["subject"].append(more))
    return evidence.verify()


@makes(Code.E_SUBJECT_DIGEST)
def a_file_was_signed_twice(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["subject"].append(it["subject"][1]))
    return evidence.verify()


@makes(Code.E_SUBJECT_DIGEST)
def a_listed_file_was_not_signed(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["subject"].pop())
    return evidence.verify()


@makes(Code.E_FILE_MISSING, Code.E_UNSIGNED)
def there_is_no_record_in_it(evidence: Evidence, folder: str) -> Report:
    sums = f"{digest(b'')}  a.txt\n".encode()
    return Evidence({f"{folder}/SHA256SUMS": sums, f"{folder}/content/a.txt": b""}).verify()


DENIED: dict[str, dict[str, Any]] = {
    "a drill": {"a drill": sealed.Denied(Kind.FOLDER)},
    "its content": {"a/SHA256SUMS": f"{digest(b'')}  a.txt\n".encode(), "a/content": sealed.Denied(Kind.FOLDER)},
    "a folder in it": {
        "a/SHA256SUMS": f"{digest(b'')}  a.txt\n".encode(),
        "a/content/a.txt": b"",
        "a/content/inner": sealed.Denied(Kind.FOLDER),
    },
    "its sums": {"a/SHA256SUMS": sealed.Denied(Kind.FILE), "a/content/drill.json": b""},
    "a file": {
        "a/SHA256SUMS": f"{digest(b'')}  a.txt\n".encode(),
        "a/content/a.txt": sealed.Denied(Kind.FILE),
    },
    "its statements": {"a/attestations.intoto.jsonl": sealed.Denied(Kind.FILE)},
    "the ledger": {"ledger": sealed.Denied(Kind.FOLDER)},
}


@pytest.mark.parametrize("what", sorted(DENIED))
def test_what_cannot_be_read_is_told(what: str) -> None:
    evidence = Evidence()
    evidence.files = dict(DENIED[what])
    report = evidence.verify()
    assert Code.E_UNREADABLE in codes(report)
    assert report.exit_status in (2, 3)


@makes(Code.W_NOT_A_BUNDLE)
def the_table_of_a_session_lies_beside(evidence: Evidence, folder: str) -> Report:
    evidence.files["20261122T130000Z-drills-dddd01/content/drills.json"] = b"{}"
    return evidence.verify()


# ---- the record ---------------------------------------------------------------------------------------------------


@makes(Code.E_VERSION_UNSUPPORTED)
def the_record_has_a_field_that_is_not_known(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it.update(approved=True))


@makes(Code.E_SCHEMA)
def the_record_has_a_field_of_another_kind(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it.update(people="all"))


POPULATION = {
    "collected": 3,
    "selected": 2,
    "deselected_count": 1,
    "deselected": [{"id": "a", "why": "left out by -k"}],
}


@makes(Code.E_COUNT_MISMATCH)
def a_drill_was_left_out_and_not_counted(evidence: Evidence, folder: str) -> Report:
    assert codes(made_otherwise(record=lambda it: it.update(population=POPULATION))) == []
    return made_otherwise(record=lambda it: it.update(population=POPULATION | {"deselected_count": 0}))


@makes(Code.E_COUNT_MISMATCH)
def more_were_left_out_than_were_counted(evidence: Evidence, folder: str) -> Report:
    named = POPULATION["deselected"] * 2  # type: ignore[operator]
    return made_otherwise(record=lambda it: it.update(population=POPULATION | {"deselected": named}))


@makes(Code.E_SCHEMA)
def the_record_says_no_time(evidence: Evidence, folder: str) -> Report:
    report = made_otherwise(record=lambda it: it.update(ended_at="yesterday"))
    return Report(tuple(each for each in report.findings if each.code is not Code.E_RUN_BINDING))


@makes(Code.E_RUN_BINDING)
def the_statement_is_of_another_run(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(run_id="bbbb02"))
    return evidence.verify()


@makes(Code.E_RUN_BINDING)
def another_key_has_signed_than_the_record_says(evidence: Evidence, folder: str) -> Report:
    state = {"state": "signed", "keyid": key(1).keyid, "reason": None}
    return made_otherwise(record=lambda it: it.update(signature=state))


@makes(Code.E_RUN_BINDING)
def the_statement_is_of_another_record(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(record=ZEROS))
    return evidence.verify()


@makes(Code.E_JSON)
def a_signed_record_is_ambiguous(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(data=lambda text: text.replace(b'"schema"', b'"title": "It", "schema"'))


@makes(Code.E_RUN_BINDING, Code.E_NO_INTENT, Code.E_RUN_NEVER_CLOSED)
def the_ledger_says_another_run(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(close=_as_another)


def _as_another(entry: dict[str, Any]) -> None:
    entry["predicate"]["run_id"] = "bbbb02"
    entry["subject"][0]["name"] = "sealed bbbb02"


@makes(Code.E_RUN_BINDING)
def the_statement_is_of_another_environment(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(environment="production"))
    return evidence.verify()


@makes(Code.E_RUN_BINDING)
def a_drill_stands_in_the_ledger_of_another_environment(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(
        record=lambda it: it["environment"].update(name="production"),
        drill=lambda it: it["predicate"].update(environment="production"),
    )


@makes(Code.E_RUN_BINDING)
def a_run_was_announced_in_another_folder(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(intent=lambda it: it["predicate"].update(folder="another"))


@makes(Code.E_RUN_BINDING)
def two_runs_have_one_folder(evidence: Evidence, folder: str) -> Report:
    intent = evidence.entry("intent", run_id="bbbb02", folder=folder, artefacts=ZEROS)
    evidence.entry("sealed", run_id="bbbb02", folder=folder, outcome="PASSED", sums=ZEROS, intent=intent)
    return evidence.verify()


@makes(Code.E_RUN_BINDING, Code.E_RUN_UNRECORDED)
def a_drill_was_copied(evidence: Evidence, folder: str) -> Report:
    below = {path.removeprefix(folder): data for path, data in evidence.files.items() if path.startswith(folder)}
    evidence.files |= {f"{folder[:-1]}2{path}": data for path, data in below.items()}
    return evidence.verify()


@makes(Code.E_RUN_BINDING)
def the_test_result_is_of_another_scenario(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(passedTests=["Another"]), 0)
    return evidence.verify()


@makes(Code.E_RUN_BINDING, Code.E_SUBJECT_DIGEST, Code.E_NO_INTENT, Code.E_OUTCOME_MISMATCH, Code.F_DRILL)
def the_statements_of_a_good_run_were_put_onto_a_bad_one(evidence: Evidence, folder: str) -> Report:
    failed = evidence.drill("bbbb02", Outcome.NOT_RECOVERED)
    evidence.files[attestations(failed)] = evidence.files[attestations(folder)]
    return evidence.verify()


@makes(Code.E_RUN_BINDING, Code.E_RUN_MISSING, Code.E_RUN_UNRECORDED)
def a_folder_was_renamed(evidence: Evidence, folder: str) -> Report:
    evidence.files = {path.replace("-aaaa01/", "-aaaa02/"): data for path, data in evidence.files.items()}
    return evidence.verify()


@makes(Code.E_OUTCOME_MISMATCH)
def the_statement_says_another_outcome(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(
        outcome=Outcome.NOT_RECOVERED,
        drill=lambda it: it["predicate"].update(outcome="PASSED"),
        result=lambda it: it["predicate"].update(result="PASSED", passedTests=[records.TITLE]),
        close=lambda it: it["predicate"].update(outcome="PASSED"),
    )


@makes(Code.E_OUTCOME_MISMATCH)
def the_ledger_says_another_outcome(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(close=lambda it: it["predicate"].update(outcome="HELD"))


@makes(Code.E_OUTCOME_MISMATCH)
def it_passed_and_was_not_restored(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it["axes"]["restored"].update(holds=False))


@makes(Code.E_PLAN_DIGEST)
def another_feature_was_tested(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["subject"][0]["digest"].update(sha256=ZEROS), 0)
    return evidence.verify()


@makes(Code.E_PLAN_DIGEST)
def another_commit_was_tested(evidence: Evidence, folder: str) -> Report:
    more = {"name": "git", "digest": {"gitCommit": "a" * 40}}
    signed_anew(evidence, folder, lambda it: it["subject"].append(more), 0)
    return evidence.verify()


@makes(Code.W_PLAN_GREW)
def more_took_part_than_was_announced(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(intent=lambda it: it["predicate"].update(artefacts=ZEROS))


@makes(Code.E_OBJECTIVE_ARITHMETIC)
def a_time_above_the_rto_meets_it(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it["times"].update(recover_s=60.1))


@makes(Code.E_OBJECTIVE_ARITHMETIC)
def a_time_below_the_rto_does_not_meet_it(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it["times"].update(rto_met=False))


@makes(Code.E_OBJECTIVE_ARITHMETIC)
def no_time_meets_the_rto(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it["times"].update(recover_s=None))


SHORT = {"profile": "ci", "full": False, "immediate_s": 3, "extended_s": 8, "watch_s": 8, "day_s": 9}
FULL = {"profile": "night", "full": True, "immediate_s": 300, "extended_s": 1800, "watch_s": 900, "day_s": 86400}


@makes(Code.I_PROFILE)
def systems_were_verified_by_two_profiles(evidence: Evidence, folder: str) -> Report:
    evidence.drill("bbbb02", record=lambda it: it.update(timings=SHORT))
    evidence.drill("cccc03", record=lambda it: it.update(timings=SHORT))
    evidence.drill("dddd04", record=lambda it: it.update(timings=FULL))
    report = evidence.verify()
    assert [each.sentence for each in report.findings] == [
        (
            "verified by the profile ci: windows immediate 3 s, extended 8 s, watch 8 s, day 9 s, "
            "not the full 300 s, 1800 s, 900 s, 86400 s (drills and controls: 2)"
        ),
        "verified by the profile night: its windows are full (drills and controls: 1)",
    ]
    return report


@makes(Code.E_OUTCOME_MISMATCH)
def a_passed_drill_says_nothing_of_its_axes(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it.pop("axes"))


@makes(Code.E_OUTCOME_MISMATCH)
def a_passed_drill_has_no_axis(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it.update(axes={}))


@makes(Code.E_OUTCOME_MISMATCH)
def a_passed_drill_says_nothing_of_its_restore(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it["axes"].pop("restored"))


@makes(Code.E_SCHEMA)
def a_window_is_no_number(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it.update(timings={**FULL, "extended_s": "[REDACTED:it]"}))


@makes(Code.E_PROFILE, Code.I_PROFILE)
def a_window_is_the_number_that_is_none(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it.update(timings={**FULL, "extended_s": "nan"}))


@makes(Code.E_SCHEMA, Code.E_SUBJECT_DIGEST, Code.E_LEDGER_DIGEST, Code.E_RUN_BINDING)
def a_proof_was_put_into_a_signed_drill(evidence: Evidence, folder: str) -> Report:
    proof, sums = b'{"schema":"drillbook/proof/1","proven":true}', f"{folder}/SHA256SUMS"
    evidence.files[f"{folder}/content/proof.json"] = proof
    lines = [*evidence.lines(sums), f"{digest(proof)}  proof.json\n".encode()]
    evidence.put_lines(sorted(lines, key=lambda line: line.split()[1]), sums)
    return evidence.verify()


@makes(Code.E_PROFILE, Code.I_PROFILE)
def short_windows_are_called_full(evidence: Evidence, folder: str) -> Report:
    evidence.drill("bbbb02", record=lambda it: it.update(timings={**FULL, "extended_s": 8}))
    return evidence.verify()


# ---- the ledger ---------------------------------------------------------------------------------------------------


@makes(Code.E_LEDGER_MISSING)
def the_ledger_was_taken_away(evidence: Evidence, folder: str) -> Report:
    del evidence.files[evidence.ledger]
    return evidence.verify()


@makes(Code.E_LEDGER_MISSING)
def a_ledger_that_was_written_down_is_not_there(evidence: Evidence, folder: str) -> Report:
    return evidence.verify(heads=[Head("production", 0, ZEROS)])


@makes(Code.I_NO_LEDGER)
def one_bundle_alone_has_no_ledger(evidence: Evidence, folder: str) -> Report:
    del evidence.files[evidence.ledger]
    return evidence.verify(one=folder)


@makes(Code.E_LEDGER_TORN)
def the_last_line_is_torn(evidence: Evidence, folder: str) -> Report:
    evidence.entry("repaired", removed=ZEROS)
    *lines, last = evidence.lines()
    evidence.put_lines([*lines, last[:-1]])
    return evidence.verify()


@makes(Code.E_LEDGER_TORN, Code.E_LEDGER_MISSING)
def the_ledger_was_emptied(evidence: Evidence, folder: str) -> Report:
    evidence.files[evidence.ledger] = b""
    return evidence.verify()


def with_three(evidence: Evidence) -> list[bytes]:
    """The lines of a ledger in which a note was added to the drill."""
    evidence.entry("restored", run_id="c" * 32, faults=["cut"])
    evidence.entry("restored", run_id="d" * 32, faults=["cut"])
    return evidence.lines()


@makes(Code.E_LEDGER_SEQ, Code.E_LEDGER_CHAIN, Code.I_RESTORED)
def a_line_was_taken_out(evidence: Evidence, folder: str) -> Report:
    lines = with_three(evidence)
    evidence.put_lines([*lines[:2], lines[3]])
    return evidence.verify()


@makes(Code.E_LEDGER_SEQ, Code.E_LEDGER_CHAIN, Code.I_RESTORED)
def a_line_stands_twice(evidence: Evidence, folder: str) -> Report:
    lines = with_three(evidence)
    evidence.put_lines([*lines, lines[3]])
    return evidence.verify()


@makes(Code.E_LEDGER_SEQ, Code.E_LEDGER_CHAIN, Code.I_RESTORED)
def lines_were_moved(evidence: Evidence, folder: str) -> Report:
    lines = with_three(evidence)
    evidence.put_lines([*lines[:2], lines[3], lines[2]])
    return evidence.verify()


@makes(Code.E_LEDGER_CHAIN, Code.I_RESTORED)
def somebody_with_the_key_forked_it(evidence: Evidence, folder: str) -> Report:
    lines = with_three(evidence)
    other = Evidence()
    other.drill()
    other.entry("restored", run_id="e" * 32, faults=["another"])
    evidence.put_lines([*lines[:2], other.lines()[2], lines[3]])
    return evidence.verify()


@makes(Code.E_LEDGER_DIGEST)
def the_ledger_has_other_sums(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(close=lambda it: it["predicate"].update(sums=ZEROS))


@makes(Code.E_LEDGER_STREAM)
def a_ledger_was_renamed(evidence: Evidence, folder: str) -> Report:
    evidence.files["ledger/production.jsonl"] = evidence.files.pop(evidence.ledger)
    return evidence.verify()


@makes(Code.E_LEDGER_STREAM)
def an_entry_is_of_another_ledger(evidence: Evidence, folder: str) -> Report:
    evidence.entry("repaired", removed=ZEROS, change=lambda it: it["predicate"].update(stream="production"))
    report = evidence.verify()
    assert Code.I_REPAIRED in codes(report)
    return Report(tuple(each for each in report.findings if each.code is not Code.I_REPAIRED))


@makes(Code.E_TRUNCATED)
def the_end_was_cut_off_with_its_folders(evidence: Evidence, folder: str) -> Report:
    before = evidence.copy()
    evidence.drill("bbbb02", Outcome.NOT_RECOVERED)
    assert before.verify().exit_status == 0  # nothing else finds it
    return before.verify(heads=[evidence.head()])


@makes(Code.E_HEAD_MISMATCH, Code.I_HEAD_ADVANCED)
def somebody_with_the_key_wrote_everything_anew(evidence: Evidence, folder: str) -> Report:
    told = Evidence()
    told.drill(outcome=Outcome.NOT_RECOVERED)
    assert told.verify().exit_status == 1
    assert evidence.verify().exit_status == 0  # nothing else finds it
    intent = evidence.lines()[0]
    kept = Head("lab", 0, digest(sealed.payload_of(intent)))
    return evidence.verify(heads=[told.head(), kept])


@makes(Code.I_HEAD_ADVANCED)
def drills_have_come_since_the_head(evidence: Evidence, folder: str) -> Report:
    head = evidence.head()
    evidence.drill("bbbb02")
    return evidence.verify(heads=[head])


@makes(Code.E_NO_INTENT)
def nobody_announced_the_run(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(announced=False)


@makes(Code.E_NO_INTENT)
def the_run_was_closed_for_another_intent(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(close=lambda it: it["predicate"].update(intent=ZEROS))


@makes(Code.E_NO_INTENT)
def the_statement_is_of_another_intent(evidence: Evidence, folder: str) -> Report:
    signed_anew(evidence, folder, lambda it: it["predicate"].update(intent=ZEROS))
    return evidence.verify()


@makes(Code.E_DOUBLE_INTENT)
def a_run_was_announced_twice(evidence: Evidence, folder: str) -> Report:
    evidence.entry("intent", run_id="aaaa01".ljust(32, "0"), folder=folder, artefacts=ZEROS)
    return evidence.verify()


@makes(Code.E_DOUBLE_CLOSE)
def a_run_was_closed_twice(evidence: Evidence, folder: str) -> Report:
    run_id = "aaaa01".ljust(32, "0")
    evidence.entry("aborted", run_id=run_id, folder=folder, outcome="PASSED", sums=ZEROS, by="guardian")
    return evidence.verify()


@makes(Code.E_RUN_NEVER_CLOSED)
def a_run_was_begun_disliked_and_killed(evidence: Evidence, folder: str) -> Report:
    evidence.entry("intent", run_id="bbbb02", folder="20261122T130000Z-it-bbbb02", artefacts=ZEROS)
    return evidence.verify()


@makes(Code.E_RUN_MISSING, Code.F_DRILL)
def a_bad_run_was_taken_away(evidence: Evidence, folder: str) -> Report:
    failed = evidence.drill("bbbb02", Outcome.NOT_RECOVERED)
    evidence.files = {path: data for path, data in evidence.files.items() if not path.startswith(failed)}
    return evidence.verify()


@makes(Code.E_RUN_UNRECORDED)
def a_run_was_put_there(evidence: Evidence, folder: str) -> Report:
    other = Evidence(at=START + timedelta(hours=1))
    planted = other.drill("cccc03")
    evidence.files |= {path: data for path, data in other.files.items() if path.startswith(planted)}
    return evidence.verify()


@makes(Code.F_VOID)
def a_run_could_not_be_sealed(evidence: Evidence, folder: str) -> Report:
    evidence.entry("intent", run_id="bbbb02", folder="20261122T130000Z-it-bbbb02", artefacts=ZEROS)
    evidence.entry("void", run_id="bbbb02", reason="the disk was full")
    return evidence.verify()


@makes(Code.I_RESTORED)
def a_fault_was_put_back_later(evidence: Evidence, folder: str) -> Report:
    run_id = "aaaa01".ljust(32, "0")
    evidence.entry("restored", run_id=run_id, by="a later run", faults=["network_cut"], problem="it is still there")
    return evidence.verify()


@makes(Code.I_REPAIRED)
def a_torn_line_was_taken_away(evidence: Evidence, folder: str) -> Report:
    evidence.entry("repaired", removed=ZEROS)
    return evidence.verify()


# ---- time ---------------------------------------------------------------------------------------------------------


@makes(Code.E_TIME_ORDER)
def the_fault_came_before_its_announcement(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(record=lambda it: it["timeline"][0].update(at="2026-11-22T11:50:00.000Z"))


@makes(Code.E_TIME_ORDER)
def a_drill_was_sealed_before_it_ended(evidence: Evidence, folder: str) -> Report:
    return made_otherwise(
        record=lambda it: it.update(ended_at="2026-11-22T13:00:00.000Z"),
        drill=lambda it: it["predicate"].update(ended_at="2026-11-22T13:00:00.000Z"),
    )


@makes(Code.E_FUTURE)
def the_drill_is_of_tomorrow(evidence: Evidence, folder: str) -> Report:
    return evidence.verify(now=START - timedelta(days=1))


@makes(Code.W_CLOCK_BACKWARDS, Code.I_REPAIRED)
def a_clock_was_put_back_a_little(evidence: Evidence, folder: str) -> Report:
    evidence.at = START + timedelta(seconds=10)
    evidence.entry("repaired", removed=ZEROS)
    return evidence.verify()


@makes(Code.W_CLOCK_UNSYNCED)
def nobody_had_set_the_clocks(evidence: Evidence, folder: str) -> Report:
    evidence = Evidence()
    for run in ("aaaa01", "bbbb02"):
        evidence.drill(run, record=lambda it: it.update(clock={"synchronised": False}))
    report = evidence.verify()
    assert [each.sentence.partition(":")[0] for each in report.findings] == [
        "of 2 drills the machine's clock was not synchronised"
    ]
    return report


@makes(Code.E_TIME_ORDER, Code.I_REPAIRED)
def a_clock_was_put_back_by_an_hour(evidence: Evidence, folder: str) -> Report:
    evidence.at = START - timedelta(hours=1)
    evidence.entry("repaired", removed=ZEROS)
    return evidence.verify()


# ---- what it says -------------------------------------------------------------------------------------------------


@makes(Code.F_DRILL)
def a_drill_failed(evidence: Evidence, folder: str) -> Report:
    evidence.drill("bbbb02", Outcome.NOT_RECOVERED)
    return evidence.verify()


@makes(Code.F_DRILL)
def a_control_betrayed(evidence: Evidence, folder: str) -> Report:
    control: ControlRecord = records.CONTROL
    evidence.drill("bbbb02", Outcome.BETRAYED, control=control)
    return evidence.verify()


@makes(Code.E_UNSIGNED, Code.F_DRILL)
def a_drill_failed_that_nobody_signed(evidence: Evidence, folder: str) -> Report:
    other = Evidence()
    failed = other.drill(outcome=Outcome.INVALID)
    del other.files[attestations(failed)], other.files[other.ledger]
    return other.verify()
