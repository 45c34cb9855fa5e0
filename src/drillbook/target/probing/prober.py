"""The background prober: it looks at every endpoint during the whole drill, and only looks.

One asyncio loop runs in one thread. Each endpoint has its own cadence and its own connection, so that one that hangs
does not delay another. The next probe does not overlap one that takes longer than its interval: it follows at once, and
the samples show the gap. A look during which this process stood still is left out: it is a gap, too.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.times.gaps import Gap, gaps_in, longest
from drillbook.model.times.sample import Sample
from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.patience import Patience
from drillbook.target.probing.probes import Probe, probe_of, take
from drillbook.target.probing.pulse import Pulse
from drillbook.target.probing.sampler import Sampler, Spare
from drillbook.target.probing.series import Series

T = TypeVar("T")
STOP_TIMEOUT_S = 5.0
AT_ONCE = 4
"""The number of endpoints that the prober looks at together."""
_OVER_S = 5.0
"""Seconds to wait beyond the time-out: a look that is cut off there has to be kept, too."""


@dataclass(frozen=True, slots=True)
class ProbeStats:
    """What the sampling of one endpoint gave, and what all sampling cost."""

    endpoint: str
    samples: int
    failures: int
    interval_s: float
    timeout_s: float
    gaps: Sequence[Gap] = ()
    """When nobody looked."""


def _spread(count: int) -> list[float]:
    """The part of its interval at which each endpoint is looked at: a few endpoints share one.

    All at once, each look would measure the others' work. One by one, each look wakes this process twice, which is most
    of its cost: ten endpoints took 5.1 % of a core, and now take 3.4 %. In a group each look measures 0.1 ms of the
    others, and is asked some ms later when another opens a line with TLS.
    """
    groups = math.ceil(count / AT_ONCE)
    return [number // AT_ONCE / groups for number in range(count)]


class Prober:
    """Samples endpoints from `start` to `stop`. Use as a context manager or call `stop` in a finally."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = {name: endpoint for name, endpoint in endpoints.items() if endpoint.probe}
        self._known = endpoints
        self.series = {name: Series(name) for name in self._endpoints}
        self._told: dict[str, Callable[[Sample], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._spare = Spare()
        self._pulse = Pulse()
        self._redirected: dict[str, int] = {}
        self._cpu_s = 0.0
        self._started_s = 0.0
        self._stopped_s: float | None = None

    def on_sample(self, name: str, told: Callable[[Sample], None]) -> None:
        """Register a listener for the samples of an endpoint. It runs in the prober's thread: be quick, never raise.

        It gets each sample once the sample is in the series. Call it before `start`. Raises DrillbookError as `of`
        does.
        """
        self.of(name)
        self._told[name] = told

    def start(self) -> None:
        """Begin to sample; returns when the loop runs. Raises DrillbookError for an endpoint that cannot be asked."""
        samplers = [self._sampler(name, endpoint) for name, endpoint in self._endpoints.items()]
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready, samplers), name="drillbook-prober", daemon=True)
        self._thread.start()
        ready.wait()

    def _run(self, ready: threading.Event, samplers: Sequence[Sampler]) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._started_s = time.monotonic()
        self._pulse.start(self._loop)
        for sampler, part in zip(samplers, _spread(len(samplers)), strict=True):
            self._tasks.append(self._loop.create_task(sampler.run(part * sampler.interval_s)))
        self._loop.call_soon(ready.set)
        try:
            self._loop.run_forever()
        finally:
            self._cpu_s = time.thread_time()
            self._pulse.stop()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _sampler(self, name: str, endpoint: Endpoint) -> Sampler:
        series, told = self.series[name], self._told.get(name)

        def keep(sample: Sample) -> None:
            if self._pulse.stood_still(sample.sent_s):
                return
            series.append(sample)
            if sample.status is not None and 300 <= sample.status < 400:
                self._redirected.setdefault(name, sample.status)
            if told is not None:
                told(sample)

        patience: dict[Probe, Patience] = {}

        def line() -> Probe:
            probe = probe_of(endpoint)
            patience[probe] = Patience(endpoint.timeout_s)
            return probe

        def look(probe: Probe) -> Coroutine[Any, Any, Sample]:
            return take(probe, patience[probe])

        return Sampler(endpoint, line, look, keep, self._spare)

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the prober's loop (the load generator does)."""
        if self._loop is None or not self.alive:
            work.close()
            raise CouldNotLookError("the prober is not running: nothing can be looked at")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def looked(self, since_s: float) -> bool:
        """Wait until each endpoint was looked at since this instant (monotonic); False when a look is missing.

        Takes at most an interval and the time-out of each.
        """
        endpoints = self._endpoints.values()
        until_s = time.monotonic() + max((1 / e.samples_per_s + e.timeout_s for e in endpoints), default=0) + _OVER_S
        for series in self.series.values():
            while series.first_index_since(since_s) == (length := len(series)):
                if not series.wait_beyond(length, until_s, lambda: not self.alive):
                    return False
        return True

    def gaps(self, name: str, since_s: float | None = None, until_s: float | None = None) -> list[Gap]:
        """The gaps in which nobody looked at an endpoint between these instants.

        Instants are monotonic (None: its first look, its last look). Raises DrillbookError as `of` does.
        """
        limit_s = self.endpoint(name).longest_gap_s
        series = self.of(name)
        samples = series.looks()[0 if since_s is None else series.first_index_since(since_s) :]
        return gaps_in(samples, limit_s, since_s, until_s)

    def refuse_unseen(self, what: str, name: str, since_s: float, until_s: float | None = None) -> None:
        """Raise CouldNotLookError when nobody looked for a part of the span that a claim is about."""
        gap = longest(self.gaps(name, since_s, until_s))
        if gap is not None:
            raise CouldNotLookError(f"{what}: {gap} at {name!r}")

    def stood_still(self, since_s: float, until_s: float) -> Gap | None:
        """The longest time between these instants (monotonic) in which the prober's loop stood still; None: none."""
        spans = (Gap(max(each.since_s, since_s), min(each.until_s, until_s)) for each in tuple(self._pulse.pauses))
        return longest(each for each in spans if each.seconds > 0)

    @property
    def alive(self) -> bool:
        """Whether the sampling goes on. A dead prober must never look like a quiet system."""
        return self._thread is not None and self._thread.is_alive() and not any(task.done() for task in self._tasks)

    def endpoint(self, name: str) -> Endpoint:
        """The sampled endpoint of this name. Raises DrillbookError as `of` does."""
        self.of(name)
        return self._endpoints[name]

    def of(self, name: str) -> Series:
        """The series of an endpoint. Raises DrillbookError for an endpoint that is unknown or not sampled."""
        if name in self.series:
            return self.series[name]
        if name in self._known:
            raise DrillbookError(
                f"endpoint {name!r} is not sampled: remove 'probe: false' from it in drillbook_endpoints"
            )
        known = ", ".join(sorted(self._known)) or "none"
        raise DrillbookError(f"no endpoint {name!r} in the inventory's drillbook_endpoints; there are: {known}")

    def stop(self) -> None:
        """End the sampling, and all that `run` still has under way; idempotent. Never raises, and never hangs."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return

        deadline = time.monotonic() + STOP_TIMEOUT_S

        async def end() -> None:
            while (pending := asyncio.all_tasks() - {asyncio.current_task()}) and time.monotonic() < deadline:
                # again and again: a client library that catches a cancellation in its own time-out swallows it
                for task in pending:
                    task.cancel()
                await asyncio.wait(pending, timeout=STOP_TIMEOUT_S / 10)

        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(end(), loop).result(timeout=STOP_TIMEOUT_S * 1.2)
        self._stopped_s = time.monotonic()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=STOP_TIMEOUT_S)

    @property
    def cpu_ratio(self) -> float | None:
        """CPU seconds of the prober's thread (sampling and load) per second, once stopped."""
        if self._stopped_s is None or self._stopped_s <= self._started_s:
            return None
        return self._cpu_s / (self._stopped_s - self._started_s)

    def stats(self) -> list[ProbeStats]:
        """One row per sampled endpoint."""
        return [
            ProbeStats(
                name,
                len(self.series[name]),
                sum(not sample.ok for sample in self.series[name].looks()),
                1 / endpoint.samples_per_s,
                endpoint.timeout_s,
                self.gaps(name, None, self._stopped_s),
            )
            for name, endpoint in self._endpoints.items()
        ]

    def redirected(self) -> Iterator[str]:
        """A sentence for each endpoint that answered with a redirect which the prober did not follow."""
        for name, status in tuple(self._redirected.items()):
            judged = "that counts as healthy" if status < self._endpoints[name].healthy_below else "that is not healthy"
            yield (
                f"{name!r} was answered by a redirect (status {status}), and {judged}: name the place itself in its "
                "url, or set follow: true or healthy: 3xx"
            )

    def unseen(self, at: Callable[[float], float]) -> Iterator[str]:
        """A sentence for each endpoint that nobody looked at for a time; `at` turns an instant into drill time."""
        for each in self.stats():
            gap = longest(each.gaps)
            if gap is not None:
                still = self.stood_still(gap.since_s, gap.until_s)
                why = f"; for {still.seconds:.1f} s of it this process stood still" if still is not None else ""
                more = f" (and {len(each.gaps) - 1} times for less)" if len(each.gaps) > 1 else ""
                yield f"{gap} at {each.endpoint!r}, from {at(gap.since_s):.1f} s on{more}{why}"

    def __enter__(self) -> Prober:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
