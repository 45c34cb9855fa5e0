"""The place of evidence: a folder, or a folder and a store behind a URL that gets a copy of it.

The rule: evidence is always written to a folder first. A URL with a password in it is refused: URLs are shown, and
appear in logs.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from drillbook.errors import DrillbookError
from drillbook.model.paths import EVIDENCE
from drillbook.model.times.durations import parse_duration

_S3, _SSH = ("s3", "s3a"), ("sftp", "ssh")


class StoreError(DrillbookError):
    """A store that cannot be reached, or does not do what it is asked to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where evidence is written, and the store that gets a copy, if any."""

    folder: Path
    url: str | None = None
    lock_s: float | None = None
    """How long nobody may delete an uploaded file; None: no lock is asked for."""

    @property
    def named(self) -> str:
        """The text that `--evidence` takes."""
        return self.url or str(self.folder)


def is_url(text: str) -> bool:
    """Whether a place is a store's: `s3://bucket/prefix`, `file:///mnt/evidence`."""
    return "://" in text


def place(text: str, base: Path, root: Path, lock: str = "") -> Place:
    """The place that `--evidence` or the ini names, from `base`; `lock` is how long uploaded files are locked.

    Raises DrillbookError for a lock that no store could keep.
    """
    lock_s = _lock_s(lock) if lock else None
    if not is_url(text):
        return Place(base / text)
    url = checked(text)
    if lock_s is not None and urlsplit(url).scheme not in _S3:
        raise DrillbookError(
            f"drillbook_evidence_lock: {url} cannot lock evidence: name an s3:// store, or remove the lock"
        )
    return Place(root / EVIDENCE, url, lock_s)


def checked(url: str) -> str:
    """The URL without a slash at its end. Raises DrillbookError for a URL with a password, or with missing parts."""
    parts = urlsplit(url)
    names_a_user = parts.username is not None and parts.scheme not in _SSH  # elsewhere that is a part of a secret
    if names_a_user or parts.password is not None:
        raise DrillbookError(
            f"{parts.scheme}://...@{parts.hostname or ''}{parts.path}: terminals and logs show this URL: remove the "
            "password from it, and give it as the store's own client reads it (AWS_PROFILE, AWS_ACCESS_KEY_ID, ...)"
        )
    if importlib.util.find_spec("fsspec") is None or (parts.scheme in _S3 and importlib.util.find_spec("s3fs") is None):
        raise DrillbookError(f"{url}: this needs the extra 's3': pip install 'drillbook[s3]'")
    return url.rstrip("/")


def _lock_s(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise DrillbookError(f"drillbook_evidence_lock: {error}") from None
    if seconds <= 0:
        raise DrillbookError(f"drillbook_evidence_lock: {text!r} locks nothing: write '90d'")
    return seconds
