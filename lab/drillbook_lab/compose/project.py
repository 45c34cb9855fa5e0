"""The text of the Compose file. What a drill breaks stays broken until somebody acts: only instruments come back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from drillbook_lab.base.topology import REDIS_NODES
from drillbook_lab.compose import images
from drillbook_lab.compose.layout import ADDRESSES, CONTAINERS, MEMORY_MB, NETWORK, PODS, home_of, links
from drillbook_lab.hosts.layout import PORTS
from drillbook_lab.hosts.units import HOME, LIBRARY, Unit

HEALTH_EVERY = "5s"
"""A check is a process: one each second would cost a fifth of a core for each container."""
TAG = "API_TAG"
"""The variable of the file `.env` beside the Compose file that names the image of the API."""


def compose_file(name: str, units: dict[str, Unit], homes: Path, owner: int, *, disk: Path, seen_at: Path) -> str:
    """The Compose file; `seen_at` is where the server of the database sees the small disk `disk`."""
    known = {**units, **{f"net-{pod}": _network(pod, units["proxy"]) for pod in PODS}}
    services = {each: _service(each, known[each], homes, owner) for each in CONTAINERS}
    data = homes / home_of("postgres") / "postgres"
    # plays that move the server's files name them by a path that leads there on the machine, too
    services["postgres"]["volumes"] += [f"{disk}:{seen_at}", f"{data}:{data}"]
    services["api"]["image"] = f"{images.API}:${{{TAG}:?}}"
    network = {"driver": "bridge", "ipam": {"config": [{"subnet": f"{NETWORK}.0/24"}]}}
    # JSON is YAML, and needs no library here
    return json.dumps({"name": name, "services": services, "networks": {"lab": network}}, indent=2) + "\n"


def _network(pod: str, proxy: Unit) -> Unit:
    """What runs in the container that has a pod's network."""
    return proxy if links(pod) else replace(proxy, command=("sleep", "infinity"))


def _service(name: str, unit: Unit, homes: Path, owner: int) -> dict[str, Any]:
    home = homes / home_of(name)
    secret = home / "env" / f"{unit.name}.secret"
    service: dict[str, Any] = {
        "container_name": name,
        "image": images.LAB,
        "pull_policy": "never",
        "user": f"{owner}:{owner}",
        "working_dir": f"{HOME}/{unit.folder}",
        "command": _command(unit),
        "environment": {
            "PYTHONPATH": LIBRARY,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SSL_CERT_FILE": f"{HOME}/tls/ca.pem",
        },
        "volumes": [f"{home}:{HOME}"],
        "restart": unit.restart,
        "stop_signal": unit.stop_signal,
        "stop_grace_period": "10s",
    }
    if secret.exists():
        service["env_file"] = [str(secret)]
    if name in ADDRESSES or name.startswith("net-"):
        service["networks"] = {"lab": {"ipv4_address": ADDRESSES[home_of(name)]}}
        service["hostname"] = home_of(name)
    else:
        service["network_mode"] = f"service:net-{next(pod for pod, names in PODS.items() if name in names)}"
    if name in MEMORY_MB:
        # without swap, so that the limit is one
        service["mem_limit"] = service["memswap_limit"] = f"{MEMORY_MB[name]}m"
    if name in _HEALTHY:
        service["healthcheck"] = {
            # Compose takes a single dollar for a variable of its own
            "test": ["CMD", "bash", "-c", _HEALTHY[name].replace("$", "$$")],
            "interval": HEALTH_EVERY,
            "timeout": "3s",
            "retries": 2,
        }
    return service


def _command(unit: Unit) -> list[str]:
    """The command of a program. What has something to do before, or a log of its own, is started by a shell."""
    if unit.before is None and unit.log is None:
        return list(unit.command)
    # what it says goes to the engine too, and the program itself takes the place of the shell
    log = f" > >(exec tee -a {unit.log}) 2>&1" if unit.log else ""
    first = f"{unit.before}; " if unit.before else ""
    return ["bash", "-euc", f"{first}exec {' '.join(unit.command)}{log}"]


def _answers(port: int, question: str, wanted: str) -> str:
    """A check without a Python: bash opens the connection itself."""
    asks = f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{question}' >&3 && read -r -t 2 said <&3"
    return f'{asks} && [[ "$said" == *"{wanted}"* ]]'


_HEALTHY = {
    "api": _answers(PORTS["api"], "GET /health/live HTTP/1.0\\r\\n\\r\\n", " 200 "),
    # whoever is asked for the password is answered
    **{name: _answers(PORTS[name], "PING\\r\\n", "") for name in REDIS_NODES},
    "postgres": f"exec 3<>/dev/tcp/127.0.0.1/{PORTS['postgres']}",
}
"""How the engine sees whether a container is healthy."""
