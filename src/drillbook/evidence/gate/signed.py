"""Who signed a kept proof: an envelope beside its file, and a signed line in the ledger of all kept proofs.

The rule: with a trust file, a proof counts only with a good signature of one of its keys over the very bytes of the
file. The ledger must be whole from its first line, and its last entry about the scenario must be this proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from drillbook.errors import EvidenceError
from drillbook.evidence.files import write_atomically
from drillbook.evidence.gate.kept import KeptProof
from drillbook.evidence.sealing.envelope import verify
from drillbook.evidence.sealing.ledger import Ledger, ledger_path
from drillbook.evidence.sealing.lines import EnvelopeError
from drillbook.evidence.sealing.signing import Signing
from drillbook.evidence.sealing.statements import (
    FIRST_PREV,
    LEDGER_ENTRY,
    PROVEN,
    Kind,
    sha256,
    statement,
    subject,
)
from drillbook.evidence.sealing.strict_json import JsonError, parse_object
from drillbook.evidence.verifying.trust import Trust

KEPT_PROOF = "https://drillbook.dev/attestation/kept-proof/v0.1"
STREAM = "proofs"
"""The one stream of the ledger in a folder of kept proofs."""
ENVELOPE = ".intoto.jsonl"
"""The end of the name of a kept proof's envelope."""
_FORKED = (
    "line {number} of the ledger of the proofs follows an earlier line: two branches have kept proofs. Take the ledger "
    "of one branch, and prove the scenarios of the other one again (drillbook prove --stale --trust FILE)"
)
_CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>")


def attestation_of(path: Path) -> Path:
    """The path of a kept proof's envelope."""
    return path.with_suffix(ENVELOPE)


def seal(root: Path, path: Path, proof: KeptProof, signing: Signing) -> None:
    """Sign a proof that was kept below `root`, and add it to the ledger. Raises EvidenceError."""
    name, digest = path.relative_to(root).as_posix(), sha256(path.read_bytes())
    about = {
        "run_id": proof.runs[0].run_id,
        "scenario": proof.scenario,
        "proven_at": proof.proven_at,
        "environment": proof.environment.get("name"),
        "outcome": PROVEN,
    }
    line = signing.sign(statement(KEPT_PROOF, [subject(name, digest)], about))
    write_atomically(attestation_of(path), f"{line.decode()}\n")
    Ledger(root, STREAM, signing).append(
        Kind.SEALED, {"run_id": about["run_id"], "folder": name, "outcome": PROVEN, "sums": digest}
    )


class Signatures:
    """The signatures of the proofs below `root`, for a reader who trusts these keys."""

    def __init__(self, root: Path, trust: Trust) -> None:
        self._root, self._trust = root, trust

    def why_not(self, path: Path) -> str | None:
        """Why no trusted key has signed the file at a path as a proof, in a sentence; None when one has."""
        name = path.relative_to(self._root).as_posix()
        try:
            digest = sha256(path.read_bytes())
            said = self._opened(attestation_of(path).read_bytes().removesuffix(b"\n"), KEPT_PROOF)
            if said["subject"] != [subject(name, digest)]:
                return "it is not the file that was signed"
            known = self._ledger.get(name)
        except FileNotFoundError:
            return "nobody has signed it"
        except (EvidenceError, JsonError, OSError, LookupError) as error:
            return f"its signature proves nothing: {error}"
        return None if known == digest else "the ledger of the proofs has another one as the last of this scenario"

    @cached_property
    def _ledger(self) -> Mapping[str, str]:
        """The digest of the last proof of each file, if the whole chain is good. Raises EvidenceError."""
        found: dict[str, str] = {}
        path, prev = ledger_path(self._root, STREAM), FIRST_PREV
        try:
            *lines, torn = path.read_bytes().split(b"\n")
        except OSError as error:
            raise EvidenceError(f"the ledger of the proofs cannot be read ({error.strerror})") from error
        before: set[str] = set()
        for number, line in enumerate(lines):
            if line.startswith(_CONFLICT):
                raise EvidenceError(_FORKED.format(number=number + 1))
            entry = self._opened(line, LEDGER_ENTRY)["predicate"]
            if entry["prev"] in before:
                raise EvidenceError(_FORKED.format(number=number + 1))
            if (entry["stream"], entry["seq"], entry["prev"]) != (STREAM, number, prev):
                raise EvidenceError(f"line {number + 1} of the ledger of the proofs does not follow the one before it")
            before.add(prev)
            prev = sha256(verify(line, self._keys).payload)
            if entry["kind"] == Kind.SEALED:
                found[str(entry["folder"])] = str(entry["sums"])
        if torn:
            raise EvidenceError("the last line of the ledger of the proofs is torn")
        return found

    def _opened(self, line: bytes, predicate_type: str) -> Mapping[str, Any]:
        """The statement of an envelope that a trusted key has signed in its time. Raises EnvelopeError, JsonError."""
        opened = verify(line, self._keys)
        said = parse_object(opened.payload)
        if said.get("predicateType") != predicate_type or not isinstance(said.get("predicate"), dict):
            raise EnvelopeError("E_STATEMENT", f"it is no statement of {predicate_type}")
        stated = said["predicate"].get("time") or said["predicate"].get("proven_at")
        for key in (self._trust.keys[keyid] for keyid in opened.keyids):
            at = datetime.fromisoformat(str(stated))
            if key.outside(at) or (key.revoked_at is not None and at >= key.revoked_at):
                raise EnvelopeError("E_KEY_VALIDITY", f"the key {key.keyid[:16]} did not count at {stated}")
        return said

    @cached_property
    def _keys(self) -> list[Any]:
        return [each.key for each in self._trust.keys.values()]
