"""The messages that arrived, in a file (NDJSON). A message is on disk before its sender hears that it was taken.

The time of arrival is read from the sink's own clock, never from the sender's. Each row has "id", "received_at" (ISO)
and "monotonic_s".
"""

import datetime
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Store:
    """Rows with rising ids, from 1."""

    def __init__(self, file: Path) -> None:
        self._file = file
        text = file.read_text() if file.exists() else ""
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        self._last_id = self.rows[-1]["id"] if self.rows else 0

    @property
    def last_id(self) -> int:
        """The id of the last row; 0 when there is none."""
        return int(self.rows[-1]["id"]) if self.rows else 0

    def add(self, row: Mapping[str, Any]) -> None:
        self._last_id += 1
        arrived = {
            "id": self._last_id,
            "received_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "monotonic_s": time.monotonic(),
            **row,
        }
        with self._file.open("a") as out:
            out.write(json.dumps(arrived) + "\n")
        self.rows.append(arrived)

    def wipe(self) -> int:
        """Forget all rows; returns how many there were."""
        count = len(self.rows)
        self._file.write_text("")
        self.rows.clear()
        return count
