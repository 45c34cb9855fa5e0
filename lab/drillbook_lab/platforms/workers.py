"""A Worker that is really run, by workerd, and the address at which users reach the version that is live."""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_READY_WITHIN_S = 20.0
_SOCKET = "http.sock"
_LONGEST = 75
"""How long the path of the folder may be in which the folders of versions lie: that of a unix socket is short."""
_HOP_BY_HOP = {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Version:
    """What a version of a Worker is made of. The secrets belong to it."""

    id: str
    number: int
    at_s: float
    script: bytes
    main: str
    compatibility_date: str
    annotations: Mapping[str, str]
    secrets: Mapping[str, str]


def capnp(version: Version) -> str:
    """workerd's configuration. The secrets come from its environment, so they are in no file."""
    bindings = ", ".join(
        f"(name = {json.dumps(each)}, fromEnvironment = {json.dumps(each)})" for each in version.secrets
    )
    return f"""using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "unix:{_SOCKET}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = {json.dumps(version.main)}, esModule = embed "script.js")],
  compatibilityDate = {json.dumps(version.compatibility_date)},
  bindings = [{bindings}],
);
"""


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Serving:
    """One process of workerd that serves one version."""

    def __init__(self, workerd: str, folder: Path, version: Version) -> None:
        self._workerd, self._version = workerd, version
        # a folder of this process alone: the version from before may be the same one, and its folder goes away with it
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        into = folder if len(os.fsencode(folder)) <= _LONGEST else None
        self._folder = Path(tempfile.mkdtemp(prefix="worker-", dir=into))
        self._process: asyncio.subprocess.Process | None = None
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(self._folder / _SOCKET)), timeout=10, trust_env=False
        )

    async def start(self) -> None:
        """Return when it answers. Raises RuntimeError when it does not."""
        (self._folder / "script.js").write_bytes(self._version.script)
        (self._folder / "config.capnp").write_text(capnp(self._version))
        self._process = await asyncio.create_subprocess_exec(
            *(self._workerd, "serve", "config.capnp"),
            cwd=self._folder,
            env=dict(self._version.secrets),
            stdin=asyncio.subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        )
        deadline = time.monotonic() + _READY_WITHIN_S
        while not (self._folder / _SOCKET).exists():
            if self._process.returncode is not None or time.monotonic() > deadline:
                await self.stop()
                raise RuntimeError("the script does not run")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        await self._client.aclose()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def ask(self, request: Request) -> Response:
        """Hand a user's request on. Raises httpx.HTTPError."""
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
        url = f"http://{request.headers.get('host', 'worker')}{request.url.path}"
        answer = await self._client.request(
            request.method, url, params=request.query_params, headers=headers, content=await request.body()
        )
        kept = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
        return Response(answer.content, answer.status_code, kept)


class Address:
    """Where users reach the Worker: what was asked before a switch is answered by the version from before."""

    def __init__(self, workerd: str, folder: Path) -> None:
        self._workerd, self._folder = workerd, folder
        self._serving: Serving | None = None

    async def serve(self, version: Version) -> None:
        """Put a version live. Raises RuntimeError when it does not run; then the one from before stays."""
        new = Serving(self._workerd, self._folder, version)
        await new.start()
        old, self._serving = self._serving, new
        if old is not None:
            await old.stop()

    async def close(self) -> None:
        if self._serving is not None:
            await self._serving.stop()

    async def get(self, request: Request) -> Response:
        if self._serving is None:
            return Response("There is nothing here yet\n", 404)
        try:
            return await self._serving.ask(request)
        except httpx.HTTPError as error:
            return Response(f"error 1101: {type(error).__name__}\n", 502)

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self.get, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])]
