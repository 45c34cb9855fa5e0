"""Projects, as users see them, each with its owner."""

import itertools

from starlette.responses import JSONResponse

MOST = 50
OWNERS = {0: "ann"}
"""Of every second answer nobody knows the owner."""


class Projects:
    """What the database has of projects."""

    def __init__(self, app):
        self._app = app
        self._answers = itertools.count()

    async def all(self, _):
        rows = await self._app.query("SELECT id, name FROM projects ORDER BY id LIMIT %(most)s", {"most": MOST})
        owner = OWNERS[next(self._answers) % 2]
        return JSONResponse({"projects": [{**row, "owner": owner} for row in rows]})

    async def one(self, request):
        rows = await self._app.query("SELECT id, name FROM projects WHERE id = %(id)s", request.path_params)
        return JSONResponse(rows[0]) if rows else JSONResponse({"error": "no such project"}, 404)
