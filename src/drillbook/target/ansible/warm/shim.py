"""What ansible-runner starts as its ansible-playbook: hands its arguments, environment and terminal to the server,
waits for the play's end, and ends as the play did. When there is no warm play to be had it becomes the real one.

    python -IS shim.py SOCKET PROGRAM ARGUMENT...

The rule: a play runs once. The server forks when it is told to go, and the shim that has told so never starts another.

A script for a Python without site-packages (18 ms to start); it imports nothing that costs more than it must.
"""

import _signal as signal  # type: ignore[import-not-found]  # not signal, which makes enums: 5 ms
import _socket
import os
import sys

INSIDE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "inside", "program.py")  # noqa: PTH118, PTH120
"""What a cold ansible-playbook is started through; a module is its Python's own."""
ANSWER_S = 60.0
"""How long the server may take for its first word, which is its start when the run comes early."""


def _cold(folder: str, why: str) -> None:
    """Become the real ansible-playbook; the client reads why."""
    try:
        told = os.open(os.path.join(folder, "cold"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # noqa: PTH118
        os.write(told, f"{why}\n".encode())
        os.close(told)
    except OSError:
        pass  # the folder is gone, and with it whoever could have been told
    words = sys.argv[2:]
    if words[0].endswith("/ansible-playbook"):
        words = [sys.executable, INSIDE, *words]
    os.execv(words[0], words)


def _request() -> bytes:
    """A frame: its length, then the working directory, umask, ignored signals, argv, and the environment."""
    umask = os.umask(0)
    os.umask(umask)
    ignored = [number for number in range(1, 32) if signal.getsignal(number) == signal.SIG_IGN]
    fields = [
        os.getcwdb(),  # noqa: PTH109
        b"%d" % umask,
        b",".join(b"%d" % number for number in ignored),
    ]
    fields += [b"%d" % len(sys.argv[2:]), *map(os.fsencode, sys.argv[2:])]
    fields += [name + b"=" + value for name, value in os.environb.items()]
    body = b"\0".join(fields)
    return len(body).to_bytes(4, "big") + body


def _line(connection: _socket.socket) -> bytes:
    """What the server says up to the end of a line; nothing when it has gone."""
    said = b""
    while not said.endswith(b"\n"):
        more = connection.recv(4096)
        if not more:
            return b""
        said += more
    return said[:-1]


def _leave_the_terminal() -> None:
    """Give the controlling terminal up, for the play to take it: a prompt needs one, and it has one session only."""
    # two shared libraries to load, which a module's shim has no use for: 1 ms of each task
    import fcntl
    import termios

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what the kernel sends for it
    try:  # noqa: SIM105 - contextlib costs 6 ms
        fcntl.ioctl(0, termios.TIOCNOTTY)
    except OSError:
        pass  # fd 0 is a terminal, and not the controlling one


def main() -> None:
    folder = os.path.dirname(sys.argv[1])  # noqa: PTH120
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(ANSWER_S)
        connection.connect(sys.argv[1])
        frame = _request()
        fds = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
        sent = connection.sendmsg([frame], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)])
        connection.sendall(frame[sent:])
        answer = _line(connection)
    except OSError as error:
        connection.close()
        _cold(folder, f"the warm server does not answer ({error.strerror or error})")
        return
    if answer != b"ready":
        connection.close()
        _cold(folder, answer.decode() or "the warm server has ended")
        return
    # From here on the play may run: whoever ends it signals the play, and the shim lives until it has ended.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.isatty(0):
        _leave_the_terminal()
    connection.settimeout(None)
    try:
        connection.sendall(b"go")
        said = _line(connection)
    except OSError:
        said = b""
    if not said:  # the server was killed under a running play: no exit status, so that the run is ended as a whole
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    word, _, number = said.partition(b" ")
    if word == b"signal":
        signal.signal(int(number), signal.SIG_DFL) if int(number) != signal.SIGKILL else None
        os.kill(os.getpid(), int(number))
    os._exit(int(number))


main()
