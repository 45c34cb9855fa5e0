"""Writes the result of `drillbook prove`."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps, folder_name, write_atomically
from drillbook.evidence.machine_paths import without_machine
from drillbook.evidence.redaction import Redactor
from drillbook.model.proof import Proof
from drillbook.model.times.clock import wall_now


def write_proof(evidence_root: Path, proof: Proof, redactor: Redactor, root: Path) -> Path:
    """Write it as content/proof.json in a folder of its own, and return the folder. Raises DrillbookError.

    The file holds no secrets and no path of the repository at `root`.
    """
    name = redactor.text(proof.scenario.rpartition("::")[2])
    folder = evidence_root / folder_name(wall_now(), f"proof {name}", uuid4().hex)
    try:
        (folder / "content").mkdir(parents=True)
    except OSError as error:
        raise DrillbookError(f"{folder}: the proof cannot be kept: {error.strerror}") from error
    write_atomically(folder / "content" / "proof.json", without_machine(dumps(redactor.data(proof.as_json())), root))
    return folder
