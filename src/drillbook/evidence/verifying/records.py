"""Compares the claims of a bundle's record with each other, with what was signed, and with the ledger.

The rule: a record is compared only when its bytes are those that SHA256SUMS lists. What it says twice must be the same
both times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from drillbook.evidence.files import folder_name
from drillbook.evidence.reader import NewerRecordError, RecordError, record_of
from drillbook.evidence.sealing.statements import (
    NOT_PROVEN,
    PROVEN,
    artefacts_digest,
    artefacts_of,
    of_artefacts,
    tested,
)
from drillbook.evidence.sealing.strict_json import JsonError, parse_object
from drillbook.evidence.verifying.findings import Code, Findings, said
from drillbook.evidence.verifying.ledgers import Run
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.trust import moment
from drillbook.model.proof import SCHEMA as PROOF_SCHEMA
from drillbook.model.proof import proof_of
from drillbook.model.record import SCHEMA
from drillbook.model.times.profiles import Timings, long_enough

_ROUNDED_S = 0.0011
"""Times are kept to the millisecond; values compared before the rounding may have been half of one away."""
_AXES = ("valid", "recovered", "restored")


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a record about its run, as far as it can be read."""

    where: str
    document: Mapping[str, Any]
    """A record with all its fields, also those that it left to their defaults; a proof as it stands."""
    known: Mapping[str, Any] = field(default_factory=dict)
    """What a statement or an entry of the ledger says as well, by the names there."""
    timings: Timings | None = None
    """The windows by which the recovered system was verified; None where no step asked for them."""
    against: str | None = None
    """Why the runs of a proof do not prove it, whatever it says of itself."""

    @property
    def outcome(self) -> str | None:
        found = self.known.get("outcome")
        return found if isinstance(found, str) else None

    @property
    def signed_by(self) -> str | None:
        """The key that signs the bundle, according to the record."""
        signature = self.document.get("signature")
        keyid = signature.get("keyid") if isinstance(signature, dict) and signature.get("state") == "signed" else None
        return keyid if isinstance(keyid, str) else None

    @property
    def unsynced(self) -> bool:
        """Whether the kernel of its machine said that the clock was not synchronised."""
        clock = self.document.get("clock")
        return isinstance(clock, dict) and clock.get("synchronised") is False

    def compare(self, name: str, signed: object, code: Code, where: str, findings: Findings) -> None:
        """Report where a statement differs from the record."""
        if name in self.known and self.known[name] != signed:
            sentence = f"it is signed that {name} is {said(signed)}, and the record says {said(self.known[name])}"
            findings.add(code, where, sentence)

    def tested(
        self,
        subjects: Sequence[tuple[str, Mapping[str, str]]],
        configuration: object,
        titles: Iterable[str],
        where: str,
        findings: Findings,
    ) -> None:
        """Report a test-result with other artefacts, or another scenario, than the record."""
        rows = artefacts_of(self.document)
        required = {each["name"]: each["digest"] for each in of_artefacts(rows)}
        found = {name: digests for name, digests in subjects if "sha256" in digests}
        configured = {each["name"]: each["digest"] for each in of_artefacts(rows, inventory_only=True)}
        given = configuration if isinstance(configuration, list) else []
        named = {str(each.get("name")): each.get("digest") for each in given if isinstance(each, dict)}
        for wanted, there in ((required, found), (configured, named)):
            for name in sorted(wanted.keys() | there.keys()):
                if wanted.get(name) != there.get(name):
                    sentence = f"the test-result and the record do not name the same file {said(name)}"
                    findings.add(Code.E_PLAN_DIGEST, where, sentence)
        commits = [digests["gitCommit"] for _, digests in subjects if "gitCommit" in digests]
        git = self.document.get("git") or {}
        if commits and commits != [git.get("commit")]:
            findings.add(Code.E_PLAN_DIGEST, where, "the test-result is of another commit than the record")
        for title in titles:
            if title != tested(self.document):
                sentence = f"the test-result is of the scenario {said(title)}, and the record of another"
                findings.add(Code.E_RUN_BINDING, where, sentence)

    def recorded(self, run: Run, clock: Clock, findings: Findings) -> None:
        """Report where the ledger differs from the record."""
        if self.known.get("run_id") not in (None, run.run_id):
            sentence = f"it is of the run {said(self.known['run_id'])}, and the ledger says {said(run.run_id)}"
            findings.add(Code.E_RUN_BINDING, self.where, sentence)
        started, ended = moment(self.document.get("started_at")), moment(self.document.get("ended_at"))
        intent, close = run.intent, run.close
        if intent is not None:
            announced, rows = intent.fields.get("artefacts"), self.document.get("artefacts")
            if rows and announced != artefacts_digest(artefacts_of(self.document)):
                sentence = "more files took part than the intent announced: a play that nobody foresaw brought some in"
                findings.add(Code.W_PLAN_GREW, self.where, sentence)
            if started is not None:
                sentence = (
                    f"the drill says that it began after its fault was announced ({intent.where}) by more than the skew"
                )
                clock.in_order(started, intent.moment, self.where, sentence, findings)
            for fault in self._faults():
                sentence = f"a fault was injected before the intent was signed ({intent.where})"
                clock.in_order(intent.moment, fault, self.where, sentence, findings)
        if close is not None and ended is not None:
            sentence = f"the drill says that it ended after it was sealed ({close.where})"
            clock.in_order(ended, close.moment, self.where, sentence, findings)

    def proven_by(self, runs: Mapping[str, Run], findings: Findings) -> None:
        """Report where a proof names runs that differ from the ledger's; `runs` are the ledger's runs by
        their folders.
        """
        rows = [each for each in self.document.get("runs") or () if isinstance(each, dict)]
        folders = [PurePosixPath(str(each.get("evidence"))).name for each in rows]
        for row, folder in zip(rows, folders, strict=True):
            run, control = runs.get(folder), row.get("control")
            if row.get("evidence") is None or (control is not None and folders.count(folder) > 1):
                continue  # recovery-twice may be the end of the drill, and then has no folder of its own
            if run is None or run.close is None:
                sentence = f"it rests on {said(folder)}, which the ledger does not have as a run that ended"
                findings.add(Code.E_RUN_MISSING, self.where, sentence)
            elif run.close.fields.get("outcome") != row.get("outcome"):
                sentence = (
                    f"it says {said(row.get('outcome'))} of {said(folder)}, and the ledger does not ({run.close.where})"
                )
                findings.add(Code.E_OUTCOME_MISMATCH, self.where, sentence)
        if self.outcome == PROVEN and self.against is not None:
            sentence = f"it says PROVEN, and its runs do not prove it: {said(self.against)}"
            findings.add(Code.E_OUTCOME_MISMATCH, self.where, sentence)

    def _faults(self) -> Iterable[Any]:
        timeline = self.document.get("timeline")
        rows = timeline if isinstance(timeline, list) else []
        for each in rows:
            if isinstance(each, dict) and each.get("event") == "fault_injected" and moment(each.get("at")) is not None:
                yield moment(each["at"])


def record(data: bytes, folder: str, where: str, clock: Clock, findings: Findings) -> Claims | None:
    """The claims of drill.json; None when it cannot be read."""
    document = _document(data, where, findings)
    if document is None:
        return None
    if document.get("schema") != SCHEMA:
        sentence = f"schema {said(document.get('schema'))} is of another version; this Drillbook reads {SCHEMA}"
        findings.add(Code.E_VERSION_UNSUPPORTED, where, sentence)
        return None
    try:
        read = record_of(document, Path("drill.json"))
    except RecordError as error:
        code = Code.E_VERSION_UNSUPPORTED if isinstance(error, NewerRecordError) else Code.E_SCHEMA
        findings.add(code, where, f"this Drillbook cannot read the record: {error.why}")
        return None
    timings = read.timings
    if timings is not None and not all(isinstance(each, int | float) for each in astuple(timings)[1:]):
        findings.add(Code.E_SCHEMA, where, "a window of its verification is no number")
        return None
    known = {
        "run_id": read.run_id,
        "outcome": None if read.outcome is None else read.outcome.value,
        "environment": read.environment.name,
        "control": None if read.control is None else read.control.name,
        "started_at": read.started_at,
        "ended_at": read.ended_at,
    }
    claims = Claims(where, read.as_json(), known, timings)
    _itself(claims, folder, clock, findings)
    return claims


def proof(data: bytes, folder: str, where: str, clock: Clock, findings: Findings) -> Claims | None:
    """The claims of proof.json; None when it cannot be read."""
    del folder, clock
    document = _document(data, where, findings)
    if document is None:
        return None
    if document.get("schema") != PROOF_SCHEMA:
        sentence = f"schema {said(document.get('schema'))} is of another version; this Drillbook reads {PROOF_SCHEMA}"
        findings.add(Code.E_VERSION_UNSUPPORTED, where, sentence)
        return None
    try:
        made = proof_of(document)
    except ValueError as error:
        findings.add(Code.E_SCHEMA, where, f"it is no proof: {said(str(error))}")
        return None
    return Claims(where, document, {"outcome": PROVEN if document["proven"] else NOT_PROVEN}, against=made.against)


def _document(data: bytes, where: str, findings: Findings) -> Mapping[str, Any] | None:
    try:
        return parse_object(data)
    except JsonError as error:
        findings.add(Code.E_JSON, where, str(error))
        return None


def _itself(claims: Claims, folder: str, clock: Clock, findings: Findings) -> None:
    """Report where the record contradicts itself."""
    document, known, where = claims.document, claims.known, claims.where
    started, ended = moment(document["started_at"]), moment(document.get("ended_at"))
    if started is None or (ended is None and document.get("ended_at") is not None):
        findings.add(Code.E_SCHEMA, where, "started_at or ended_at is no time in UTC")
        return
    title = document["title"] if known["control"] is None else f"{known['control']} {document['title']}"
    named = folder_name(started, title, str(known["run_id"]))
    if named != folder:
        findings.add(Code.E_RUN_BINDING, where, f"it belongs into the folder {said(named)}: the folder was renamed")
    if ended is not None:
        clock.in_order(started, ended, where, "the drill says that it ended before it began", findings)
    clock.not_in_future(ended or started, where, "the record", findings)
    if document.get("outcome") == "PASSED":
        for name in _AXES:
            axis = document["axes"].get(name) or {}
            if axis.get("holds") is not True or axis.get("reasons"):
                findings.add(
                    Code.E_OUTCOME_MISMATCH, where, f"the outcome is PASSED, and the axis {name} does not hold"
                )
    _arithmetic(document.get("times") or {}, where, findings)
    _counted(document.get("population") or {}, where, findings)
    timings = claims.timings
    if timings is not None and timings.full and not long_enough(timings):
        sentence = f"the profile {said(timings.profile)} counts as full, and its windows are shorter than full ones"
        findings.add(Code.E_PROFILE, where, sentence)


def _arithmetic(times: Mapping[str, Any], where: str, findings: Findings) -> None:
    took, rto, met = times.get("recover_s"), times.get("rto_s"), times.get("rto_met")
    if met is None:
        return
    if not isinstance(took, int | float) or not isinstance(rto, int | float):
        findings.add(Code.E_OBJECTIVE_ARITHMETIC, where, f"rto_met is {said(met)}, without a time and an RTO")
    elif took > rto + _ROUNDED_S if met else took <= rto - _ROUNDED_S:
        sentence = f"rto_met is {said(met)}, with {took} s of an RTO of {rto} s"
        findings.add(Code.E_OBJECTIVE_ARITHMETIC, where, sentence)


def _counted(population: Mapping[str, Any], where: str, findings: Findings) -> None:
    match population:
        case {
            "collected": int() as collected,
            "selected": int() as selected,
            "deselected_count": int() as left_out,
            "deselected": list() as named,
        } if collected != selected + left_out or len(named) > left_out:
            sentence = (
                f"of {collected} drills that were collected {selected} were to be run, and {left_out} were left out "
                f"({len(named)} of them are named)"
            )
            findings.add(Code.E_COUNT_MISMATCH, where, sentence)
