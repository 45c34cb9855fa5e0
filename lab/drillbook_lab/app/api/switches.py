"""What operators switch without a deployment: feature flags, and maintenance. Both are files that releases share."""

from pathlib import Path

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPERATORS = ("/maintenance/", "/queue/", "/cache/")
RETRY_AFTER_S = 30


class Switches:
    """The files in the folder `shared` of a site: `flags/NAME` says "on" or "off"; `maintenance` is there or not."""

    def __init__(self, shared: Path) -> None:
        self._flags, self._maintenance = shared / "flags", shared / "maintenance"

    def flag(self, name: str, default: bool) -> bool:
        """Whether a feature is on. Its file is read each time; without a file the answer is `default`."""
        try:
            said = (self._flags / name).read_text().strip()
        except FileNotFoundError:
            return default
        return said == "on" if said in ("on", "off") else default

    @property
    def maintenance(self) -> bool:
        return self._maintenance.exists()

    def maintain(self, on: bool) -> bool:
        """Begin or end maintenance, for this process and for later ones. Returns whether this changed anything."""
        if changed := self.maintenance is not on:
            if on:
                self._maintenance.touch(mode=0o600)
            else:
                self._maintenance.unlink(missing_ok=True)
        return changed


class RefuseWrites:
    """Middleware: during maintenance it refuses the writes of everybody but operators."""

    def __init__(self, app: ASGIApp, switches: Switches) -> None:
        self._app, self._switches = app, switches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writes = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD")
        if writes and not scope["path"].startswith(OPERATORS) and self._switches.maintenance:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            await JSONResponse({"error": "maintenance: nothing is written now"}, 503, headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)
