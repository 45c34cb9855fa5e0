"""Signs a kept proof: an envelope beside its file, and a signed line in the ledger of all kept proofs.

The rule: the ledger comes first. A death before the envelope leaves a proof that counts as unsigned, and is signed
again. `evidence/gate/verified` verifies both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from drillbook.errors import EvidenceError
from drillbook.evidence.files import write_atomically
from drillbook.evidence.gate.kept import KeptProof
from drillbook.evidence.sealing.ledger import Ledger, entries, ledger_path
from drillbook.evidence.sealing.lines import read_envelope
from drillbook.evidence.sealing.signing import Signing
from drillbook.evidence.sealing.statements import PROVEN, Kind, sha256, statement, subject
from drillbook.evidence.sealing.strict_json import parse_object

KEPT_PROOF = "https://drillbook.dev/attestation/kept-proof/v0.1"
STREAM = "proofs"
"""The one stream of the ledger in a folder of kept proofs."""
ENVELOPE = ".intoto.jsonl"
"""The end of the name of a kept proof's envelope."""


def attestation_of(path: Path) -> Path:
    """The path of a kept proof's envelope."""
    return path.with_suffix(ENVELOPE)


def seal(root: Path, path: Path, proof: KeptProof, signing: Signing) -> None:
    """Add a proof that was kept below `root` to the ledger, and sign it. Raises EvidenceError."""
    name, digest = path.relative_to(root).as_posix(), sha256(path.read_bytes())
    about = {
        "run_id": proof.runs[0].run_id,
        "scenario": proof.scenario,
        "proven_at": proof.proven_at,
        "environment": proof.environment.get("name"),
        "outcome": PROVEN,
    }
    line = signing.sign(statement(KEPT_PROOF, [subject(name, digest)], about))
    Ledger(root, STREAM, signing).append(
        Kind.SEALED, {"run_id": about["run_id"], "folder": name, "outcome": PROVEN, "sums": digest}
    )
    write_atomically(attestation_of(path), f"{line.decode()}\n")


def recorded(root: Path) -> Mapping[str, object]:
    """The digest of each file below `root` in the ledger's last entry about it, not verified. Raises EvidenceError."""
    found = (said for _, said in entries(ledger_path(root, STREAM)) if said.get("kind") == Kind.SEALED)
    return {str(said.get("folder")): said.get("sums") for said in found}


def is_unsigned(root: Path, path: Path, known: Mapping[str, object]) -> bool:
    """Whether it has no envelope, or one that the ledger (`known` as `recorded` gives it) does not know.

    A file with the envelope of another one was changed after somebody signed it: that is no unsigned one.
    """
    envelope, name, digest = attestation_of(path), path.relative_to(root).as_posix(), sha256(path.read_bytes())
    if not envelope.exists():
        return True
    try:
        said = parse_object(read_envelope(envelope.read_bytes().removesuffix(b"\n")).payload)
    except EvidenceError:
        return False
    return known.get(name) != digest and said.get("subject") == [subject(name, digest)]
