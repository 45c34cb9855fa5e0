"""The last look before evidence is sealed: no file of it may hold a known secret.

The rule: text was redacted when it was written, and is now searched again for all secrets known by now. A found secret
refuses the seal, and is shown to nobody.
"""

from __future__ import annotations

from pathlib import Path

from drillbook.errors import EvidenceError
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing.bundle import content_files


class LeakError(EvidenceError):
    """A file of the evidence holds a known secret."""


def refuse_secrets(folder: Path, redactor: Redactor) -> None:
    """Raises LeakError that names the first file with a known secret, and the secret's label; EvidenceError."""
    for path in sorted(content_files(folder)):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise EvidenceError(f"{path}: the evidence cannot be read: {error.strerror}") from error
        # samples are nine tenths of what a long drill leaves, and each line is a row that was redacted as a whole
        label = redactor.first_secret(data, wrapped=path.suffix != ".ndjson")
        where = path.relative_to(folder).as_posix()
        label = label or redactor.first_secret(where.encode("utf-8", "surrogateescape"))
        if label is not None:
            where = redactor.text(where)
            raise LeakError(
                f"the evidence is not sealed: {where} holds the secret {label}: change the step or plugin that wrote "
                f"it there, and delete the folder {folder.name}"
            )
