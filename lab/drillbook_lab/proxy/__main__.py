"""`python -m drillbook_lab.proxy CONFIG`: the proxy as a process.

CONFIG is JSON: {"port", "tls": {"valid": file, ...}, "links": {name: {"client", "server", "listen", "upstream",
"tls"}}}. A link listens on loopback and leads there, unless it has "listen_host" and "upstream_host".
"""

import json
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from drillbook_lab.base.serve import serve
from drillbook_lab.base.topology import HOST
from drillbook_lab.proxy.faults import Certificate
from drillbook_lab.proxy.http import application
from drillbook_lab.proxy.link import Link


def _contexts(files: Mapping[str, str]) -> dict[Certificate, ssl.SSLContext]:
    contexts = {}
    for kind in Certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[kind])
        contexts[kind] = context
    return contexts


def main(config: Mapping[str, Any]) -> None:
    contexts = _contexts(config["tls"])
    links: dict[str, Link] = {}
    app = application(links)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        for name, spec in config["links"].items():
            links[name] = Link(
                name,
                spec["listen"],
                spec["upstream"],
                contexts if spec["tls"] else None,
                {"client": spec["client"], "server": spec["server"]},
                listen_host=spec.get("listen_host", HOST),
                upstream_host=spec.get("upstream_host", HOST),
            )
            await links[name].enable(True)
        yield
        for link in links.values():
            await link.enable(False)

    app.router.lifespan_context = lifespan
    serve(app, config["port"])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
