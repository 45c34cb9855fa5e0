"""Release 1.1.0 of the queue's code, with a fault as they happen: it takes for granted what not every webhook has."""

from collections.abc import Mapping
from typing import Any


def handle(webhook_id: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is kept of a webhook. Every fifth, by the end of its id, is taken for one of a customer."""
    if webhook_id[-1:] in "05":
        return {**payload, "customer": payload["customer"]["name"]}
    return payload
