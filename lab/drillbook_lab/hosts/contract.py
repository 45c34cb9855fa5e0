"""The contract, `lab.json`: all that `inventories/hosts` needs to know of machines that are up."""

from collections.abc import Mapping
from typing import Any

from drillbook_lab.base.topology import MASTER_NAME, QUEUE_NAME, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.hosts.content import Plan
from drillbook_lab.hosts.layout import ADDRESSES, FRONT, MACHINES, PORTS, address_of, address_of_link, machine_of
from drillbook_lab.hosts.rootfs import ADMINISTRATOR
from drillbook_lab.hosts.units import HOME, LIBRARY, POSTGRES, USER
from drillbook_lab.lifecycle.parts import configuration, history, postgres
from drillbook_lab.listeners.sink.mail import USER as SMTP_USER

SCHEMA = 1
_HOSTS = (*REDIS_NODES, *SENTINELS, *WORKERS, "postgres", "api", "web")
"""What has a host of its own in the inventory."""


def contract(plan: Plan) -> dict[str, Any]:
    """What lab.json says of these machines."""
    keys, front = plan.keys, ADDRESSES[FRONT]
    return {
        "schema": SCHEMA,
        "staging": "hosts",
        "id": plan.lab_id,
        "state": str(plan.state),
        "machines": {name: {"address": ADDRESSES[name], "programs": list(MACHINES[name])} for name in MACHINES},
        "at": {name: address_of(name) for name in _HOSTS},
        # the end of each machine's cable that lies in the network of the drill
        "cables": {name: f"v-{machine_of(name)}" for name in _HOSTS},
        "ssh": {"user": ADMINISTRATOR, "key": str(plan.key), "known_hosts": str(plan.known_hosts)},
        "api": {
            "url": _http("users-api"),
            "key": keys.api_key,
            "sentinels": configuration.sentinels("api", PORTS),
            "attempts": configuration.ATTEMPTS,
            "database_url": plan.database_url,
            "settings": f"{HOME}/env/api.env",
        },
        "proxy": {"url": _http("drill-proxy")},
        "workers": {name: {"url": _http(f"drill-{name}"), "site": f"{HOME}/workers/{name}"} for name in WORKERS},
        "product": {
            "repository": f"{HOME}/git/origin.git",
            "site": f"{HOME}/site",
            "stable": history.STABLE,
            "bad": history.BAD,
            "python": ["env", f"PYTHONPATH={LIBRARY}", "PYTHONDONTWRITEBYTECODE=1", "/usr/bin/python3"],
        },
        "frontend": {
            "url": _http("users-cdn"),
            "origin_url": _http("drill-web"),
            "site": f"{HOME}/frontend",
            "purge_token": keys.purge,
        },
        "sink": {"url": _http("drill-sink"), "token": keys.chat_token},
        "smtp": {
            "host": front,
            "port": PORTS["drill-smtp"],
            "user": SMTP_USER,
            "password": keys.smtp,
            "ca": str(plan.authority),
        },
        "logs": f"{HOME}/logs",
        "redis": _redis(plan),
        "postgres": _postgres(plan),
        "queue": {"name": QUEUE_NAME},
    }


def _redis(plan: Plan) -> dict[str, Any]:
    keys = plan.keys
    return {
        "master_name": MASTER_NAME,
        "admin_password": keys.redis_admin,
        "app_user": configuration.APP_USER,
        "app_password": keys.redis_app,
        "sentinel_password": keys.sentinel,
        "ca": str(plan.authority),
        "nodes": {name: _node(name) for name in REDIS_NODES},
        "sentinels": {name: _node(name) for name in SENTINELS},
    }


def _postgres(plan: Plan) -> dict[str, Any]:
    keys = plan.keys
    return {
        "address": address_of("postgres"),
        "port": PORTS["postgres"],
        "user": postgres.ADMIN,
        "password": keys.postgres_admin,
        "app_password": keys.postgres_app,
        "database": postgres.DATABASE,
        "app_user": postgres.APP_USER,
        "bin": POSTGRES,
        "folder": f"{HOME}/postgres",
        "os_user": USER,
    }


def _http(link: str) -> str:
    """The address of a link that listens for other machines."""
    return f"http://{address_of_link(link)}:{PORTS[link]}"


def _node(name: str) -> dict[str, Any]:
    """Where a node or a Sentinel is; `tls_port` is the one at which its machine's proxy adds TLS."""
    return {"address": address_of(name), "port": PORTS[name], "tls_port": PORTS[f"drill-{name}"]}


def ssh(told: Mapping[str, Any], machine: str) -> list[str]:
    """The command before one that runs on a machine over ssh, without a question to anybody; `told` is the contract."""
    by = told["ssh"]
    words = ["ssh", "-F", "none", "-i", by["key"], "-o", f"UserKnownHostsFile={by['known_hosts']}"]
    return [
        *words,
        *("-o", "BatchMode=yes", "-o", "ConnectTimeout=5"),
        f"{by['user']}@{told['machines'][machine]['address']}",
    ]
