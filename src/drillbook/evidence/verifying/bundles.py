"""Verifies one bundle: its files, who signed what about them, and whether ledger, statements and record agree.

The rule: statements come first. Only what a trusted key has signed is compared with anything. An unsigned bundle is
checked against its SHA256SUMS, and is never whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from drillbook.evidence.sealing.statements import (
    ATTESTATIONS,
    CONTENT,
    FAILED,
    GOOD_OUTCOMES,
    PASSED,
    PROOF,
    RECORD,
    RECOVERY_DRILL,
    SUMS,
    TEST_RESULT,
    TIMESTAMP,
)
from drillbook.evidence.verifying.envelopes import LINE_BYTES, Opened, Opener, ShapeError, hex64, text
from drillbook.evidence.verifying.findings import Code, Counts, Findings, said
from drillbook.evidence.verifying.folders import Folder, Kind, TooLargeError, UnreadableError, lines, read
from drillbook.evidence.verifying.ledgers import Entry, Ledgers, Run
from drillbook.evidence.verifying.records import Claims, proof, record
from drillbook.evidence.verifying.ring import Ring, Signing
from drillbook.evidence.verifying.times import Clock, moment_of
from drillbook.evidence.verifying.trees import Files, Tree
from drillbook.model.times.profiles import told

MOST_STATEMENTS, STAMP_BYTES = 16, 1 << 20
_RESULTS = (PASSED, "WARNED", FAILED)
_KNOWN = (TEST_RESULT, RECOVERY_DRILL)


@dataclass(frozen=True, slots=True)
class Asked:
    """The means to verify a bundle. `ring` is None without trust: then only files are checked."""

    ring: Ring | None
    ledgers: Ledgers
    runs: Mapping[str, Run]
    """The ledgers' runs by their folders."""
    clock: Clock
    tsa_roots: bytes | None
    """The certificates of authorities that may have stamped the time, as PEM."""
    alone: bool
    """Whether the bundle was named by itself: then a missing ledger is no fault of it."""


class Bundle:
    """One bundle under verification."""

    def __init__(self, name: str, run: Run | None, asked: Asked, findings: Findings, counts: Counts) -> None:
        self._name, self._run, self._asked = name, run, asked
        self._findings, self._counts = findings, counts

    def verify(self, folder: Folder) -> None:
        """Report all that is wrong with it."""
        self._counts.bundles += 1
        try:
            there = folder.entries()
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, self._name, f"it cannot be read: {error}")
            return
        known = {SUMS: Kind.FILE, ATTESTATIONS: Kind.FILE, TIMESTAMP: Kind.FILE, CONTENT: Kind.FOLDER}
        for name, kind in there.items():
            if name not in known:
                self._findings.add(Code.E_FILE_EXTRA, f"{self._name}/{name}", "nothing of a bundle has this name")
            elif kind is not known[name]:
                sentence = f"it is a {kind.value}, and has to be a {known[name].value}: it was not opened"
                self._findings.add(Code.E_FILETYPE, f"{self._name}/{name}", sentence)
        good = {name for name, kind in there.items() if known.get(name) is kind}
        tree = self._files(folder, good, ATTESTATIONS in there)
        opened = self._statements(folder) if ATTESTATIONS in good and self._asked.ring is not None else {}
        ended = self._agree(tree, opened, ATTESTATIONS in there)
        if RECOVERY_DRILL in opened:
            self._stamped(folder, opened[RECOVERY_DRILL], ended, there=TIMESTAMP in good)

    def _files(self, folder: Folder, good: set[str], signed: bool) -> Tree | None:
        if SUMS in good and CONTENT in good:
            return Files(self._name, self._findings, self._counts).tree(folder)
        if SUMS not in good and not signed and self._close() is None:
            sentence = "nobody has sealed it: the drill is under way, it died, or it could not be sealed"
            self._findings.add(Code.E_NOT_SEALED, self._name, sentence)
        elif SUMS not in good:
            self._findings.add(
                Code.E_SUMS_MISSING, f"{self._name}/{SUMS}", "it was sealed, and SHA256SUMS is not there"
            )
        else:
            self._findings.add(Code.E_FILE_MISSING, f"{self._name}/{CONTENT}", "there is no content")
        return None

    def _unsigned(self, claims: Claims | None) -> None:
        """Report a sealed bundle without statements."""
        by_ledger, by_record = self._close() is not None, claims is not None and claims.signed_by is not None
        if by_ledger or by_record:
            who = "the ledger" if by_ledger else "the record"
            sentence = f"{who} says that it was signed, and nobody's signature is there"
            self._findings.add(Code.E_ATTESTATION_MISSING, f"{self._name}/{ATTESTATIONS}", sentence)
        else:
            sentence = "nobody has signed it: whoever can write to the folder could have written all of it"
            self._findings.add(Code.E_UNSIGNED, self._name, sentence)

    # ---- statements -----------------------------------------------------------------------------------------------

    def _statements(self, folder: Folder) -> Mapping[str, Opened]:
        """The statements that a trusted key has signed, by the type of their predicates."""
        ring, where = self._asked.ring, f"{self._name}/{ATTESTATIONS}"
        assert ring is not None
        opener = Opener(self._findings, ring.trust.threshold)
        close = self._close()
        keys = ring.keys(close.place if close is not None else None)
        found: dict[str, Opened] = {}
        number = 0
        for number, line in enumerate(self._lines(folder, where), start=1):
            at = f"{where}:{number}"
            if number > MOST_STATEMENTS:
                self._findings.add(Code.E_SIZE, where, f"it holds more than {MOST_STATEMENTS} statements")
                break
            parts = opener.read(line, at)
            opened = None if parts is None else opener.opened(parts, keys, at)
            if opened is None:
                continue
            if opened.predicate_type not in _KNOWN:
                self._unknown(opened.predicate_type, at)
            elif opened.predicate_type in found:
                self._findings.add(Code.E_ATTESTATION_TWICE, at, f"a second statement of {opened.predicate_type}")
            else:
                found[opened.predicate_type] = opened
        if not number:
            self._findings.add(Code.E_NO_SIGNATURE, where, "there is no statement in it")
        return found

    def _lines(self, folder: Folder, where: str) -> Iterable[bytes]:
        try:
            yield from lines(folder, ATTESTATIONS, LINE_BYTES)
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, where, f"it cannot be read: {error}")
        except TooLargeError:
            self._findings.add(Code.E_SIZE, where, f"a line is longer than {LINE_BYTES} bytes")

    def _unknown(self, predicate_type: str, where: str) -> None:
        for known in _KNOWN:
            if predicate_type.rpartition("/")[0] == known.rpartition("/")[0]:
                sentence = f"{said(predicate_type)} is of another version; this Drillbook reads {known}"
                self._findings.add(Code.E_VERSION_UNSUPPORTED, where, sentence)
                return
        self._findings.add(Code.E_PREDICATE_UNKNOWN, where, f"nobody knows what {said(predicate_type)} says")

    # ---- do they agree --------------------------------------------------------------------------------------------

    def _agree(self, tree: Tree | None, opened: Mapping[str, Opened], signed: bool) -> datetime | None:
        """Report where they disagree; returns when the drill ended, by its signed word."""
        documents = {} if tree is None else tree.documents
        if tree is not None and not {RECORD, PROOF} & tree.listed.keys():
            self._findings.add(Code.E_FILE_MISSING, f"{self._name}/{CONTENT}/{RECORD}", "there is no record in it")
        kind = PROOF if tree is not None and PROOF in tree.listed else RECORD
        claims = self._claims(documents, kind)
        self._counts.unsynced += claims is not None and claims.unsynced
        if claims is not None and claims.timings is not None:
            self._counts.profiles[told(claims.timings)] += 1
        if tree is not None and not signed:
            self._unsigned(claims)
        drill, where = opened.get(RECOVERY_DRILL), f"{self._name}/{ATTESTATIONS}"
        signed_outcome, ended = None, None
        if drill is not None:
            try:
                signed_outcome = text(drill.predicate, "outcome")
                ended = self._drill(drill, tree, claims, kind, where)
            except ShapeError as error:
                self._findings.add(Code.E_STATEMENT, where, f"the statement of the drill: {error}")
            self._counts.signed += 1
        if signed and self._asked.ring is not None:
            self._present(opened, kind, where)
        if TEST_RESULT in opened:
            try:
                of_record = claims if kind == RECORD else None
                self._result(opened[TEST_RESULT], signed_outcome, of_record, where)
            except ShapeError as error:
                self._findings.add(Code.E_STATEMENT, where, f"the test-result: {error}")
        self._recorded(tree, drill, signed_outcome, claims)
        if claims is not None and kind == PROOF and self._run is not None:
            claims.proven_by(self._asked.runs, self._findings)
        close = self._close()
        ring = self._asked.ring
        if ring is not None and ended is not None:
            place = close.place if close is not None else None
            judged = [(where, Signing(each.keyids, ended, place)) for each in opened.values()]
            ring.judge(judged, self._findings)
        outcome = signed_outcome or (claims.outcome if claims is not None else None)
        if (
            outcome is not None
            and outcome not in GOOD_OUTCOMES
            and not (close is not None and "outcome" in close.fields)
        ):
            self._findings.add(Code.F_DRILL, self._name, f"it says {said(outcome)}")
        return ended

    def _claims(self, documents: Mapping[str, bytes], kind: str) -> Claims | None:
        if kind not in documents:
            return None
        where = f"{self._name}/{CONTENT}/{kind}"
        reader = record if kind == RECORD else proof
        return reader(documents[kind], self._name, where, self._asked.clock, self._findings)

    def _present(self, opened: Mapping[str, Opened], kind: str, where: str) -> None:
        """Check that the required statements are there."""
        needed = _KNOWN if kind == RECORD else (RECOVERY_DRILL,)
        for each in needed:
            if each not in opened:
                self._findings.add(Code.E_ATTESTATION_MISSING, where, f"there is no good statement of {each}")

    def _drill(self, drill: Opened, tree: Tree | None, claims: Claims | None, kind: str, where: str) -> datetime:
        """Compare the statement over the files; returns when the drill ended. Raises ShapeError."""
        fields = drill.predicate
        if tree is not None:
            self._subjects(drill, tree, where)
            digest = tree.listed.get(kind)
            if digest is not None and hex64(fields, "record") != digest:
                self._findings.add(Code.E_RUN_BINDING, where, f"the statement is of another {kind}")
        run_id, outcome = text(fields, "run_id"), text(fields, "outcome")
        if claims is not None:
            claims.compare("run_id", run_id, Code.E_RUN_BINDING, where, self._findings)
            claims.compare("outcome", outcome, Code.E_OUTCOME_MISMATCH, where, self._findings)
            if claims.signed_by is not None and claims.signed_by not in drill.keyids:
                sentence = f"the record says that the key {said(claims.signed_by)} signs it, and another one has"
                self._findings.add(Code.E_RUN_BINDING, where, sentence)
            for name in ("environment", "control", "started_at", "ended_at"):
                claims.compare(name, fields.get(name), Code.E_RUN_BINDING, where, self._findings)
        run = self._run
        if run is not None and run.run_id != run_id:
            sentence = (
                f"it is signed for the run {said(run_id)}, and the ledger says that the folder is of {said(run.run_id)}"
            )
            self._findings.add(Code.E_RUN_BINDING, where, sentence)
        stream = (
            next((each.place.stream for each in (run.close, run.intent) if each is not None), None) if run else None
        )
        if stream is not None and fields.get("environment") != stream:
            sentence = f"it is signed for {said(fields.get('environment'))}, and stands in the ledger of {said(stream)}"
            self._findings.add(Code.E_RUN_BINDING, where, sentence)
        if run is not None and run.intent is not None and fields.get("intent") != run.intent.digest:
            self._findings.add(
                Code.E_NO_INTENT, where, "it is signed for another intent than the ledger has of the run"
            )
        ended = moment_of(fields, "ended_at" if fields.get("ended_at") is not None else "started_at")
        self._asked.clock.not_in_future(ended, where, "the drill", self._findings)
        return ended

    def _subjects(self, drill: Opened, tree: Tree, where: str) -> None:
        required = [(SUMS, tree.sums), *((f"{CONTENT}/{path}", digest) for path, digest in tree.listed.items())]
        found = [(name, digests.get("sha256", "")) for name, digests in drill.subjects]
        if found == required:
            return
        if found[0] != required[0]:
            sentence = (
                "SHA256SUMS is another one than was signed: files were changed and listed anew, or it is another run's"
            )
            self._findings.add(Code.E_SUBJECT_DIGEST, where, sentence)
        signed = dict(found)
        for name, digest in required[1:]:
            if signed.get(name) != digest:
                sentence = "it is not signed" if name not in signed else "another file was signed under this name"
                self._findings.add(Code.E_SUBJECT_DIGEST, f"{self._name}/{name}", sentence)
        for name in signed.keys() - dict(required).keys():
            self._findings.add(
                Code.E_SUBJECT_DIGEST, where, f"{said(name)} was signed, and SHA256SUMS does not list it"
            )
        if len(found) != len(signed):
            self._findings.add(Code.E_SUBJECT_DIGEST, where, "a subject stands twice in the statement")

    def _result(self, opened: Opened, outcome: str | None, claims: Claims | None, where: str) -> None:
        """Raises ShapeError."""
        fields = opened.predicate
        result = fields.get("result")
        if result not in _RESULTS:
            sentence = f"the result is {said(result)}, which is none of {', '.join(_RESULTS)}"
            self._findings.add(Code.E_RESULT_ENUM, where, sentence)
            return
        passed, failed = _titles(fields, "passedTests"), _titles(fields, "failedTests")
        if (result == PASSED) is not (bool(passed) and not failed):
            sentence = f"the result is {result}, with {len(passed)} tests that passed and {len(failed)} that failed"
            self._findings.add(Code.E_RESULT_CONTRADICTION, where, sentence)
        if outcome is not None and (result == PASSED) is not (outcome in GOOD_OUTCOMES):
            sentence = f"the test-result says {result}, and the statement of the drill {said(outcome)}"
            self._findings.add(Code.E_OUTCOME_MISMATCH, where, sentence)
        if claims is not None:
            claims.tested(opened.subjects, fields.get("configuration"), [*passed, *failed], where, self._findings)

    def _stamped(self, folder: Folder, drill: Opened, ended: datetime | None, *, there: bool) -> None:
        where, roots = f"{self._name}/{TIMESTAMP}", self._asked.tsa_roots
        if not there:
            if roots is not None:
                self._findings.add(Code.W_TSA_MISSING, self._name, "nobody has stamped its time")
            return
        if roots is None:
            sentence = "its time stamp is not verified: name the certificates of its authority with --tsa-root"
            self._findings.add(Code.W_TSA_UNCHECKED, where, sentence)
            return
        try:
            stamps: Any = import_module("drillbook.evidence.verifying.timestamps")
        except ImportError:
            sentence = "its time stamp is not verified: that needs the extra: pip install 'drillbook[timestamp]'"
            self._findings.add(Code.W_TSA_UNCHECKED, where, sentence)
            return
        try:
            at = stamps.stamped_at(read(folder, TIMESTAMP, STAMP_BYTES), drill.signature, roots)
        except stamps.StampError as error:
            self._findings.add(error.code, where, str(error))
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, where, f"it cannot be read: {error}")
        except TooLargeError:
            self._findings.add(Code.E_SIZE, where, f"it is larger than {STAMP_BYTES} bytes")
        else:
            self._asked.clock.not_in_future(at, where, "the time stamp", self._findings)
            if ended is not None and at + self._asked.clock.skew < ended:
                sentence = f"it is of {at:%Y-%m-%dT%H:%M:%SZ}, when the drill had not ended by its own word"
                self._findings.add(Code.E_TSA_OUTSIDE_WINDOW, where, sentence)

    # ---- the ledger -----------------------------------------------------------------------------------------------

    def _close(self) -> Entry | None:
        """The entry that closed the run with this bundle."""
        run = self._run
        return run.close if run is not None and run.close is not None and "sums" in run.close.fields else None

    def _recorded(self, tree: Tree | None, drill: Opened | None, outcome: str | None, claims: Claims | None) -> None:
        run, close = self._run, self._close()
        if run is None:
            if drill is not None and self._asked.ledgers.there:
                self._findings.add(
                    Code.E_RUN_UNRECORDED, self._name, "no entry of the ledger names it: it was put there"
                )
            elif drill is not None and self._asked.alone:
                sentence = "the ledger is not beside it: whether other drills were left out cannot be seen"
                self._findings.add(Code.I_NO_LEDGER, self._name, sentence)
            return
        if close is not None:
            if tree is not None and close.text("sums") != tree.sums:
                sentence = f"SHA256SUMS is another one than the ledger has ({close.where})"
                self._findings.add(Code.E_LEDGER_DIGEST, f"{self._name}/{SUMS}", sentence)
            said_by = outcome or (claims.outcome if claims is not None else None)
            if said_by is not None and close.text("outcome") != said_by:
                sentence = (
                    f"the ledger says {said(close.text('outcome'))} ({close.where}), and the bundle {said(said_by)}"
                )
                self._findings.add(Code.E_OUTCOME_MISMATCH, self._name, sentence)
        if claims is not None:
            claims.recorded(run, self._asked.clock, self._findings)


def _titles(fields: Mapping[str, Any], name: str) -> list[str]:
    found = fields.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ShapeError(f"{name} is {said(found)}, not a list of titles")
    return found
