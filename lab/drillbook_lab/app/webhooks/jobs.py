"""A webhook as a BullMQ job. The job's id follows from the sender's id, so adding a webhook twice adds one job.

BullMQ accepts no ":" in a custom id, and takes an id of digits alone for one of its own. So a plain id stays readable
behind a prefix, because an operator must recognise it in Redis. Any other id is replaced by its digest behind another
prefix.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")

# A setting says how often a job is tried. A job that fails that often goes to `failed`, the dead-letter queue. A
# finished job is kept for an hour: adding it again does nothing only while Redis knows its id.
JOB_OPTIONS: Mapping[str, Any] = {
    "backoff": {"type": "exponential", "delay": 500},
    "removeOnComplete": {"age": 3600, "count": 200_000},
    "removeOnFail": False,
}


class Malformed(ValueError):
    """The request body is not a webhook; the text says which part."""


def job_id(webhook_id: str) -> str:
    """The BullMQ id of a webhook."""
    if _PLAIN.fullmatch(webhook_id):
        return f"wh-{webhook_id}"
    return f"wx-{hashlib.sha256(webhook_id.encode()).hexdigest()[:40]}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as a sender posts it: {"id": str, "kind": str, "payload": {...}}."""

    id: str
    kind: str
    payload: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Any) -> "Webhook":
        if not isinstance(body, Mapping):
            raise Malformed("the body must be a JSON object")
        for key in ("id", "kind"):
            value = body.get(key)
            if not isinstance(value, str) or not 0 < len(value) <= 200:
                raise Malformed(f"{key!r} must be a text of 1 to 200 characters")
        payload = body.get("payload", {})
        if not isinstance(payload, Mapping):
            raise Malformed("'payload' must be an object")
        return cls(body["id"], body["kind"], payload)

    @property
    def data(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, "payload": dict(self.payload)}
