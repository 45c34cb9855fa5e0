"""One look at one endpoint: when it was asked, when it answered, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at an endpoint. Times are monotonic seconds.

    `ok` says that the endpoint answered as a healthy one does (HTTP 2xx, PONG, a row); `value` is what it said, `form`
    its content type and encoding; `error` is why there is no value.
    """

    sent_s: float
    done_s: float
    ok: bool
    status: int | None = None
    value: object = None
    error: str | None = None
    form: str = ""

    @property
    def latency_ms(self) -> float:
        """From the moment of asking to the answer (or to giving up), in milliseconds."""
        return (self.done_s - self.sent_s) * 1000

    @property
    def sees_since_s(self) -> float:
        """From here on the look saw the system: an answer shows its own moment, silence all of the waiting for one."""
        return self.done_s if self.error is None else self.sent_s
