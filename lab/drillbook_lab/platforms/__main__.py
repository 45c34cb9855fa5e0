"""`python -m drillbook_lab.platforms CONFIG`: the vendors' APIs on one port, and what is deployed there on others.

CONFIG is JSON: {"host", "ports": {"platforms", "vercel", "workers"}, "content", "socket", "workerd", "served",
"runner": {"folder", "tools", "log"}}. GitHub's client finds the APIs at the unix socket. The environment has the token
of all accounts (PLATFORMS_TOKEN), and the secret of the Worker's sessions (SESSION_SECRET): everybody can read a
command line.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from drillbook_lab.platforms import cloudflare, github, vercel
from drillbook_lab.platforms.workers import Address
from drillbook_lab.platforms.workflow import Workflow

OLDEST, GOOD = "1.0.0", "1.1.0"
"""The second is the release that is live on each platform when the lab is up."""


def files_below(folder: Path) -> dict[str, bytes]:
    """The content of each file, by its path in the folder."""
    return {
        each.relative_to(folder).as_posix(): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()
    }


class _Server(uvicorn.Server):
    """One of several: a signal ends all of them, and uvicorn would tell the last one alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(routes: Sequence[Route], **where: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        Starlette(routes=list(routes)),
        **where,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


async def _worker(address: Address, content: Path, session_secret: str) -> cloudflare.Worker:
    """The Worker, deployed twice."""
    worker = cloudflare.Worker(address)
    for folder, release in (("oldest", OLDEST), ("good", GOOD)):
        marked = {cloudflare.TAG: release}
        script = (content / folder / "index.js").read_bytes()
        version = worker.add(script, "index.js", "2026-01-01", marked, JWT_SECRET=session_secret)
        await worker.deploy(version, {})
    return worker


async def main(config: Mapping[str, Any], token: str, session_secret: str) -> None:
    """Serve until SIGTERM."""
    host, ports, content = config["host"], config["ports"], Path(config["content"])
    project = vercel.Project(f"{host}:{ports['vercel']}")
    project.deploy(files_below(content / "vercel" / "good"), "production", {"release": GOOD})
    workflow = Workflow.read((content / "github" / github.FILE).read_text())
    runner = github.Runner(**{name: Path(value) for name, value in config["runner"].items()})
    address = Address(config["workerd"], Path(config["served"]))
    apis = [*vercel.Vercel(token, project).routes(), *github.GitHub(token, workflow, runner).routes()]
    if Path(config["workerd"]).exists():
        worker = await _worker(address, content / "workers", session_secret)
        apis += cloudflare.Cloudflare(token, worker).routes()
    servers = [
        _server(apis, host=host, port=ports["platforms"]),
        _server(apis, uds=config["socket"]),
        _server(vercel.Site(project).routes(), host=host, port=ports["vercel"]),
        _server(address.routes(), host=host, port=ports["workers"]),
    ]

    def end() -> None:
        for each in servers:
            each.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        await asyncio.gather(*(each.serve() for each in servers))
    finally:
        await address.close()
        Path(config["socket"]).unlink(missing_ok=True)


if __name__ == "__main__":
    secrets = (os.environ.pop("PLATFORMS_TOKEN"), os.environ.pop("SESSION_SECRET"))
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), *secrets))
