"""The program that ansible-runner starts as its ansible-playbook. It hands its arguments, environment and terminal to
the server, waits for the end of the play, and ends as the play did. Without a warm play it becomes the real
ansible-playbook.

python -IS shim.py SOCKET PROGRAM ARGUMENT...

The rule: a play runs once. The server forks when the shim says go, and after that the shim never starts another play.

It is a script for a Python without site-packages (18 ms to start), and imports as little as possible.
"""

import _signal as signal  # type: ignore[import-not-found]  # not signal, which makes enums: 5 ms
import _socket
import os
import sys

INSIDE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "inside", "program.py")  # noqa: PTH118, PTH120
"""The program through which a cold ansible-playbook starts; a module is run by its own Python."""
ANSWER_S = 60.0
"""How long the server may take for its first word: when the run comes early, the server is still starting."""


def _cold(folder: str, why: str) -> None:
    """Become the real ansible-playbook; the client reads why."""
    try:
        told = os.open(os.path.join(folder, "cold"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # noqa: PTH118
        os.write(told, f"{why}\n".encode())
        os.close(told)
    except OSError:
        pass  # the folder is gone, and with it everybody who would read this
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
    """The server's words up to the end of a line; nothing when the server is gone."""
    said = b""
    while not said.endswith(b"\n"):
        more = connection.recv(4096)
        if not more:
            return b""
        said += more
    return said[:-1]


def _leave_the_terminal() -> None:
    """Give up the controlling terminal, so that the play can take it: a prompt needs one, and a terminal has one
    session only.
    """
    # a module's shim has no use for these two shared libraries: 1 ms of each task
    import fcntl
    import termios

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the kernel sends this for it
    try:  # noqa: SIM105 - contextlib costs 6 ms
        fcntl.ioctl(0, termios.TIOCNOTTY)
    except OSError:
        pass  # fd 0 is a terminal, but not the controlling one


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
    # From here on the play may run. To end it, signal the play; the shim lives until the play has ended.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.isatty(0):
        _leave_the_terminal()
    connection.settimeout(None)
    try:
        connection.sendall(b"go")
        said = _line(connection)
    except OSError:
        said = b""
    if not said:  # the server was killed under a running play: no exit status, so that the run ends as a whole
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    word, _, number = said.partition(b" ")
    if word == b"signal":
        signal.signal(int(number), signal.SIG_DFL) if int(number) != signal.SIGKILL else None
        os.kill(os.getpid(), int(number))
    os._exit(int(number))


main()
