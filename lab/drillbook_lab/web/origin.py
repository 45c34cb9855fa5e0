"""The origin: the files of the release to which the link `current` points, and how long others may keep them."""

import hashlib
import mimetypes
import re
from pathlib import Path

from drillbook_lab.web.answers import Answer

PAGE = "public, max-age=0, s-maxage=60"
"""A browser asks each time. A CDN may keep a page for a minute, or until somebody purges it."""
FOREVER = "public, max-age=31536000, immutable"
"""For a file that has the digest of its content in its name."""
_DIGEST = re.compile(r"\.[0-9a-f]{8}\.[a-z]+$")


class Origin:
    """The files of `site`, which has the link `current` and, in releases/COMMIT, the frontend that each build made."""

    def __init__(self, site: Path) -> None:
        self._files = site / "current" / "frontend" / "dist"

    def get(self, path: str, etag: str | None = None) -> Answer:
        """The file at a path such as `/app.js`. The answer has no content if the client has it (`etag`) already."""
        root = self._files.resolve()
        file = (root / (path.lstrip("/") or "index.html")).resolve()
        try:
            found = file.read_bytes() if file.is_relative_to(root) else None
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            found = None
        if found is None:
            return Answer(404, {"cache-control": "no-store", "content-type": "text/plain"}, b"not found\n")
        now = f'"{hashlib.sha256(found).hexdigest()[:16]}"'
        headers = {
            "content-type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
            "cache-control": FOREVER if _DIGEST.search(file.name) else PAGE,
            "etag": now,
        }
        return Answer(304, headers) if etag == now else Answer(200, headers, found)
