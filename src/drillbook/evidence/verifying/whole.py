"""Verifies all evidence of a folder, or one bundle of it, and gives one report.

The rule: it writes nothing, uses no network, and imports nothing of what it reads. An empty folder is not whole.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from drillbook.evidence.sealing.statements import (
    ATTESTATIONS,
    CONTENT,
    GOOD_OUTCOMES,
    LEDGER_FOLDER,
    PROOF,
    RECORD,
    SUMS,
    Kind,
)
from drillbook.evidence.verifying.bundles import Asked, Bundle
from drillbook.evidence.verifying.findings import Code, Counts, Findings, Head, Report, said
from drillbook.evidence.verifying.folders import DiskFolder, Folder, UnreadableError, name_problem
from drillbook.evidence.verifying.folders import Kind as FileKind
from drillbook.evidence.verifying.ledgers import Ledgers, Reader, Run
from drillbook.evidence.verifying.ring import Ring
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.trust import Trust, TrustError, read_trust

_OF_A_BUNDLE = frozenset({SUMS, ATTESTATIONS, CONTENT})


@dataclass(frozen=True, slots=True)
class Options:
    """What the reader brings: whom to trust, the time, and the heads that were written down elsewhere."""

    clock: Clock
    heads: Sequence[Head] = ()
    tsa_roots: bytes | None = None
    """Certificates of authorities that stamp times, as PEM."""


def verify_path(path: Path, trust_file: Path | None, options: Options) -> Report:
    """All that is wrong with the evidence at a path: a folder of bundles with its ledger, or one bundle."""
    findings = Findings()
    verifier = Verifier(_trust(trust_file, findings), options, findings)
    try:
        folder = DiskFolder(path)
    except UnreadableError as error:
        findings.add(Code.E_NOTHING, str(path), f"there is no evidence that can be read: {error}")
        return verifier.report()
    with closing(folder):
        if not _OF_A_BUNDLE & folder.entries().keys():
            return verifier.all(folder)
        # one bundle: the ledger beside it says more than the bundle alone
        path = path.absolute()
        ledger = _inside(path.parent, LEDGER_FOLDER)
        try:
            return verifier.one(folder, path.name, ledger)
        finally:
            if ledger is not None:
                ledger.close()


def _trust(file: Path | None, findings: Findings) -> Trust | None:
    if file is None:
        return None
    try:
        return read_trust(file)
    except TrustError as error:
        findings.add(error.code, str(file), str(error))
        return None


def _inside(path: Path, name: str) -> Folder | None:
    try:
        with closing(DiskFolder(path)) as outer:
            return outer.folder(name)
    except UnreadableError:
        return None


class Verifier:
    """One verification. `trust` is None when nobody is trusted: then it compares digests, and verifies no signature."""

    def __init__(self, trust: Trust | None, options: Options, findings: Findings | None = None) -> None:
        self._findings = Findings() if findings is None else findings
        self._options, self._counts = options, Counts()
        self._ring = None if trust is None else Ring(trust)
        self._ledgers = Ledgers()
        self._runs: Mapping[str, Run] = {}
        if trust is None and self._findings.heavy() is None:
            sentence = "nobody is trusted: name a trust file with --trust; digests are compared, and no signature is"
            self._findings.add(Code.E_NO_TRUST, "--trust", sentence)

    def report(self) -> Report:
        """The findings so far."""
        if self._counts.unsynced:
            sentence = (
                f"of {self._counts.unsynced} drills the machine's clock was not synchronised: their times may be wrong"
            )
            self._findings.add(Code.W_CLOCK_UNSYNCED, ".", sentence)
        for profile, number in self._counts.profiles.items():
            self._findings.add(Code.I_PROFILE, ".", f"{profile} (drills and controls: {number})")
        return Report(self._findings.sorted(), tuple(sorted(self._ledgers.heads)), self._counts)

    def all(self, root: Folder) -> Report:
        """All bundles of a folder, and the ledger in it."""
        findings, counts = self._findings, self._counts
        try:
            entries = root.entries()
        except UnreadableError as error:
            findings.add(Code.E_NOTHING, ".", f"the evidence cannot be read: {error}")
            return self.report()
        ledger = self._ledger_in(root, entries)
        if ledger is not None:
            with closing(ledger):
                self._read_ledgers(ledger)
        else:
            self._read_ledgers(None)
        self._runs = self._ledgers.by_folder(findings)
        for name in sorted(entries):
            if name != LEDGER_FOLDER:
                self._entry(root, name, entries[name], self._runs.get(name))
        for run in self._ledgers.runs.values():
            _run(run, entries, findings)
        if counts.signed and not self._ledgers.there:
            sentence = "bundles are signed, and there is no ledger: whether drills were left out cannot be seen"
            findings.add(Code.E_LEDGER_MISSING, LEDGER_FOLDER, sentence)
        if not counts.bundles and not self._ledgers.there:
            sentence = "there is no evidence in it: name the folder that holds the drills' folders"
            findings.add(Code.E_NOTHING, ".", sentence)
        return self.report()

    def one(self, folder: Folder, name: str, ledger: Folder | None) -> Report:
        """One bundle, with the ledger that lies beside it, if there is one."""
        self._read_ledgers(ledger)
        self._runs = self._ledgers.by_folder(self._findings)
        run = self._runs.get(name)
        self._bundle(folder, name, run, alone=True)
        if run is not None:
            _run(run, {name}, self._findings)
        return self.report()

    def _ledger_in(self, root: Folder, entries: Mapping[str, FileKind]) -> Folder | None:
        kind = entries.get(LEDGER_FOLDER)
        if kind is None:
            return None
        if kind is not FileKind.FOLDER:
            self._findings.add(Code.E_FILETYPE, LEDGER_FOLDER, f"it is a {kind.value}, and no folder")
            return None
        try:
            return root.folder(LEDGER_FOLDER)
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, LEDGER_FOLDER, f"it cannot be read: {error}")
            return None

    def _read_ledgers(self, folder: Folder | None) -> None:
        if self._ring is not None:
            reader = Reader(self._ring, self._options.clock, tuple(self._options.heads), self._findings, self._counts)
            self._ledgers = reader.read(folder)

    def _entry(self, root: Folder, name: str, kind: FileKind, run: Run | None) -> None:
        """One name in the folder of evidence: a bundle, or something else."""
        findings = self._findings
        if problem := name_problem(name):
            findings.add(Code.E_NAME, name, f"its name {problem}")
            return
        if kind is not FileKind.FOLDER:
            code = Code.E_FILETYPE if run is not None else Code.W_NOT_A_BUNDLE
            findings.add(code, name, f"it is a {kind.value}, and no folder of a drill: it was not followed or opened")
            return
        try:
            with closing(root.folder(name)) as folder:
                if run is None and not _is_bundle(folder):
                    sentence = "it holds no record, and nobody has sealed it: nothing of it is verified"
                    findings.add(Code.W_NOT_A_BUNDLE, name, sentence)
                    return
                self._bundle(folder, name, run, alone=False)
        except UnreadableError as error:
            findings.add(Code.E_UNREADABLE, name, f"it cannot be read: {error}")

    def _bundle(self, folder: Folder, name: str, run: Run | None, *, alone: bool) -> None:
        asked = Asked(self._ring, self._ledgers, self._runs, self._options.clock, self._options.tsa_roots, alone)
        Bundle(name, run, asked, self._findings, self._counts).verify(folder)


def _is_bundle(folder: Folder) -> bool:
    entries = folder.entries()
    if {SUMS, ATTESTATIONS} & entries.keys():
        return True
    if entries.get(CONTENT) is not FileKind.FOLDER:
        return False
    with closing(folder.folder(CONTENT)) as content:
        return bool({RECORD, PROOF} & content.entries().keys())


def _run(run: Run, there: Container[str], findings: Findings) -> None:
    """Check the entries of one run together, and whether its folder is there."""
    intent, close = run.intent, run.close
    if close is None:
        if intent is not None:
            sentence = (
                f"the run {run.run_id} was announced ({said(intent.text('folder'))}), and nobody has closed it: it is "
                "under way, or it died, or its end was taken away"
            )
            findings.add(Code.E_RUN_NEVER_CLOSED, intent.where, sentence)
        return
    if close.kind is Kind.VOID:
        sentence = f"the run {run.run_id} ended and could not be sealed: {said(close.fields.get('reason'))}"
        findings.add(Code.F_VOID, close.where, sentence)
        return
    folder = close.text("folder")
    if intent is not None and intent.text("folder") != folder:
        sentence = f"it closes the run {run.run_id} in the folder {said(folder)}, and the intent names another"
        findings.add(Code.E_RUN_BINDING, close.where, sentence)
    if folder not in there:
        findings.add(Code.E_RUN_MISSING, folder, f"the ledger has it ({close.where}), and the folder is not there")
    if close.text("outcome") not in GOOD_OUTCOMES:
        findings.add(Code.F_DRILL, folder, f"it says {said(close.text('outcome'))}")
