"""The texts of the servers' and the application's configuration files, which the caller writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drillbook_lab.base.topology import (
    HOST,
    LINKS,
    MASTER_NAME,
    REDIS_NODES,
    SENTINEL_DOWN_AFTER_MS,
    SENTINEL_QUORUM,
    SENTINELS,
)
from drillbook_lab.lifecycle.parts.keys import Secrets
from drillbook_lab.lifecycle.parts.tls import KINDS, TlsFiles

APP_USER = "app"
ALL_ON_LOOPBACK: Mapping[str, str] = {}
"""The address of each program that has an address of its own. In the embedded lab none has one."""
ATTEMPTS = "5"
"""How often a job is tried before it is left in `failed`."""
# What an application needs and no more: it may not call KEYS, FLUSHALL, CONFIG or SHUTDOWN.
_APP_MAY = "+@all -@dangerous +info +client|setname +client|setinfo +client|list +client|id +client|getname"


def _listening(name: str, folder: Path, ports: Mapping[str, int], at: Mapping[str, str]) -> list[str]:
    """The first lines for a node and a Sentinel: each runs on loopback, in the foreground, in a folder of its own.

    A program with an address of its own in `at` listens on all addresses: other machines reach it at its own address,
    and programs beside it on loopback.
    """
    return [
        f"bind {'0.0.0.0' if name in at else HOST}",
        f"port {ports[name]}",
        f'dir "{folder}"',
        "daemonize no",
        # A title would overwrite the environment, by which `down` knows the lab's own processes.
        "set-proc-title no",
    ]


def redis_conf(
    name: str, folder: Path, ports: Mapping[str, int], keys: Secrets, *, at: Mapping[str, str] = ALL_ON_LOOPBACK
) -> str:
    """The configuration of a node. The first starts as the primary. Sentinel rewrites this file when roles change."""
    lines = [
        *_listening(name, folder, ports, at),
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        f"requirepass {keys.redis_admin}",
        f"masterauth {keys.redis_admin}",
        f"user {APP_USER} on >{keys.redis_app} ~* &* {_APP_MAY}",
        # By default a primary waits 5 s for more replicas before it sends its data to the first.
        "repl-diskless-sync-delay 0",
        f"replica-announce-ip {at.get(name, HOST)}",
    ]
    if name != REDIS_NODES[0]:
        lines.append(f"replicaof {at.get(REDIS_NODES[0], HOST)} {ports[REDIS_NODES[0]]}")
    return "\n".join(lines) + "\n"


def sentinel_conf(
    name: str,
    folder: Path,
    ports: Mapping[str, int],
    ids: Mapping[str, str],
    keys: Secrets,
    *,
    at: Mapping[str, str] = ALL_ON_LOOPBACK,
) -> str:
    """The configuration of a sentinel that knows the replica and its peers from the start.

    It has the lines that the sentinel's own CONFIG REWRITE would write.

    By discovery, sentinels learn of a replica from an INFO every 10 s, and of each other from a hello every 2 s.
    """
    lines = [
        *_listening(name, folder, ports, at),
        f"requirepass {keys.sentinel}",
        f"sentinel sentinel-pass {keys.sentinel}",
        f"sentinel announce-ip {at.get(name, HOST)}",
        f"sentinel myid {ids[name]}",
        f"sentinel monitor {MASTER_NAME} {at.get(REDIS_NODES[0], HOST)} {ports[REDIS_NODES[0]]} {SENTINEL_QUORUM}",
        f"sentinel auth-pass {MASTER_NAME} {keys.redis_admin}",
        f"sentinel down-after-milliseconds {MASTER_NAME} {SENTINEL_DOWN_AFTER_MS}",
        f"sentinel failover-timeout {MASTER_NAME} 10000",
        f"sentinel parallel-syncs {MASTER_NAME} 1",
        *(f"sentinel known-replica {MASTER_NAME} {at.get(node, HOST)} {ports[node]}" for node in REDIS_NODES[1:]),
        *(
            f"sentinel known-sentinel {MASTER_NAME} {at.get(peer, HOST)} {ports[peer]} {ids[peer]}"
            for peer in SENTINELS
            if peer != name
        ),
    ]
    return "\n".join(lines) + "\n"


def proxy_config(ports: Mapping[str, int], tls: TlsFiles) -> dict[str, Any]:
    return {
        "port": ports["proxy"],
        "tls": {kind: str(tls.server(kind)) for kind in KINDS},
        "links": links(ports),
    }


def links(ports: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """All links with their ports, as the contract and the proxy's configuration show them."""
    return {
        link.name: {
            "client": link.client,
            "server": link.server,
            "listen": ports[link.name],
            "upstream": ports[link.server],
            "tls": link.tls,
        }
        for link in LINKS
    }


def sentinels(client: str, ports: Mapping[str, int]) -> str:
    """Where the API or a worker finds the Sentinels, as its settings say it."""
    return ",".join(str(ports[f"{client}-{name}"]) for name in SENTINELS)


def settings(
    client: str,
    *,
    ports: Mapping[str, int],
    keys: Secrets,
    tls: TlsFiles,
    database_url: str,
    site: Path,
) -> str:
    """The settings file of the API or the workers; every address in it is the client's own link."""
    values = {
        "REDIS_MASTER": MASTER_NAME,
        "REDIS_SENTINELS": sentinels(client, ports),
        "REDIS_NAT": ",".join(f"{ports[name]}={ports[f'{client}-{name}']}" for name in REDIS_NODES),
        "REDIS_USERNAME": APP_USER,
        "REDIS_PASSWORD": keys.redis_app,
        "REDIS_SENTINEL_PASSWORD": keys.sentinel,
        "REDIS_CA": f"'{tls.ca}'",
        "DATABASE_URL": database_url,
        "API_KEY": keys.api_key,
        "API_PORT": str(ports["api"]),
        "BUFFER_LIMIT": "1000",
        "ATTEMPTS": ATTEMPTS,
        "CONCURRENCY": "3",
        "DEDUPLICATE": "1",
        "SITE": f"'{site}'",
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())
