"""Which part runs on which machine, and where it is reached: plain data.

Packets are dropped by address, whatever they are for. So the API shares its machine with no node of Redis, with no
worker, and not with PostgreSQL: a cut of the API from Redis must not cut a node from the others, a worker from Redis,
or a worker from the database. Most machines have a proxy of their own, as a sidecar. The programs on the machine reach
Redis and PostgreSQL through it, and it terminates TLS.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from drillbook_lab.base.topology import HOST, LINKS, REDIS_NODES, SENTINELS, WORKERS

NETWORK = "10.78.0"
CONTROL = f"{NETWORK}.1"
"""The address of the drill, on the same bridge."""

MACHINES: Mapping[str, tuple[str, ...]] = {
    "host-1": ("redis-1", "sentinel-1", "proxy", "worker-1"),
    "host-2": ("redis-2", "sentinel-2", "proxy", "worker-2", "worker-3"),
    "host-3": ("sentinel-3", "proxy", "sink", "web", "api", "alerting"),
    "host-4": ("postgres",),
}
ADDRESSES: Mapping[str, str] = {name: f"{NETWORK}.{11 + place}" for place, name in enumerate(MACHINES)}
FRONT = "host-3"
"""The machine that users reach. A drill asks its proxy."""

_WELL_KNOWN = {
    **{name: 6379 + place for place, name in enumerate(REDIS_NODES)},
    **{name: 26379 + place for place, name in enumerate(SENTINELS)},
    "postgres": 5432,
    **{name: 8091 + place for place, name in enumerate(WORKERS)},
    "api": 8080,
    "sink": 8081,
    "proxy": 8474,
    "web": 8082,
    "cdn": 8083,
    "smtp": 8025,
}
_FOR_ALL = {
    "users-api": "api",
    "users-cdn": "cdn",
    **{f"drill-{name}": name for name in ("sink", "smtp", "web", "proxy", *WORKERS)},
    **{link.name: link.server for link in LINKS if link.client == "drill" and link.tls},
}
"""The links that listen for other machines, each to a server beside it. Those to Redis have TLS."""
_TLS = {link.name for link in LINKS if link.tls}
_WITHIN = {"cdn": "web", "smtp": "sink"}
"""Servers that are no programs of their own, and the program that they belong to."""
PORTS: Mapping[str, int] = {
    **_WELL_KNOWN,
    **{name: 17000 + place for place, name in enumerate(dict.fromkeys([*(link.name for link in LINKS), *_FOR_ALL]))},
}
"""The ports are the same on every machine, because each has a network of its own."""


def machine_of(program: str) -> str:
    """The machine on which a program runs. For a proxy it is one of several."""
    return next(name for name, programs in MACHINES.items() if program in programs)


def address_of(program: str) -> str:
    return ADDRESSES[machine_of(program)]


def address_of_link(name: str) -> str:
    """Where a link that listens for other machines does so."""
    server = _FOR_ALL[name]
    return ADDRESSES[FRONT] if server == "proxy" else address_of(_WITHIN.get(server, server))


REACHED: Mapping[str, str] = {name: address_of(name) for name in (*REDIS_NODES, *SENTINELS)}
"""The address of each node and Sentinel, which they tell each other and their clients."""


def clients(machine: str) -> set[str]:
    """The clients whose links the proxy of a machine has."""
    here = MACHINES[machine]
    return {
        *(("api",) if "api" in here else ()),
        *(("worker",) if set(WORKERS) & set(here) else ()),
        *(("alerting",) if "alerting" in here else ()),
    }


def links(machine: str) -> dict[str, dict[str, Any]]:
    """The links of a machine's proxy, as its configuration has them."""
    own = rows_of_clients(clients(machine), lambda server: HOST if server in MACHINES[machine] else address_of(server))
    here = {name: server for name, server in _FOR_ALL.items() if address_of_link(name) == ADDRESSES[machine]}
    return own | rows_for_others(here, ADDRESSES[machine])


def rows_of_clients(clients: Collection[str], reached: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """The links of these clients; `reached` gives the address of a server."""
    return {
        link.name: {
            "client": link.client,
            "server": link.server,
            "listen": PORTS[link.name],
            "upstream": PORTS[link.server],
            "upstream_host": reached(link.server),
            "tls": link.tls,
        }
        for link in LINKS
        if link.client in clients
    }


def rows_for_others(servers: Mapping[str, str], address: str) -> dict[str, dict[str, Any]]:
    """Links that listen at an address for others, each to a server beside it."""
    return {
        name: {
            "client": name.partition("-")[0],
            "server": server,
            "listen": PORTS[name],
            "listen_host": address,
            "upstream": PORTS[server],
            "upstream_host": HOST,
            "tls": name in _TLS,
        }
        for name, server in servers.items()
    }
