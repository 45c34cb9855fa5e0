"""The service that is drilled: healthy unless the flag file is there. Writes its port to a file.

What the customers see, /customers, is healthy unless the file `angry` is there.
"""

import http.server
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        broken = (folder / ("angry" if self.path == "/customers" else "flag")).exists()
        body = json.dumps({"status": "down" if broken else "ok"}).encode()
        self.send_response(503 if broken else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


server = http.server.ThreadingHTTPServer((sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1", 0), Handler)
server.daemon_threads = True
port = folder / "port.new"
port.write_text(str(server.server_address[1]))
port.rename(folder / "port")
server.serve_forever()
