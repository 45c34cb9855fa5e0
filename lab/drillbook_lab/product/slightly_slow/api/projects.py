"""Projects, as users see them, each with how many scenes it has."""

import asyncio

from starlette.responses import JSONResponse

MOST = 50
COUNT_S = 0.0024
"""How long it takes to count the scenes of one project: one by one, for each project."""


class Projects:
    """What the database has of projects."""

    def __init__(self, app):
        self._app = app

    async def all(self, _):
        rows = await self._app.query("SELECT id, name FROM projects ORDER BY id LIMIT %(most)s", {"most": MOST})
        await asyncio.sleep(COUNT_S * MOST)
        return JSONResponse({"projects": rows})

    async def one(self, request):
        rows = await self._app.query("SELECT id, name FROM projects WHERE id = %(id)s", request.path_params)
        return JSONResponse(rows[0]) if rows else JSONResponse({"error": "no such project"}, 404)
