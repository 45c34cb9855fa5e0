"""Reads the ledgers: one stream an environment, each entry signed and chained to the one before it.

The rule: an entry counts only when its signature is good. After a wrong line, the reader continues with the next lines
at their own stated numbers, so that one cut is reported once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drillbook.evidence.sealing.statements import CLOSING, FIRST_PREV, LEDGER_ENTRY, Kind, sha256
from drillbook.evidence.verifying.envelopes import LINE_BYTES, Opened, Opener, ShapeError, hex64, text
from drillbook.evidence.verifying.findings import Code, Counts, Findings, Head, said
from drillbook.evidence.verifying.folders import (
    Folder,
    TooLargeError,
    UnreadableError,
    lines,
    name_problem,
    path_problem,
)
from drillbook.evidence.verifying.folders import Kind as FileKind
from drillbook.evidence.verifying.ring import Place, Ring, Signing
from drillbook.evidence.verifying.times import Clock, moment_of
from drillbook.evidence.verifying.trust import TrustedKey, TrustError, key_of_pem
from drillbook.model.paths import unique_file_part

_SUFFIX = ".jsonl"
_CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>")
_TAKE_ONE = (
    "two branches have kept proofs. Take the ledger of one branch, and prove the scenarios of the other one again "
    "(drillbook prove --stale --trust FILE)"
)
_WITH_A_FOLDER = frozenset({Kind.INTENT, Kind.SEALED, Kind.ABORTED})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry that a trusted key has signed."""

    kind: Kind
    place: Place
    moment: datetime
    digest: str
    where: str
    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        return str(self.fields[name])


@dataclass(slots=True)
class Run:
    """What the ledgers say about one run."""

    run_id: str
    intent: Entry | None = None
    close: Entry | None = None


@dataclass(slots=True)
class Ledgers:
    """What all ledgers say, and whether there are any."""

    there: bool = False
    runs: dict[str, Run] = field(default_factory=dict)
    heads: list[Head] = field(default_factory=list)
    signings: list[tuple[str, Signing]] = field(default_factory=list)
    kept: dict[str, Entry] = field(default_factory=dict)
    """In a ledger of kept proofs: for each file, the last entry about it."""

    def by_folder(self, findings: Findings) -> dict[str, Run]:
        """The runs by the folders that their entries name; each run has its own folder."""
        found: dict[str, Run] = {}
        for run in self.runs.values():
            entry = run.close if run.close is not None and "folder" in run.close.fields else run.intent
            if entry is None:
                continue
            first = found.setdefault(entry.text("folder"), run)
            if first is not run:
                sentence = f"the folder {said(entry.text('folder'))} is that of the run {first.run_id} as well"
                findings.add(Code.E_RUN_BINDING, entry.where, sentence)
        return found


class Reader:
    """Reads all streams of a ledger folder."""

    def __init__(
        self,
        ring: Ring,
        clock: Clock,
        expected: tuple[Head, ...],
        findings: Findings,
        counts: Counts,
        *,
        of_proofs: bool = False,
    ) -> None:
        """`of_proofs`: the ledger is that of kept proofs, whose entries name files, and have no intents."""
        self._ring, self._clock, self._expected = ring, clock, expected
        self._findings, self._counts = findings, counts
        self._ledgers = Ledgers()
        self.of_proofs = of_proofs

    def read(self, folder: Folder | None) -> Ledgers:
        """All that they say; `folder` is None when there is none."""
        if folder is not None:
            for name, kind in sorted(self._entries(folder).items()):
                where = f"ledger/{name}"
                if kind is not FileKind.FILE:
                    self._findings.add(Code.E_FILETYPE, where, f"it is a {kind.value}, and no file of a ledger")
                elif not name.endswith(_SUFFIX):
                    self._findings.add(Code.E_FILE_EXTRA, where, "it is no stream of a ledger")
                else:
                    _Stream(self, name, where).read(folder)
        there = {each.stream for each in self._ledgers.heads}
        for each in self._expected:
            if each.stream not in there:
                sentence = f"the head {each} was written down, and there is no ledger of {each.stream}"
                self._findings.add(Code.E_LEDGER_MISSING, "ledger", sentence)
        self._ring.all_known()
        self._ring.judge(self._ledgers.signings, self._findings)
        return self._ledgers

    def _entries(self, folder: Folder) -> Mapping[str, FileKind]:
        try:
            return folder.entries()
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, "ledger", f"it cannot be read: {error}")
            return {}


class _Stream:
    """Reads one stream."""

    def __init__(self, reader: Reader, name: str, where: str) -> None:
        self._reader, self._name, self._file = reader, name, where
        self._ring, self._findings, self._ledgers = reader._ring, reader._findings, reader._ledgers
        self._opener = Opener(self._findings)
        self._seq, self._prev = 0, FIRST_PREV
        self._stream: str | None = None
        self._last: datetime | None = None
        self._digests: dict[int, str] = {}

    def read(self, folder: Folder) -> None:
        number = 0
        try:
            for number, line in enumerate(lines(folder, self._name, LINE_BYTES), start=1):
                self._reader._counts.entries += 1
                self._line(line, f"{self._file}:{number}")
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, self._file, f"it cannot be read: {error}")
        except TooLargeError:
            self._findings.add(Code.E_SIZE, self._file, f"a line is longer than {LINE_BYTES} bytes")
        if not number:
            self._findings.add(Code.E_LEDGER_TORN, self._file, "there is no entry in it")
        if self._stream is not None:
            self._ledgers.there = True
            head = Head(self._stream, self._seq - 1, self._prev)
            self._ledgers.heads.append(head)
            self._expect(head)

    def _line(self, line: bytes, where: str) -> None:
        if not line.endswith(b"\n"):
            sentence = "the last line is torn: its writer was killed, or somebody cut it"
            self._findings.add(Code.E_LEDGER_TORN, where, sentence)
            return
        if self._reader.of_proofs and line.startswith(_CONFLICT):
            self._findings.add(Code.E_LEDGER_CHAIN, where, f"git has left a conflict here: {_TAKE_ONE}")
            return
        envelope = self._opener.read(line, where)
        if envelope is None:
            self._seq += 1
            return
        keys = self._ring.keys(Place(self._stream, self._seq) if self._stream is not None else None)
        opened = self._opener.opened(envelope, keys, where)
        digest = sha256(envelope.payload)
        if opened is not None:
            try:
                self._entry(opened, where, keys)
            except ShapeError as error:
                self._findings.add(Code.E_STATEMENT, where, str(error))
        self._prev, self._digests[self._seq] = digest, digest
        self._seq += 1

    def _entry(self, opened: Opened, where: str, keys: Mapping[str, TrustedKey]) -> None:
        """Raises ShapeError."""
        fields = opened.predicate
        if opened.predicate_type != LEDGER_ENTRY:
            raise ShapeError(f"predicateType is {said(opened.predicate_type)}, not that of a ledger's entry")
        self._chained(opened, where)
        try:
            kind = Kind(text(fields, "kind"))
        except ValueError:
            sentence = f"the kind {said(fields['kind'])} is not known: another version of Drillbook wrote it"
            self._findings.add(Code.E_VERSION_UNSUPPORTED, where, sentence)
            return
        moment = moment_of(fields, "time")
        self._in_time(moment, where)
        assert self._stream is not None
        entry = Entry(kind, Place(self._stream, self._seq), moment, opened.digest, where, fields)
        self._ledgers.signings.append((where, Signing(opened.keyids, moment, entry.place)))
        about = fields.get("run_id") or fields.get("new") or fields.get("keyid") or ""
        if opened.subjects[0][0] != f"{kind.value} {about}".strip():
            raise ShapeError(
                f"the subject is {said(opened.subjects[0][0])}, and the entry is {kind.value} {said(about)}"
            )
        if "folder" in fields or kind in _WITH_A_FOLDER:
            problem = (path_problem if self._reader.of_proofs else name_problem)(text(fields, "folder"))
            if problem:
                self._findings.add(Code.E_NAME, where, f"the folder {said(fields['folder'])} {problem}")
                return
        self._means(entry, opened.keyids, keys)

    def _chained(self, opened: Opened, where: str) -> None:
        fields = opened.predicate
        stream, prev, seq = text(fields, "stream"), hex64(fields, "prev"), fields.get("seq")
        if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
            raise ShapeError(f"seq is {said(seq)}, not the number of an entry")
        if self._stream is None:
            self._stream = stream
            if self._name != f"{unique_file_part(stream)}{_SUFFIX}":
                sentence = f"it holds the ledger of {said(stream)}, which is another file's"
                self._findings.add(Code.E_LEDGER_STREAM, self._file, sentence)
        elif stream != self._stream:
            sentence = f"the entry is of the ledger of {said(stream)}, and stands in that of {said(self._stream)}"
            self._findings.add(Code.E_LEDGER_STREAM, where, sentence)
        if prev != self._prev:
            sentence = "the entry does not follow the one before it: its prev is another digest"
            if prev in self._digests.values():
                after = _TAKE_ONE if self._reader.of_proofs else "as after a merge of two branches"
                sentence = f"the ledger forks here: the entry follows an earlier one: {after}"
            self._findings.add(Code.E_LEDGER_CHAIN, where, sentence)
        if seq != self._seq:
            sentence = f"the entry has the number {seq}, and {self._seq} has to follow: entries are missing or moved"
            self._findings.add(Code.E_LEDGER_SEQ, where, sentence)
            self._seq = seq
        if opened.subjects[0][1].get("sha256") != prev or len(opened.subjects) != 1:
            raise ShapeError("the subject is not the entry before")

    def _in_time(self, moment: datetime, where: str) -> None:
        clock = self._reader._clock
        clock.not_in_future(moment, where, "the entry", self._findings)
        if self._last is not None and moment < self._last:
            late = (self._last - moment).total_seconds()
            code = Code.E_TIME_ORDER if late > clock.skew_s else Code.W_CLOCK_BACKWARDS
            self._findings.add(code, where, f"the entry says that it is {late:.1f} s older than the one before it")
        self._last = moment

    # ---- what entries mean ----------------------------------------------------------------------------------------

    def _means(self, entry: Entry, keyids: tuple[str, ...], keys: Mapping[str, TrustedKey]) -> None:
        """Raises ShapeError."""
        match entry.kind:
            case Kind.KEY_ROTATED:
                self._rotated(entry, keyids, keys)
            case Kind.KEY_REVOKED:
                keyid = hex64(entry.fields, "keyid")
                self._ring.revoked(keyid, moment_of(entry.fields, "since"), entry.place)
                sentence = f"the key {keyid} is revoked: {said(entry.fields.get('reason'))}"
                self._findings.add(Code.I_KEY_REVOKED, entry.where, sentence)
            case Kind.REPAIRED:
                sentence = (
                    f"a torn line was taken away here; the digest of its bytes is {hex64(entry.fields, 'removed')}"
                )
                self._findings.add(Code.I_REPAIRED, entry.where, sentence)
            case Kind.INTENT:
                hex64(entry.fields, "artefacts")
                self._intent(entry)
            case Kind.RESTORED:
                run, problem = self._run(entry), entry.fields.get("problem")
                what = f"what the run {run.run_id} had left open ({said(entry.fields.get('faults'))})"
                after = "was put back" if problem is None else f"could not be put back: {said(problem)}"
                self._findings.add(Code.I_RESTORED, entry.where, f"{what} {after}")
            case _:
                assert entry.kind in CLOSING
                self._closing(entry)

    def _run(self, entry: Entry) -> Run:
        run_id = text(entry.fields, "run_id")
        return self._ledgers.runs.setdefault(run_id, Run(run_id))

    def _intent(self, entry: Entry) -> None:
        run = self._run(entry)
        if run.intent is not None:
            self._findings.add(Code.E_DOUBLE_INTENT, entry.where, f"the run {run.run_id} has begun before")
            return
        run.intent = entry

    def _closing(self, entry: Entry) -> None:
        if entry.kind is not Kind.VOID:
            hex64(entry.fields, "sums")
            text(entry.fields, "outcome")
        if self._reader.of_proofs:
            self._ledgers.kept[text(entry.fields, "folder")] = entry
            return
        run = self._run(entry)
        if run.close is not None:
            self._findings.add(Code.E_DOUBLE_CLOSE, entry.where, f"the run {run.run_id} was closed before")
            return
        run.close = entry
        if run.intent is None:
            self._findings.add(Code.E_NO_INTENT, entry.where, f"nobody announced the run {run.run_id} before it ended")
        elif entry.kind is not Kind.VOID and entry.fields.get("intent") != run.intent.digest:
            sentence = f"the run {run.run_id} was closed for another intent than its own"
            self._findings.add(Code.E_NO_INTENT, entry.where, sentence)

    def _rotated(self, entry: Entry, keyids: tuple[str, ...], keys: Mapping[str, TrustedKey]) -> None:
        old, new = hex64(entry.fields, "old"), hex64(entry.fields, "new")
        try:
            key = TrustedKey(key_of_pem(entry.fields.get("public")), "")
        except TrustError as error:
            self._findings.add(Code.E_ROTATION, entry.where, f"the new key cannot be used: {error}")
            return
        before = keys.get(old)
        problem = None
        if old not in keyids or before is None:
            problem = "the old key has not signed that"
        elif key.keyid != new:
            problem = f"the new key's id is {key.keyid}, and not {new}"
        elif before.revoked_at is not None or before.outside(entry.moment):
            problem = "the old key did not count any more"
        elif not before.may_rotate:
            problem = f"the trust file does not let the key {old} hand over: name the new key there, or set may_rotate"
        if problem is not None:
            self._findings.add(Code.E_ROTATION, entry.where, problem)
            return
        assert before is not None
        self._ring.handed_over(before, key, entry.moment, entry.place)
        self._findings.add(Code.I_KEY_ROTATED, entry.where, f"the key {old} has handed over to {new}")

    # ---- heads that a reader wrote down elsewhere -------------------------------------------------------------------

    def _expect(self, head: Head) -> None:
        for each in self._reader._expected:
            if each.stream != head.stream:
                continue
            found = self._digests.get(each.seq)
            if each.seq > head.seq:
                sentence = f"entry {each.seq} was written down, and the ledger ends at {head.seq}: its end was cut off"
                self._findings.add(Code.E_TRUNCATED, self._file, sentence)
            elif found != each.digest:
                sentence = f"entry {each.seq} is another one than was written down: the ledger was written anew"
                self._findings.add(Code.E_HEAD_MISMATCH, self._file, sentence)
            else:
                self._ring.anchored[each.stream] = max(each.seq, self._ring.anchored.get(each.stream, -1))
                if each.seq < head.seq:
                    sentence = (
                        f"{head.seq - each.seq} entries have come since entry {each.seq}, which is as written down"
                    )
                    self._findings.add(Code.I_HEAD_ADVANCED, self._file, sentence)
