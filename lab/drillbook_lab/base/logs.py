"""Structured logs: one JSON object a line on stdout, and the last ones in memory for GET /logs."""

import datetime
import json
import sys
from collections import deque
from typing import Any

LEVELS = ("debug", "info", "warning", "error")


class Log:
    """A log that remembers its last entries.

    It writes repeats of the same message of a service once a second at most, because an outage at 100 requests a second
    must not become a flood of equal lines. The count says how many repeats were folded.
    """

    def __init__(self, keep: int = 500, echo: bool = True) -> None:
        self._lines: deque[dict[str, Any]] = deque(maxlen=keep)
        self._last: dict[tuple[str, str], dict[str, Any]] = {}
        self._echo = echo

    def write(self, level: str, service: str, message: str, **more: Any) -> None:
        now = datetime.datetime.now(datetime.UTC)
        last = self._last.get((service, message))
        if last is not None and (now - datetime.datetime.fromisoformat(last["at"])).total_seconds() < 1:
            last["count"] += 1
            return
        line = {
            "at": now.isoformat(timespec="milliseconds"),
            "level": level,
            "service": service,
            "message": message,
            "count": 1,
            **more,
        }
        self._last[service, message] = line
        if len(self._last) > 200:
            self._last.pop(next(iter(self._last)))
        self._lines.append(line)
        if self._echo:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def error(self, service: str, message: str, **more: Any) -> None:
        self.write("error", service, message, **more)

    def info(self, service: str, message: str, **more: Any) -> None:
        self.write("info", service, message, **more)

    def last(self, level: str | None = None, service: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        found = [line for line in self._lines if level in (None, line["level"]) and service in (None, line["service"])]
        return found[-limit:]
