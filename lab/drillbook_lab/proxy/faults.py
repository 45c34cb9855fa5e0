"""Faults of a link as values: a fault that somebody asks for, which is checked first, and the sum of those in force.

An unknown kind, attribute or stream is an error that names it, because a fault that silently does nothing would make a
drill pass by accident.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Stream(StrEnum):
    """The direction of a fault: `upstream` is from client to server.

    toxiproxy has no `both`. It is here because a cut network is cut in both directions.
    """

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"

    def covers(self, direction: "Stream") -> bool:
        return self in (Stream.BOTH, direction)


class Certificate(StrEnum):
    VALID = "valid"
    EXPIRED = "expired"
    UNTRUSTED = "untrusted"


class Refused(ValueError):
    """The proxy does not understand the request; the text names the part that is wrong."""


_ATTRIBUTES: Mapping[str, Mapping[str, float]] = {
    "latency": {"latency": 0, "jitter": 0},  # ms
    "bandwidth": {"rate": 0},  # KB/s
    "timeout": {"timeout": 0},  # ms; 0 = data stops for ever ("blackhole")
    "reset_peer": {"timeout": 0},  # ms until the RST
    "http_error": {"share": 0, "status": 502},  # the share of each route's requests that get this answer
}
_DEFAULT_STREAM = {"latency": Stream.DOWNSTREAM, "bandwidth": Stream.DOWNSTREAM, "http_error": Stream.UPSTREAM}


@dataclass(frozen=True, slots=True)
class Toxic:
    """One fault on one link."""

    name: str
    kind: str
    stream: Stream
    attributes: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Toxic":
        """Read toxiproxy's shape: {"name", "type", "stream", "toxicity", "attributes"}; only `type` is needed."""
        unknown = set(body) - {"name", "type", "stream", "toxicity", "attributes"}
        if unknown:
            raise Refused(f"unknown field {sorted(unknown)[0]!r} of a toxic")
        kind = str(body.get("type"))
        if kind not in _ATTRIBUTES:
            raise Refused(f"unknown toxic type {kind!r}; known: {', '.join(_ATTRIBUTES)}")
        if body.get("toxicity", 1) != 1:
            raise Refused("toxicity other than 1 is not supported: a fault here hits every connection")
        stream_text = body.get("stream", _DEFAULT_STREAM.get(kind, Stream.BOTH))
        try:
            stream = Stream(stream_text)
        except ValueError:
            raise Refused(f"unknown stream {stream_text!r}; known: {', '.join(Stream)}") from None
        given = body.get("attributes") or {}
        if not isinstance(given, Mapping):
            raise Refused("attributes must be an object")
        for key, value in given.items():
            if key not in _ATTRIBUTES[kind]:
                raise Refused(f"unknown attribute {key!r} of a {kind} toxic")
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise Refused(f"attribute {key!r} must be a number that is not negative, not {value!r}")
        attributes = {**_ATTRIBUTES[kind], **given}
        if kind == "http_error":
            _refuse_no_http(stream, attributes)
        name = str(body.get("name") or f"{kind}_{stream}")
        return cls(name, kind, stream, attributes)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.kind,
            "stream": str(self.stream),
            "toxicity": 1.0,
            "attributes": dict(self.attributes),
        }


def _refuse_no_http(stream: Stream, attributes: Mapping[str, float]) -> None:
    if stream is not Stream.UPSTREAM:
        raise Refused("http_error answers requests, so its stream is upstream")
    if attributes["share"] > 1:
        raise Refused(f"attribute 'share' is at most 1, not {attributes['share']!r}")
    if attributes["status"] not in range(500, 600):
        raise Refused(f"attribute 'status' is one of a server's errors, 500 to 599, not {attributes['status']!r}")


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that is in force on a link for one direction. It is computed once per change and not per packet."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    rate_bytes_s: float = 0.0
    stopped: bool = False
    close_after_s: float | None = None
    reset_after_s: float | None = None
    error_share: float = 0.0
    error_status: int = 0

    @property
    def clear(self) -> bool:
        return not (self.latency_s or self.jitter_s or self.rate_bytes_s or self.stopped)


def conditions(toxics: Mapping[str, Toxic], direction: Stream) -> Conditions:
    """Sum up the toxics that cover a direction: delays add up, the lowest rate wins, and one stop is enough."""
    latency = jitter = 0.0
    rate = 0.0
    stopped = False
    close_after: float | None = None
    reset_after: float | None = None
    share, status = 0.0, 0
    for toxic in toxics.values():
        if not toxic.stream.covers(direction):
            continue
        values = toxic.attributes
        if toxic.kind == "latency":
            latency += values["latency"] / 1000
            jitter += values["jitter"] / 1000
        elif toxic.kind == "bandwidth":
            this = max(values["rate"], 0.001) * 1000
            rate = min(rate, this) if rate else this
        elif toxic.kind == "timeout":
            stopped = True
            if values["timeout"]:
                close_after = values["timeout"] / 1000
        elif toxic.kind == "http_error":
            share, status = values["share"], int(values["status"])
        else:
            reset_after = values["timeout"] / 1000
    return Conditions(latency, jitter, rate, stopped, close_after, reset_after, share, status)
