"""The live release of the product. The API loads it once, at its start, from the folder to which the link points."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drillbook_lab.app import releases
from drillbook_lab.app.api.answers import unavailable
from drillbook_lab.app.api.switches import Switches
from drillbook_lab.app.health.causes import in_short
from drillbook_lab.app.stores import database
from drillbook_lab.base.logs import Log

PACKAGE = "drillbook_lab_product"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class App:
    """What the API gives to a release: the database, the feature flags, and whether a request may write."""

    query: Callable[[str, Mapping[str, Any]], Awaitable[Sequence[Mapping[str, Any]]]]
    flag: Callable[[str, bool], bool]
    may: Callable[[Request], bool]


class Release:
    """A release, which its own build.json identifies. Raises ValueError for a folder that is not built."""

    def __init__(self, site: Path) -> None:
        self._built = releases.live(site)
        self.version, self.commit = self._built.version, self._built.commit

    def routes(
        self, pool: database.Pool, switches: Switches, may: Callable[[Request], bool], journal: Log
    ) -> list[tuple[str, str, Handler]]:
        """The release's own routes. Raises what its code raises when it is imported."""

        async def query(statement: str, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
            return await database.execute(pool, statement, values)

        found = releases.load(self._built.folder / "api/__init__.py", PACKAGE).routes(App(query, switches.flag, may))
        return [(method, path, guarded(handler, path, journal)) for method, path, handler in found]


def guarded(handler: Handler, path: str, journal: Log) -> Handler:
    """Wrap a release's handler: what it raises becomes an answer and a line in the log, and the API goes on."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except psycopg.ProgrammingError as error:  # the statement does not fit the tables; the database itself works
            journal.error("product", f"{path} failed", error=in_short(error))
            return JSONResponse({"error": "internal error"}, 500)
        except (*database.AWAY, OSError) as error:
            journal.error("database", f"{path} cannot be answered", error=in_short(error))
            return unavailable(f"the database does not answer: {in_short(error)}")
        except Exception as error:  # noqa: BLE001 - whatever a release raises
            journal.error("product", f"{path} failed", error=in_short(error))
            return JSONResponse({"error": "internal error"}, 500)

    return answer
