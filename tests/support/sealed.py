"""Sealed evidence in memory. It is made from the format alone, with `cryptography`, and without any of the code that
seals.

So the reader accepts what the format says, and not what the writer happens to do.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import SSlibKey

from drillbook.evidence.files import dumps, folder_name
from drillbook.evidence.verifying.findings import Code, Head, Report
from drillbook.evidence.verifying.folders import Kind, UnreadableError
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.trust import Trust, trust
from drillbook.evidence.verifying.whole import Options, Verifier
from drillbook.model.objectives import Objectives
from drillbook.model.record import ControlRecord, TimesRecord
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import Axis, Outcome
from tests.support import records

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOW = START + timedelta(days=8)
ZEROS = "0" * 64
STATEMENT, DOMAIN = "https://in-toto.io/Statement/v1", "https://drillbook.dev/attestation"
RESULT = "https://in-toto.io/attestation/test-result/v0.1"
DRILL, ENTRY = f"{DOMAIN}/recovery-drill/v0.1", f"{DOMAIN}/ledger-entry/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Key:
    """A key that signs, and its name in a trust file."""

    private: Ed25519PrivateKey
    keyid: str
    public: str

    def row(self, **more: Any) -> dict[str, Any]:
        return {"keyid": self.keyid, "name": "CI", "public": self.public} | more


@cache
def key(number: int = 0) -> Key:
    """The same key for the same number."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)
    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return Key(private, SSlibKey.from_crypto(public).keyid, pem)


def stable(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def envelope(payload: bytes, *signers: Key, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """One line of a file of envelopes, with its line feed."""
    signed = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
    signatures = [
        {"keyid": each.keyid, "sig": base64.b64encode(each.private.sign(signed)).decode()} for each in signers
    ]
    text = base64.b64encode(payload).decode()
    return stable({"payload": text, "payloadType": payload_type, "signatures": signatures}) + b"\n"


def payload_of(line: bytes) -> bytes:
    return base64.b64decode(json.loads(line)["payload"])


def statement(predicate_type: str, subjects: list[Any], predicate: Mapping[str, Any]) -> dict[str, Any]:
    return {"_type": STATEMENT, "subject": subjects, "predicateType": predicate_type, "predicate": dict(predicate)}


def subject(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def time_of(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _same(_value: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Denied:
    """An entry that a folder lists as this kind, and that cannot be read."""

    kind: Kind


@dataclass(slots=True)
class Evidence:
    """A folder of evidence, with its files by their paths. A value that is a Kind stands for something that is no
    regular file.
    """

    files: dict[str, bytes | Kind | Denied] = field(default_factory=dict)
    signer: Key = field(default_factory=key)
    stream: str = "lab"
    _entries: int = 0
    _prev: str = ZEROS
    at: datetime = START

    @property
    def ledger(self) -> str:
        return f"ledger/{self.stream}.jsonl"

    def head(self) -> Head:
        return Head(self.stream, self._entries - 1, self._prev)

    def entry(self, kind: str, *, signers: Iterable[Key] = (), change: Change = _same, **about: Any) -> str:
        """Append an entry to the ledger. Returns the digest of its payload."""
        predicate = {
            "stream": self.stream,
            "seq": self._entries,
            "prev": self._prev,
            "kind": kind,
            "time": time_of(self.at),
            **about,
        }
        name = about.get("run_id") or about.get("new") or about.get("keyid") or ""
        document = statement(ENTRY, [subject(f"{kind} {name}".strip(), self._prev)], predicate)
        change(document)
        payload = stable(document)
        line = envelope(payload, *(signers or (self.signer,)))
        before = self.files.get(self.ledger, b"")
        assert isinstance(before, bytes)
        self.files[self.ledger] = before + line
        self._entries, self._prev = self._entries + 1, digest(payload)
        return self._prev

    def lines(self, path: str | None = None) -> list[bytes]:
        found = self.files[path or self.ledger]
        assert isinstance(found, bytes)
        return found.splitlines(keepends=True)

    def put_lines(self, lines: Iterable[bytes], path: str | None = None) -> None:
        self.files[path or self.ledger] = b"".join(lines)

    def drill(
        self,
        run: str = "aaaa01",
        outcome: Outcome = Outcome.PASSED,
        *,
        sealed: bool = True,
        announced: bool = True,
        signers: tuple[Key, ...] = (),
        control: ControlRecord | None = None,
        record: Change = _same,
        result: Change = _same,
        drill: Change = _same,
        intent: Change = _same,
        close: Change = _same,
        data: Callable[[bytes], bytes] = bytes,
    ) -> str:
        """Add a drill with its two statements and its two entries. Each is as it should be unless an argument changes
        it.

        Returns the name of the drill's folder.
        """
        run_id, signers = run.ljust(32, "0"), signers or (self.signer,)
        began, ended = self.at, self.at + timedelta(seconds=40)
        document = self._record(run_id, outcome, began, ended, control)
        record(document)
        title = document["title"] if control is None else f"{control.name} {document['title']}"
        folder = folder_name(began, title, run_id)
        rows = document["artefacts"]
        artefacts = digest(stable(sorted([row["path"], row["sha256"]] for row in rows)))
        self.at = began + timedelta(seconds=5)
        announcement = ZEROS
        if announced:
            announcement = self.entry(
                "intent",
                change=intent,
                run_id=run_id,
                folder=folder,
                artefacts=artefacts,
                scenario="features/redis.feature::It",
                control=None,
                inventory="inventories/lab",
            )
        text = data(dumps(document).encode())
        content = {"drill.json": text, "report.html": b"<p>it is well</p>\n", "samples.ndjson": b'{"ok": true}\n'}
        sums = "".join(f"{digest(content[name])}  {name}\n" for name in sorted(content)).encode()
        self.files |= {f"{folder}/content/{name}": content[name] for name in content}
        self.files[f"{folder}/SHA256SUMS"] = sums
        good = outcome in (Outcome.PASSED, Outcome.HELD)
        tested = statement(
            RESULT,
            [subject(row["path"], row["sha256"]) for row in rows if row["kind"] != "inventory"],
            {
                "result": "PASSED" if good else "FAILED",
                "configuration": [subject(row["path"], row["sha256"]) for row in rows if row["kind"] == "inventory"],
                "passedTests": [document["title"] + (f" (control {control.name})" if control else "")] if good else [],
                "failedTests": [],
            },
        )
        result(tested)
        drilled = statement(
            DRILL,
            [
                subject("SHA256SUMS", digest(sums)),
                *(subject(f"content/{name}", digest(content[name])) for name in sorted(content)),
            ],
            {
                "run_id": run_id,
                "started_at": time_of(began),
                "ended_at": time_of(ended),
                "outcome": outcome.value,
                "environment": self.stream,
                "control": None if control is None else control.name,
                "intent": announcement,
                "record": digest(text),
            },
        )
        drill(drilled)
        self.files[f"{folder}/attestations.intoto.jsonl"] = b"".join(
            envelope(stable(each), *signers) for each in (tested, drilled)
        )
        self.at = ended + timedelta(seconds=1)
        if sealed:
            self.entry(
                "sealed",
                signers=signers[:1],
                change=close,
                run_id=run_id,
                folder=folder,
                outcome=outcome.value,
                sums=digest(sums),
                intent=announcement,
            )
        self.at += timedelta(minutes=10)
        return folder

    def _record(
        self, run_id: str, outcome: Outcome, began: datetime, ended: datetime, control: ControlRecord | None
    ) -> dict[str, Any]:
        axis = Axis(outcome in (Outcome.PASSED, Outcome.HELD), ())
        made = records.record(
            run_id=run_id,
            started_at=time_of(began),
            ended_at=time_of(ended),
            duration_s=40.0,
            outcome=outcome,
            reason="recovered in 14.6 s of an RTO of 60 s",
            control=control,
            axes={"valid": axis, "recovered": axis, "restored": axis},
            objectives=Objectives(60.0, Event.FAULT_INJECTED, None),
            times=TimesRecord(recover_s=14.6, recover_uncertainty_s=0.1, rto_s=60.0, rto_met=True),
        )
        made.environment.name = self.stream
        document = made.as_json()
        document["artefacts"] = [
            {"kind": kind, "path": path, "sha256": digest(path.encode()), "clause": None, "clause_sha256": None}
            for kind, path in (("feature", "features/redis.feature"), ("inventory", "inventories/lab/hosts.yml"))
        ]
        document["timeline"] = [
            {
                "event": "fault_injected",
                "at": time_of(began + timedelta(seconds=6)),
                "at_s": 6.0,
                "uncertainty_s": 0.1,
                "source": "fault network_cut",
                "bounded": False,
            }
        ]
        return document

    def trust(self, *rows: dict[str, Any], **more: Any) -> Trust:
        """A trust file with these keys. Without any, it has the signer's key."""
        return trust({"keys": list(rows) or [self.signer.row()], **more})

    def verify(
        self,
        trusted: Trust | bool | None = True,
        *,
        heads: Iterable[Head] = (),
        now: datetime = NOW,
        one: str | None = None,
        skew_s: float = 300.0,
    ) -> Report:
        """Verify the evidence in memory: all of it, or the bundle `one`. `trusted` is True for the signer's key."""
        believed = self.trust() if trusted is True else trusted or None
        verifier = Verifier(believed, Options(Clock(now, skew_s), tuple(heads)))
        root = Memory.of(self.files)
        if one is None:
            return verifier.all(root)
        ledger = root.folder("ledger") if "ledger" in root.entries() else None
        return verifier.one(root.folder(one), one, ledger)

    def write(self, root: Path) -> Path:
        """Write the evidence below `root`."""
        for path, data in self.files.items():
            assert isinstance(data, bytes)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        return root

    def copy(self) -> Evidence:
        return Evidence(dict(self.files), self.signer, self.stream, self._entries, self._prev, self.at)


def _kind(data: Any) -> Kind:
    match data:
        case dict():
            return Kind.FOLDER
        case bytes():
            return Kind.FILE
        case Denied():
            return data.kind
    assert isinstance(data, Kind)
    return data


class Memory:
    """A folder in memory."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    @classmethod
    def of(cls, files: Mapping[str, bytes | Kind | Denied]) -> Memory:
        root: dict[str, Any] = {}
        for path, data in files.items():
            *parents, name = path.split("/")
            inner = root
            for each in parents:
                inner = inner.setdefault(each, {})
            inner[name] = data
        return cls(root)

    def entries(self) -> Mapping[str, Kind]:
        return {name: _kind(data) for name, data in self._names.items()}

    def folder(self, name: str) -> Memory:
        found = self._names[name]
        if not isinstance(found, dict):
            raise UnreadableError("Not a directory")
        return Memory(found)

    def chunks(self, name: str) -> Generator[bytes, None, None]:
        found = self._names[name]
        if not isinstance(found, bytes):
            raise UnreadableError("it is no regular file")
        yield found

    def close(self) -> None:
        """A folder in memory has nothing to close."""


def codes(report: Report) -> list[Code]:
    """The codes of a report, each once, sorted."""
    return sorted({each.code for each in report.findings})
