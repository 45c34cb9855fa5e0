"""The contract, `lab.json`: all that `inventories/hosts` needs to know of machines that are up."""

from collections.abc import Mapping
from typing import Any

from drillbook_lab.base.topology import MASTER_NAME, QUEUE_NAME, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.hosts.content import Plan
from drillbook_lab.hosts.layout import ADDRESSES, FRONT, MACHINES, PORTS, address_of
from drillbook_lab.hosts.rootfs import ADMINISTRATOR
from drillbook_lab.hosts.units import HOME
from drillbook_lab.lifecycle.parts import configuration, postgres
from drillbook_lab.listeners.sink.mail import USER as SMTP_USER

SCHEMA = 1


def contract(plan: Plan) -> dict[str, Any]:
    """What lab.json says of these machines."""
    keys, front = plan.keys, ADDRESSES[FRONT]
    return {
        "schema": SCHEMA,
        "staging": "hosts",
        "id": plan.lab_id,
        "state": str(plan.state),
        "machines": {name: {"address": ADDRESSES[name], "programs": list(MACHINES[name])} for name in MACHINES},
        "at": {name: address_of(name) for name in (*REDIS_NODES, *SENTINELS, *WORKERS, "postgres", "api")},
        "ssh": {"user": ADMINISTRATOR, "key": str(plan.key), "known_hosts": str(plan.known_hosts)},
        "api": {
            "url": f"http://{front}:{PORTS['users-api']}",
            "key": keys.api_key,
            "sentinels": configuration.sentinels("api", PORTS),
            "attempts": configuration.ATTEMPTS,
            "database_url": postgres.url(PORTS["api-postgres"], postgres.APP_USER, keys.postgres_app),
            "settings": f"{HOME}/env/api.env",
        },
        "frontend": {"url": f"http://{front}:{PORTS['users-cdn']}"},
        "sink": {"url": f"http://{front}:{PORTS['drill-sink']}", "token": keys.chat_token},
        "smtp": {
            "host": front,
            "port": PORTS["drill-smtp"],
            "user": SMTP_USER,
            "password": keys.smtp,
            "ca": str(plan.authority),
        },
        "logs": f"{HOME}/logs",
        "redis": {
            "master_name": MASTER_NAME,
            "admin_password": keys.redis_admin,
            "app_user": configuration.APP_USER,
            "app_password": keys.redis_app,
            "sentinel_password": keys.sentinel,
            "nodes": {name: {"address": address_of(name), "port": PORTS[name]} for name in REDIS_NODES},
            "sentinels": {name: {"address": address_of(name), "port": PORTS[name]} for name in SENTINELS},
        },
        "postgres": {
            "address": address_of("postgres"),
            "port": PORTS["postgres"],
            "user": postgres.ADMIN,
            "password": keys.postgres_admin,
            "app_password": keys.postgres_app,
            "database": postgres.DATABASE,
        },
        "queue": {"name": QUEUE_NAME},
    }


def ssh(told: Mapping[str, Any], machine: str) -> list[str]:
    """The command before one that runs on a machine over ssh, without a question to anybody; `told` is the contract."""
    by = told["ssh"]
    words = ["ssh", "-F", "none", "-i", by["key"], "-o", f"UserKnownHostsFile={by['known_hosts']}"]
    return [
        *words,
        *("-o", "BatchMode=yes", "-o", "ConnectTimeout=5"),
        f"{by['user']}@{told['machines'][machine]['address']}",
    ]
