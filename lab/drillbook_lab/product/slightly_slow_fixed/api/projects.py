"""Projects, as users see them, each with how many scenes it has: all are counted at once."""

from starlette.responses import JSONResponse

MOST = 50
WITH_SCENES = """
SELECT id, name, (SELECT count(*) FROM scenes WHERE project_id = projects.id) AS scenes
FROM projects ORDER BY id LIMIT %(most)s
"""


class Projects:
    """What the database has of projects."""

    def __init__(self, app):
        self._app = app

    async def all(self, _):
        return JSONResponse({"projects": await self._app.query(WITH_SCENES, {"most": MOST})})

    async def one(self, request):
        rows = await self._app.query("SELECT id, name FROM projects WHERE id = %(id)s", request.path_params)
        return JSONResponse(rows[0]) if rows else JSONResponse({"error": "no such project"}, 404)
