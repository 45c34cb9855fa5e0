"""The search for items, in any order that a user wants."""

from starlette.responses import JSONResponse

MOST = 20
ORDERS = {"id": "id", "newest": "updated_at DESC"}


class Search:
    """Items whose id begins with what a user has typed."""

    def __init__(self, app):
        self._app = app

    async def find(self, request):
        order = ORDERS.get(request.query_params.get("order", "id"))
        if order is None:
            return JSONResponse({"error": f"order has to be one of {', '.join(ORDERS)}"}, 400)
        rows = await self._app.query(
            f"SELECT id, kind FROM items WHERE starts_with(id, %(q)s) ORDER BY {order} LIMIT %(most)s",
            {"q": request.query_params.get("q", ""), "most": MOST},
        )
        return JSONResponse({"found": rows})
