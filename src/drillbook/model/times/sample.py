"""One look at one endpoint: when it asked, when the endpoint answered, and what it saw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at an endpoint. Times are monotonic seconds.

    `ok`: the endpoint answered as a healthy one does (HTTP 2xx, PONG, a row). `value` is its answer, `form` the
    answer's content type and encoding; `error` says why there is no value.
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
        """Milliseconds from asking to the answer (or to giving up)."""
        return (self.done_s - self.sent_s) * 1000

    @property
    def sees_since_s(self) -> float:
        """The look saw the system from this moment on.

        An answer shows its own moment; silence shows all of the waiting time.
        """
        return self.done_s if self.error is None else self.sent_s
