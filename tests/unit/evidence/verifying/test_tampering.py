"""Whatever somebody without the key does to sealed evidence is found: 10,000 ways, each verified as a whole.

Signatures are checked once for each (key, signature, bytes) and remembered, which changes no verdict: it is what makes
10,000 verifications cheap.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey

from drillbook.evidence.verifying.findings import Code
from drillbook.evidence.verifying.trust import Trust, TrustedKey
from drillbook.model.verdict import Outcome
from tests.support.sealed import Evidence, codes, digest, key, payload_of

pytestmark = pytest.mark.unit

Files = dict[str, Any]
number = st.integers(0, 1 << 30)
EXAMPLES = {"bytes": 1000, "files": 800, "folders": 400, "entries": 800}
EACH = 1 if os.environ.get("CI") else 8
"""CI tries all; who runs the tests all the time, one in so many."""
thoroughly: dict[str, Any] = {"database": None, "suppress_health_check": list(HealthCheck)}


class Remembering(SSlibKey):
    """A key that remembers what it has verified."""

    known: dict[tuple[str, bytes], bool]

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        what = (signature.signature, data)
        if what not in self.known:
            try:
                super().verify_signature(signature, data)
                self.known[what] = True
            except UnverifiedSignatureError:
                self.known[what] = False
        if not self.known[what]:
            raise UnverifiedSignatureError


def remembering() -> Trust:
    (row,) = Evidence().trust().keys.values()
    remembered = Remembering(row.keyid, row.key.keytype, row.key.scheme, row.key.keyval)
    remembered.known = {}
    return Trust({row.keyid: TrustedKey(remembered, row.name)})


TRUST = remembering()
WHOLE = Evidence()
FIRST, SECOND = WHOLE.drill(), WHOLE.drill("bbbb02", Outcome.PASSED)
PATHS = sorted(WHOLE.files)
ONE = Evidence()
ONE.drill()
"""Where bytes are changed one drill is enough, and costs half of two."""
OF_ONE = sorted(ONE.files)
IN_A_DRILL = [path for path in PATHS if path != WHOLE.ledger]


def found(files: Files) -> bool:
    """Whether the evidence is told to be broken."""
    return Evidence(files).verify(TRUST).exit_status == 2


def test_before_anything_is_done_it_is_whole() -> None:
    assert WHOLE.verify(TRUST).findings == ONE.verify(TRUST).findings == LEDGER.verify(TRUST).findings == ()


def test_any_byte_that_is_flipped_is_found() -> None:
    """Each byte (in CI) of each file of a drill and its ledger in turn, some bit of it."""
    unseen = []
    for path in OF_ONE:
        data = bytearray(ONE.files[path])  # type: ignore[arg-type]
        files = dict(ONE.files)
        for place in range(0, len(data), EACH):
            data[place] ^= 1 << place % 8
            files[path] = bytes(data)
            if not found(files):
                unseen.append((path, place))
            data[place] ^= 1 << place % 8
    assert unseen == []


def test_there_are_ten_thousand_ways() -> None:
    size = sum(len(data) for data in ONE.files.values() if isinstance(data, bytes))
    assert size + sum(EXAMPLES.values()) >= 10_000


@settings(max_examples=EXAMPLES["bytes"] // EACH, **thoroughly)
@given(number, number, number, st.binary(max_size=3))
def test_any_bytes_that_are_cut_out_or_put_in_are_found(which: int, begin: int, length: int, put: bytes) -> None:
    path = OF_ONE[which % len(OF_ONE)]
    data: bytes = ONE.files[path]  # type: ignore[assignment]
    begin %= len(data)
    after = data[:begin] + put + data[begin + length % (len(data) - begin + 1) :]
    assert after == data or found({**ONE.files, path: after})


def removed(files: Files, one: str, _other: str, _name: str) -> None:
    del files[one]


def renamed(files: Files, one: str, _other: str, name: str) -> None:
    files[f"{one.rpartition('/')[0]}/{name}"] = files.pop(one)


def added(files: Files, one: str, other: str, name: str) -> None:
    files[f"{one.rpartition('/')[0]}/{name}"] = files[other]


def swapped(files: Files, one: str, other: str, _name: str) -> None:
    files[one], files[other] = files[other], files[one]


def put_over(files: Files, one: str, other: str, _name: str) -> None:
    files[one] = files[other]


CHANGES: Sequence[Callable[[Files, str, str, str], None]] = (removed, renamed, added, swapped, put_over)


@settings(max_examples=EXAMPLES["files"] // EACH, **thoroughly)
@given(number, number, number, st.text("abAB.é", min_size=1, max_size=3))
def test_any_file_that_is_removed_renamed_added_or_swapped_is_found(
    how: int, which: int, with_which: int, name: str
) -> None:
    files = dict(WHOLE.files)
    one, other = PATHS[which % len(PATHS)], PATHS[with_which % len(PATHS)]
    CHANGES[how % len(CHANGES)](files, one, other, name)
    assert files == WHOLE.files or found(files)


@settings(max_examples=EXAMPLES["folders"] // EACH, **thoroughly)
@given(number, number, st.lists(number, min_size=1, max_size=3))
def test_any_folder_whose_files_are_taken_from_another_is_found(which: int, to: int, some: list[int]) -> None:
    """What was signed for one drill is put onto another one: all of it, or some files."""
    one, other = ((FIRST, SECOND), (SECOND, FIRST))[which % 2]
    files = dict(WHOLE.files)
    below = [path.removeprefix(one) for path in IN_A_DRILL if path.startswith(one)]
    taken = below if to % 4 == 0 else [below[each % len(below)] for each in some]
    for path in taken:
        files[f"{other}{path}"] = WHOLE.files[f"{one}{path}"]
    assert files == WHOLE.files or found(files)


def ledgers() -> Evidence:
    """A ledger of six entries over three drills."""
    evidence = Evidence()
    for each in range(3):
        evidence.drill(f"aaaa{each:02d}")
    return evidence


LEDGER = ledgers()
LINES = LEDGER.lines()


def with_ledger(lines: Sequence[bytes]) -> Files:
    return {**LEDGER.files, LEDGER.ledger: b"".join(lines)}


@settings(max_examples=EXAMPLES["entries"] // EACH, **thoroughly)
@given(st.integers(0, 3), number, number)
def test_any_entry_that_is_dropped_doubled_moved_or_swapped_is_found(how: int, which: int, to: int) -> None:
    lines, one, other = list(LINES), which % len(LINES), to % len(LINES)
    match how:
        case 0:
            del lines[one : one + 1 + to % 3]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines.insert(other, lines.pop(one))
        case 3:
            lines[one], lines[other] = lines[other], lines[one]
    assert lines == LINES or found(with_ledger(lines))


# ---- what only an anchor finds, in the words of docs/verify.md ----------------------------------------------------


@pytest.mark.parametrize("kept", [1, 2])
def test_the_newest_entries_dropped_with_their_folders_are_found_by_a_kept_head_alone(kept: int) -> None:
    cut = Evidence(with_ledger(LINES[: 2 * kept]))
    for each in range(kept, 3):
        cut.files = {path: data for path, data in cut.files.items() if f"-aaaa{each:02d}/" not in path}
    assert (codes(cut.verify(TRUST)), cut.verify(TRUST).exit_status) == ([], 0)
    report = cut.verify(TRUST, heads=[LEDGER.head()])
    assert (codes(report), report.exit_status) == ([Code.E_TRUNCATED], 2)


def test_a_whole_ledger_dropped_with_its_folders_is_found_by_a_kept_head_alone() -> None:
    other = Evidence(stream="staging")
    gone = other.drill("cccc03", Outcome.NOT_RECOVERED)
    both = Evidence({**ONE.files, **other.files})
    assert codes(both.verify(TRUST)) == [Code.F_DRILL]
    left = Evidence({path: data for path, data in both.files.items() if not path.startswith((gone, other.ledger))})
    assert codes(left.verify(TRUST)) == []
    assert codes(left.verify(TRUST, heads=[other.head()])) == [Code.E_LEDGER_MISSING]


def test_a_history_that_the_holder_of_the_key_wrote_anew_is_found_by_a_kept_head_alone() -> None:
    happened = Evidence()
    happened.drill()
    happened.drill("bbbb02", Outcome.NOT_RECOVERED)
    told = Evidence()
    told.drill()
    told.drill("bbbb02", Outcome.PASSED)
    assert (codes(told.verify(TRUST)), told.verify(TRUST).exit_status) == ([], 0)
    report = told.verify(TRUST, heads=[happened.head()])
    assert (codes(report), report.exit_status) == ([Code.E_HEAD_MISMATCH], 2)


def test_the_head_is_the_digest_of_the_last_payload() -> None:
    assert LEDGER.head().digest == digest(payload_of(LINES[-1]))
    assert key().keyid in TRUST.keys
