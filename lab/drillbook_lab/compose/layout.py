"""Which program runs in which container, and where it is reached: plain data.

A node of Redis and a Sentinel have an address of their own. The others share the network of a container that is there
for it, as in a pod: the network outlives them, so that who asks a dead one is refused at once, and not after seconds.
The API and the workers reach Redis through a fault proxy in their network, which terminates TLS.
"""

from collections.abc import Mapping
from typing import Any

from drillbook_lab.base.topology import HOST, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.hosts.layout import rows_for_others, rows_of_clients

NETWORK = "10.79.0"
CONTROL = f"{NETWORK}.1"
"""The address of the drill, on the same bridge."""

PODS: Mapping[str, tuple[str, ...]] = {
    "front": ("sink", "web", "api", "alerting"),
    "work": WORKERS,
    "data": ("postgres",),
}
"""Programs that share a network, by its name. The container `net-NAME` has that network, and the proxy in it."""
ALONE = (*REDIS_NODES, *SENTINELS)
ADDRESSES: Mapping[str, str] = {name: f"{NETWORK}.{11 + place}" for place, name in enumerate((*ALONE, *PODS))}
REACHED: Mapping[str, str] = {name: ADDRESSES[name] for name in (*REDIS_NODES, *SENTINELS)}
"""The address of each node and Sentinel, which they tell each other and their clients."""
FRONT = "front"
"""The network that users reach."""
_CLIENTS: Mapping[str, tuple[str, ...]] = {"front": ("api", "alerting"), "work": ("worker",), "data": ()}
_OPEN = {"users-api": "api", "users-cdn": "cdn", "drill-sink": "sink", "drill-smtp": "smtp"}
"""The links that listen for others, each to a server beside them."""

CONTAINERS: tuple[str, ...] = (
    *ALONE,
    *(f"net-{pod}" for pod in PODS),
    *(name for names in PODS.values() for name in names),
)
"""The containers, which have the names of their services."""
MEMORY_MB = {"api": 256, **dict.fromkeys(WORKERS, 256), "postgres": 512}
"""Limits. A container without one may use what the machine has."""


def home_of(container: str) -> str:
    """The name of the folder that a container has as its home; the containers of a pod share one."""
    return next((pod for pod, names in PODS.items() if container in (*names, f"net-{pod}")), container)


def address_of(container: str) -> str:
    return ADDRESSES[home_of(container)]


def links(pod: str) -> dict[str, dict[str, Any]]:
    """The links of a pod's proxy, as its configuration has them."""
    own = rows_of_clients(_CLIENTS[pod], lambda server: HOST if server in PODS[pod] else address_of(server))
    return own | rows_for_others(_OPEN if pod == FRONT else {}, ADDRESSES[pod])
