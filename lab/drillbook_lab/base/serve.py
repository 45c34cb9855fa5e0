"""uvicorn serves every HTTP part of the lab, on loopback. After SIGTERM it gives open requests one second."""

from typing import Any

import uvicorn
from starlette.types import ASGIApp

from drillbook_lab.base.topology import HOST


def serve(app: ASGIApp, port: int, **options: Any) -> None:
    """Serve until SIGTERM. Access logs are off, because health is asked for twenty times a second."""
    uvicorn.run(
        app,
        host=HOST,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        lifespan="on",
        **options,
    )
