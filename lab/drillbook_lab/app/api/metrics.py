"""The metrics for Prometheus: counters of what happened, gauges of what was last known. A scrape waits for nobody."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector

from drillbook_lab.app.stores.cache import Source
from drillbook_lab.app.webhooks.intake import Intake
from drillbook_lab.app.webhooks.queue import QueueMetrics

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BREAKER_STATES = ("closed", "half_open", "open")
_NO_FIGURE = float("nan")


class Metrics:
    """The metrics, in a registry of their own, so that two APIs in one process do not share any."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.webhooks = Counter("webhooks", "Webhooks by result", ["result"], registry=self.registry)
        self.cache = Counter("cache_requests", "Item look-ups by result", ["result"], registry=self.registry)
        self.breaker = Gauge("circuit_breaker_state", "1 for the present state", ["state"], registry=self.registry)
        self.buffer = Gauge("buffer_size", "Acknowledged webhooks in memory alone", registry=self.registry)
        self.buffer_limit = Gauge("buffer_limit", "Room for them", registry=self.registry)
        self.up = Gauge("component_up", "1 when the monitor reached it", ["component"], registry=self.registry)
        self.unreplicated = Gauge(
            "webhooks_unreplicated", "Jobs written while no replica confirmed", registry=self.registry
        )
        self.queue = Gauge("queue_jobs", "Jobs by state, as last counted", ["state"], registry=self.registry)
        self.oldest = Gauge("queue_oldest_active_seconds", "Age of the oldest active job", registry=self.registry)
        self.rate = Gauge("queue_processing_rate", "Jobs a second", registry=self.registry)
        for result in ("redis", "memory", "refused", "malformed", "unauthorized"):
            self.webhooks.labels(result)
        self.errors = Gauge("queue_error_rate", "Failed ones among the jobs that ended", registry=self.registry)
        for source in Source:
            self.cache.labels(source)

    def sample(
        self, *, intake: Intake, unreplicated: int, up: Mapping[str, bool], counted: QueueMetrics | None
    ) -> None:
        """Set the gauges to what is known at this moment; `counted` is None while the queue cannot be counted."""
        for state in _BREAKER_STATES:
            self.breaker.labels(state).set(intake.breaker_state == state)
        self.buffer.set(intake.size)
        self.buffer_limit.set(intake.limit)
        self.unreplicated.set(unreplicated)
        for name, is_up in up.items():
            self.up.labels(name).set(is_up)
        for state in ("depth", "active", "completed", "failed", "delayed"):
            self.queue.labels(state).set(getattr(counted, state) if counted else _NO_FIGURE)
        self.rate.set(counted.processing_rate if counted else _NO_FIGURE)
        self.errors.set(counted.error_rate if counted else _NO_FIGURE)
        self.oldest.set((counted.oldest_active_s or 0.0) if counted else _NO_FIGURE)
