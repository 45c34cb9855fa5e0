"""The contract, `lab.json`: all that `inventories/compose` needs to know of containers that are up."""

from typing import Any

from drillbook_lab.base.topology import MASTER_NAME, QUEUE_NAME, REDIS_NODES, SENTINELS
from drillbook_lab.compose import images
from drillbook_lab.compose.content import Plan
from drillbook_lab.compose.layout import ADDRESSES, CONTAINERS, FRONT, MEMORY_MB, address_of, home_of
from drillbook_lab.compose.project import TAG
from drillbook_lab.hosts.content import OWNER
from drillbook_lab.hosts.layout import PORTS
from drillbook_lab.lifecycle.parts import configuration, history, postgres
from drillbook_lab.lifecycle.parts.keys import Secrets
from drillbook_lab.listeners.sink.mail import USER as SMTP_USER

SCHEMA = 1


def contract(plan: Plan) -> dict[str, Any]:
    """What lab.json says of these containers."""
    keys, front = plan.keys, ADDRESSES[FRONT]
    return {
        "schema": SCHEMA,
        "staging": "compose",
        "id": plan.lab_id,
        "state": str(plan.state),
        "containers": list(CONTAINERS),
        "memory_mb": dict(MEMORY_MB),
        "docker": {
            "command": str(plan.engine.bin / "docker"),
            "url": f"unix://{plan.engine.socket}",
            "compose_file": str(plan.file),
            "tags": str(plan.tags),
            "tag": TAG,
            "stable": history.STABLE,
            "image": images.API,
            "image_of_parts": images.LAB,
        },
        "api": {
            "url": f"http://{front}:{PORTS['users-api']}",
            "port": PORTS["api"],
            "key": keys.api_key,
            "sentinels": configuration.sentinels("api", PORTS),
            "attempts": configuration.ATTEMPTS,
            "database_url": plan.database_url,
            "settings": str(plan.settings),
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
        "redis": _redis(keys),
        "postgres": _postgres(plan),
        "queue": {"name": QUEUE_NAME},
    }


def _redis(keys: Secrets) -> dict[str, Any]:
    return {
        "master_name": MASTER_NAME,
        "admin_password": keys.redis_admin,
        "app_user": configuration.APP_USER,
        "app_password": keys.redis_app,
        "sentinel_password": keys.sentinel,
        "nodes": {name: {"address": ADDRESSES[name], "port": PORTS[name]} for name in REDIS_NODES},
        "sentinels": {name: {"address": ADDRESSES[name], "port": PORTS[name]} for name in SENTINELS},
    }


def _postgres(plan: Plan) -> dict[str, Any]:
    keys = plan.keys
    return {
        "address": address_of("postgres"),
        "port": PORTS["postgres"],
        "user": postgres.ADMIN,
        "password": keys.postgres_admin,
        "app_user": postgres.APP_USER,
        "app_password": keys.postgres_app,
        "database": postgres.DATABASE,
        "bin": str(postgres.binaries()),
        "passfile": str(plan.passfile),
        "volume": str(plan.volume),
        "data": str(plan.homes / home_of("postgres") / "postgres" / "data"),
        "log": str(plan.homes / home_of("postgres") / "logs" / "postgres.log"),
        "owner": OWNER,
    }
