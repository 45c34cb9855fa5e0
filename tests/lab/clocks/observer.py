"""Who watches the prober: looks at one endpoint a thousand times a second, by plain blocking sockets.

    python -IS observer.py http|redis|tcp PORT [CA]

Prints a line of JSON whenever the verdict changes: `good`, `since_s` (when the last look with the other verdict was
asked) and `until_s` (when the look that showed the change came back), monotonic seconds: the change lies between them.
Shares no code with Drillbook.
"""

import json
import socket
import ssl
import sys
import time

PATIENCE_S = 0.1
"""Who has not answered by then is not well."""
EVERY_S = 0.001
WELL = b'{"status": "ok"}'
QUESTIONS = {
    "http": b"GET / HTTP/1.1\r\nHost: it\r\n\r\n",
    "redis": b"*1\r\n$4\r\nROLE\r\n",
}
LOGIN = b"*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$2\r\npw\r\n"


class Look:
    """A connection that is kept as long as the answers are good."""

    def __init__(self, kind: str, port: int, ca: str | None) -> None:
        self.kind, self.port = kind, port
        self.context = ssl.create_default_context(cafile=ca) if ca else None
        self.connection: socket.socket | None = None

    def good(self) -> bool:
        try:
            return self.ask(time.monotonic() + PATIENCE_S)
        except (OSError, ValueError):
            return False

    def ask(self, deadline: float) -> bool:
        if self.connection is None:
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
            self.connection = plain
            if self.context is not None:
                plain.settimeout(max(0.001, deadline - time.monotonic()))
                self.connection = self.context.wrap_socket(plain, server_hostname="127.0.0.1")
            if self.kind == "redis" and not self.exchange(LOGIN, deadline).startswith(b"+OK"):
                return False
        if self.kind == "tcp":
            self.drop()
            return True
        answer = self.exchange(QUESTIONS[self.kind], deadline)
        if self.kind == "redis":
            return answer.startswith(b"*")
        return answer.startswith(b"HTTP/1.1 200") and answer.endswith(WELL)

    def exchange(self, question: bytes, deadline: float) -> bytes:
        assert self.connection is not None
        self.connection.settimeout(max(0.001, deadline - time.monotonic()))
        self.connection.sendall(question)
        return self.connection.recv(65536)

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def main(kind: str, port: int, ca: str | None) -> None:
    look = Look(kind, port, ca)
    was, asked_s = None, time.monotonic()
    while True:
        began_s = time.monotonic()
        good = look.good()
        ended_s = time.monotonic()
        if not good:
            look.drop()
        if good is not was:
            print(json.dumps({"good": good, "since_s": asked_s, "until_s": ended_s}), flush=True)
        was, asked_s = good, began_s
        time.sleep(max(0.0, began_s + EVERY_S - time.monotonic()))  # a rate, not a wait for something


main(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
