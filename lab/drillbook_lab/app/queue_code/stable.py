"""Release 1.0.0 of the queue's code: a webhook is kept as it came."""

from collections.abc import Mapping
from typing import Any


def handle(_webhook_id: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is kept of a webhook."""
    return payload
