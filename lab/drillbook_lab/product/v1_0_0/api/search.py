"""The search for items."""

from starlette.responses import JSONResponse

MOST = 10


class Search:
    """Items whose id begins with what a user has typed."""

    def __init__(self, app):
        self._app = app

    async def find(self, request):
        rows = await self._app.query(
            "SELECT id, kind FROM items WHERE starts_with(id, %(q)s) ORDER BY id LIMIT %(most)s",
            {"q": request.query_params.get("q", ""), "most": MOST},
        )
        return JSONResponse({"found": rows})
