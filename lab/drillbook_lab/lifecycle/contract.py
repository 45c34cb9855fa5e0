"""The contract, `lab.json`: all that anybody outside needs to know of a lab that is up."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from drillbook_lab.base.topology import HOST, MASTER_NAME, PROGRAMS, QUEUE_NAME, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.lifecycle import state
from drillbook_lab.lifecycle.blueprint import Blueprint
from drillbook_lab.lifecycle.parts import barman, configuration, history, nodejs, postgres, prometheus
from drillbook_lab.lifecycle.parts.vendors import clients, standins
from drillbook_lab.listeners.sink.mail import USER as SMTP_USER

SCHEMA = 1


def contract(lab: Blueprint) -> dict[str, Any]:
    """What lab.json says of this lab."""
    return {
        "schema": SCHEMA,
        "id": lab.lab_id,
        "state": str(lab.state),
        "python": sys.executable,
        "ca": str(lab.authority.ca),
        "version": lab.version,
        "supervisor": {
            "conf": str(state.conf(lab.state)),
            "ctl": str(Path(sys.executable).with_name("supervisorctl")),
        },
        "api": {
            "url": lab.http("users-api"),
            "direct_url": lab.http("api"),
            "key": lab.keys.api_key,
            "sentinels": configuration.sentinels("api", lab.ports),
            "attempts": configuration.ATTEMPTS,
            "database_url": postgres.url(lab.ports["api-postgres"], postgres.APP_USER, lab.keys.postgres_app),
        },
        "sink": {
            "url": lab.http("sink"),
            "token": lab.keys.chat_token,
            "smtp": {"host": HOST, "port": lab.ports["smtp"], "user": SMTP_USER, "password": lab.keys.smtp},
        },
        "proxy": {"url": lab.http("proxy")},
        "redis": _redis(lab),
        "postgres": _postgres(lab),
        "links": configuration.links(lab.ports),
        "env": {client: str(lab.settings(client)) for client in ("api", "worker")},
        "queue": {"name": QUEUE_NAME},
        "workers": {name: {"url": lab.http(name), "site": str(state.workers(lab.state) / name)} for name in WORKERS},
        "product": {
            "repository": str(state.repository(lab.state)),
            "site": str(state.site(lab.state)),
            "stable": history.STABLE,
            "bad": history.BAD,
        },
        "frontend": {
            "url": lab.http("users-cdn"),
            "origin_url": lab.http("web"),
            "site": str(state.frontend(lab.state)),
            "cdn_url": lab.http("cdn"),
            "purge_token": lab.keys.purge,
        },
        "storage": {"url": lab.http("storage"), "bucket": "uploads", "found": find_spec("moto") is not None},
        "node": {"folder": str(state.node_worker(lab.state)), "found": nodejs.find() is not None},
        "alerting": str(lab.alerting),
        "prometheus": _prometheus(lab),
        "barman": {
            "command": [*lab.cluster.run_as, *barman.command(lab.cluster.barman)],
            "server": barman.SERVER,
            "folder": str(lab.cluster.barman),
            "missing": barman.missing(),
        },
        "platforms": _platforms(lab),
        "logs": str(lab.state / "logs"),
        "programs": list(PROGRAMS),
    }


def _platforms(lab: Blueprint) -> dict[str, Any]:
    """The stand-ins of the vendors, and how the vendors' clients are called."""
    found = clients.clients().values()
    return {
        "url": lab.http("platforms"),
        "token": lab.keys.platforms,
        "session_secret": lab.keys.session,
        "session": standins.session(lab.keys.session),
        "folder": str(state.platforms(lab.state)),
        "commands": {each.name: list(each.command) if each.there else [] for each in found},
        "vercel": lab.http("vercel"),
        "workers": lab.http("workers"),
    }


def _redis(lab: Blueprint) -> dict[str, Any]:
    return {
        "master_name": MASTER_NAME,
        "admin_password": lab.keys.redis_admin,
        "app_user": configuration.APP_USER,
        "app_password": lab.keys.redis_app,
        "sentinel_password": lab.keys.sentinel,
        "nodes": {name: {"port": lab.ports[name]} for name in REDIS_NODES},
        "sentinels": {name: {"port": lab.ports[name]} for name in SENTINELS},
    }


def _postgres(lab: Blueprint) -> dict[str, Any]:
    return {
        "port": lab.ports["postgres"],
        "user": postgres.ADMIN,
        "password": lab.keys.postgres_admin,
        "database": postgres.DATABASE,
        "app_user": postgres.APP_USER,
        "app_password": lab.keys.postgres_app,
        "bin": str(postgres.binaries()),
        "data": str(lab.cluster.data),
        "archive": str(lab.cluster.archive),
        "backups": str(lab.cluster.backups),
        "passfile": str(lab.cluster.passfile),
        "volume": str(lab.cluster.volume),
        "os_user": postgres.os_user(),
        "run_as": list(lab.cluster.run_as),
    }


def _prometheus(lab: Blueprint) -> dict[str, Any]:
    own, missing = state.prometheus(lab.state), prometheus.find().missing
    return {
        "url": lab.http("prometheus"),
        "alertmanager_url": lab.http("alertmanager"),
        "config": str(prometheus.config_file(own)),
        "rules": str(prometheus.rules_folder(own)),
        "figures": list(prometheus.FIGURES),
        "missing": [prometheus.how_to_get(missing)] if missing else [],
    }


def ports_of(contract: Mapping[str, Any]) -> dict[str, int]:
    """The port of each program that has one."""
    nodes = {**contract["redis"]["nodes"], **contract["redis"]["sentinels"], "postgres": contract["postgres"]}
    http = {name: contract[name].get("direct_url", contract[name]["url"]) for name in ("api", "sink", "proxy")}
    http |= {name: worker["url"] for name, worker in contract["workers"].items()}
    web = contract["frontend"]["origin_url"]
    stack = {"prometheus": contract["prometheus"]["url"], "alertmanager": contract["prometheus"]["alertmanager_url"]}
    return {
        **{name: int(node["port"]) for name, node in nodes.items()},
        **{name: int(url.rsplit(":", 1)[1]) for name, url in {**http, **stack, "web": web}.items()},
    }
