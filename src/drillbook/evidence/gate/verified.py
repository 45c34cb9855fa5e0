"""Verifies a folder of kept proofs as a stranger would: each file, its signature, and the ledger of all of them.

The rule: nothing is left out in silence. Each file in a folder of proofs is a proof that is signed, or is reported.
Files beside those folders (a README, keys) are no proofs, and are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from drillbook.evidence.gate.kept import KeptProof, KeptProofError, file_of, from_json
from drillbook.evidence.gate.signed import ENVELOPE, KEPT_PROOF, STREAM
from drillbook.evidence.sealing.statements import ATTESTATIONS, CONTENT, LEDGER_FOLDER, PROVEN, sha256
from drillbook.evidence.sealing.strict_json import JsonError, parse_object
from drillbook.evidence.verifying.envelopes import LINE_BYTES, Opened, Opener, ShapeError
from drillbook.evidence.verifying.findings import Code, Counts, Findings, Report, said
from drillbook.evidence.verifying.folders import DiskFolder, Folder, Kind, TooLargeError, UnreadableError, read
from drillbook.evidence.verifying.ledgers import Entry, Ledgers, Reader
from drillbook.evidence.verifying.ring import Ring, Signing
from drillbook.evidence.verifying.times import Clock, moment_of
from drillbook.evidence.verifying.trust import Trust, TrustError, read_trust
from drillbook.evidence.verifying.whole import Options

_PROOF = ".json"
_PROOF_BYTES = 8 << 20


def holds_proofs(path: Path) -> bool:
    """Whether a folder is one of kept proofs: it has a signed one, or their ledger and no bundle of a drill."""
    if any(each.name != ATTESTATIONS for each in path.glob(f"*/*{ENVELOPE}")):
        return True
    return (path / LEDGER_FOLDER / f"{STREAM}.jsonl").exists() and not any(path.glob(f"*/{CONTENT}"))


def verify_proofs(path: Path, trust_file: Path | None, options: Options) -> Report:
    """All that is wrong with the kept proofs below a path."""
    findings, counts, trust = Findings(), Counts(), None
    if trust_file is None:
        findings.add(Code.E_NO_TRUST, "--trust", "nobody is trusted: name a trust file with --trust")
    else:
        try:
            trust = read_trust(trust_file)
        except TrustError as error:
            findings.add(error.code, str(trust_file), str(error))
    if trust is None:
        return Report(findings.sorted(), (), counts)
    try:
        with closing(DiskFolder(path)) as root:
            return _Verifier(Ring(trust), options, findings, counts).all(root)
    except UnreadableError as error:
        findings.add(Code.E_NOTHING, str(path), f"the proofs cannot be read: {error}")
        return Report(findings.sorted(), (), counts)


class Signatures:
    """The signatures of the proofs below `root`, for a reader who trusts these keys: they count as `verify` judges."""

    def __init__(self, root: Path, trust: Trust, clock: Clock) -> None:
        self._root, self._trust, self._clock = root, trust, clock

    def why_not(self, path: Path) -> str | None:
        """Why the file at a path is no proof that trusted keys have signed, in a sentence; None when it is one."""
        of_ledger = self._ledger._findings.heavy()
        if of_ledger is not None:
            return f"the ledger of the proofs proves nothing ({of_ledger.where}): {of_ledger.sentence}"
        place, name = path.relative_to(self._root).parts
        verifier = replace(self._ledger, _findings=Findings())
        try:
            with closing(DiskFolder(self._root)) as root, closing(root.folder(place)) as folder:
                verifier.one(folder, name, f"{place}/{name}", folder.entries())
        except UnreadableError as error:
            return f"it cannot be read: {error}"
        found = verifier._findings.heavy()
        return None if found is None else found.sentence

    @cached_property
    def _ledger(self) -> _Verifier:
        """The verifier that has read the ledger; what it found speaks against all of them."""
        verifier = _Verifier(Ring(self._trust), Options(self._clock), Findings(), Counts())
        try:
            with closing(DiskFolder(self._root)) as root:
                verifier.read_ledger(root)
        except UnreadableError as error:
            verifier._findings.add(Code.E_UNREADABLE, str(self._root), f"it cannot be read: {error}")
        return verifier


@dataclass(slots=True)
class _Verifier:
    """One verification."""

    _ring: Ring
    _options: Options
    _findings: Findings
    _counts: Counts
    _ledgers: Ledgers = field(default_factory=Ledgers)
    _there: set[str] = field(default_factory=set)

    def read_ledger(self, root: Folder) -> None:
        """The ledger, which says which of two proofs is the last. Raises UnreadableError."""
        heads = tuple(self._options.heads)
        reader = Reader(self._ring, self._options.clock, heads, self._findings, self._counts, of_proofs=True)
        if root.entries().get(LEDGER_FOLDER) is Kind.FOLDER:
            with closing(root.folder(LEDGER_FOLDER)) as ledger:
                self._ledgers = reader.read(ledger)
        else:
            self._ledgers = reader.read(None)
        if not self._ledgers.there:
            sentence = "there is no ledger of the proofs: nothing shows which of two proofs is the newer one"
            self._findings.add(Code.E_LEDGER_MISSING, LEDGER_FOLDER, sentence)

    def all(self, root: Folder) -> Report:
        """The ledger, and all proofs. Raises UnreadableError."""
        self.read_ledger(root)
        for name, kind in sorted(root.entries().items()):
            if name == LEDGER_FOLDER or kind is Kind.FILE:
                continue
            if kind is not Kind.FOLDER:
                self._findings.add(Code.E_FILETYPE, name, f"it is a {kind.value}: it was not followed or opened")
                continue
            with closing(root.folder(name)) as folder:
                self._folder(folder, name)
        for name in sorted(self._ledgers.kept.keys() - self._there):
            entry = self._ledgers.kept[name]
            sentence = f"the ledger has it ({entry.where}), and it is not there: the scenario is not proven"
            self._findings.add(Code.W_PROOF_GONE, name, sentence)
        if not self._counts.bundles:
            self._findings.add(Code.E_NOTHING, ".", "there is no proof in it")
        return Report(self._findings.sorted(), tuple(sorted(self._ledgers.heads)), self._counts)

    def _folder(self, folder: Folder, place: str) -> None:
        entries = folder.entries()
        for name, kind in sorted(entries.items()):
            where = f"{place}/{name}"
            if kind is not Kind.FILE:
                self._findings.add(Code.E_FILETYPE, where, f"it is a {kind.value}, and no proof: it was not opened")
            elif name.endswith(ENVELOPE):
                if f"{name.removesuffix(ENVELOPE)}{_PROOF}" not in entries:
                    self._findings.add(Code.E_FILE_MISSING, where, "it is the signature of a proof that is not there")
            elif name.endswith(_PROOF):
                self._there.add(where)
                self._counts.bundles += 1
                self._counts.files += 1
                self.one(folder, name, where, entries)
            else:
                self._findings.add(Code.E_FILE_EXTRA, where, "it is no proof, and nobody has signed it")

    def one(self, folder: Folder, name: str, where: str, entries: Mapping[str, Kind]) -> None:
        """One proof, after the ledger."""
        data = self._read(folder, name, where, _PROOF_BYTES)
        envelope = f"{name.removesuffix(_PROOF)}{ENVELOPE}"
        if envelope not in entries:
            self._findings.add(Code.E_UNSIGNED, where, "nobody has signed it")
            return
        line = self._read(folder, envelope, where, LINE_BYTES)
        if data is None or line is None:
            return
        opener = Opener(self._findings, self._ring.trust.threshold)
        parts = opener.read(line, where)
        entry = self._ledgers.kept.get(where)
        place = None if entry is None else entry.place
        opened = None if parts is None else opener.opened(parts, self._ring.keys(place), where)
        if opened is not None:
            self._counts.signed += 1
            try:
                self._signed(opened, data, where, entry)
            except ShapeError as error:
                self._findings.add(Code.E_STATEMENT, where, str(error))

    def _signed(self, opened: Opened, data: bytes, where: str, entry: Entry | None) -> None:
        """Compare what is signed with the file, the ledger and what the file says. Raises ShapeError."""
        findings, digest = self._findings, sha256(data)
        if opened.predicate_type != KEPT_PROOF:
            findings.add(
                Code.E_PREDICATE_UNKNOWN, where, f"it is no statement about a proof: {said(opened.predicate_type)}"
            )
            return
        if opened.subjects != [(where, {"sha256": digest})]:
            findings.add(Code.E_SUBJECT_DIGEST, where, "it is not the file that was signed")
            return
        if self._ledgers.there and (entry is None or entry.fields.get("sums") != digest):
            sentence = (
                "the ledger has another one as the last of this scenario, or none: 'drillbook gate --keep' adds it"
            )
            findings.add(Code.E_LEDGER_DIGEST, where, sentence)
        try:
            proof = from_json(parse_object(data))
        except (JsonError, KeptProofError) as error:
            findings.add(Code.E_SCHEMA, where, str(error))
            return
        moment = moment_of(opened.predicate, "proven_at")
        signing = Signing(opened.keyids, moment, None if entry is None else entry.place)
        self._ring.judge([(where, signing)], findings)
        self._options.clock.not_in_future(moment, where, "the proof", findings)
        self._claims(opened, proof, where)

    def _claims(self, opened: Opened, proof: KeptProof, where: str) -> None:
        findings = self._findings
        if file_of(proof.scenario) != where:
            findings.add(
                Code.E_RUN_BINDING, where, f"it is the proof of {said(proof.scenario)}, whose file has another name"
            )
        about = {
            "run_id": proof.runs[0].run_id if proof.runs else None,
            "scenario": proof.scenario,
            "proven_at": proof.proven_at,
            "environment": proof.environment.get("name"),
        }
        for name, value in about.items():
            if opened.predicate.get(name) != value:
                sentence = f"its {name} is {said(value)}, and {said(opened.predicate.get(name))} was signed"
                findings.add(Code.E_RUN_BINDING, where, sentence)
        if opened.predicate.get("outcome") != PROVEN or not proof.proven:
            findings.add(Code.E_OUTCOME_MISMATCH, where, "it was signed as proven, and its runs did not end so")

    def _read(self, folder: Folder, name: str, where: str, limit_bytes: int) -> bytes | None:
        try:
            return read(folder, name, limit_bytes)
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, where, f"it cannot be read: {error}")
        except TooLargeError:
            self._findings.add(Code.E_SIZE, where, f"it is larger than {limit_bytes} bytes")
        return None
