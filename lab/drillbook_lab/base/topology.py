"""What the lab consists of, as plain data: its programs, its links and the ports that they need.

A link is a path "<client>-<server>" through the fault proxy. Each client has links of its own. So a cut of "the network
between api and redis" affects neither the workers nor the drill that observes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

MASTER_NAME = "lab"
QUEUE_NAME = "webhooks"
HOST = "127.0.0.1"

REDIS_NODES = ("redis-1", "redis-2")
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
WORKERS = ("worker-1", "worker-2", "worker-3")
SENTINEL_QUORUM = 2
# Measured: with 1000 ms Valkey 9.1.2 flaps (a just promoted, healthy node is marked down about 1 s after the switch).
# With 2000 ms, and four labs on two cores, a primary that only waited for the processor was taken for dead.
SENTINEL_DOWN_AFTER_MS = 3000

# What listens by itself, not through the proxy.
SERVERS = (*REDIS_NODES, *SENTINELS, "postgres", "api", "sink", "proxy", "web", "cdn", *WORKERS)
PROGRAMS = (*REDIS_NODES, *SENTINELS, "disk", "postgres", "proxy", "sink", "web", "api", *WORKERS, "alerting")
STARTED_BY_DRILLS = ("storage", "prometheus", "alertmanager", "barman", "platforms")
"""Programs that take long to start, or that not everybody has installed: `up` does not start them by itself. It starts
the platforms where a vendor's client is installed.
"""
BY_PROMETHEUS = ("alertmanager", "prometheus")
"""What stands in for the lab's own alerting, in the order in which it is started."""


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A path from a client to a server; `tls` says whether the proxy terminates TLS on it."""

    client: str
    server: str
    tls: bool

    @property
    def name(self) -> str:
        return f"{self.client}-{self.server}"


def _data_links(client: str) -> Iterable[LinkSpec]:
    for server in (*REDIS_NODES, *SENTINELS):
        yield LinkSpec(client, server, tls=True)
    yield LinkSpec(client, "postgres", tls=False)


LINKS: tuple[LinkSpec, ...] = (
    *_data_links("api"),
    *_data_links("worker"),
    *_data_links("drill"),
    LinkSpec("alerting", "api", tls=False),
    LinkSpec("alerting", "sink", tls=False),
    LinkSpec("users", "api", tls=False),
    LinkSpec("users", "cdn", tls=False),
)

_OF_DRILLS = ("storage", *BY_PROMETHEUS, "platforms", "vercel", "workers")
NEEDED = (*SERVERS, *(link.name for link in LINKS), "supervisor", "smtp", *_OF_DRILLS)
