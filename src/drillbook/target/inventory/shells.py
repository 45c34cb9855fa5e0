"""A shell on a host that stays open, so that one look after the other needs no other login.

The rule: a shell never hangs and never asks. When the connection has gone since the last command, the command is given
to a new shell, once: looks change nothing. It ends with our process, because it reads its commands from us.
"""

from __future__ import annotations

import os
import secrets
import selectors
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

_SCRIPT = "{{ {command}\n}} </dev/null; status=$?; printf %s {mark}; printf %s:%s: {mark} $status >&2\n"
_PIECE = 65536


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed; or how the way to the host did, and what that said."""

    status: int
    stdout: bytes
    stderr: bytes


class Shell:
    """One shell, opened by a command line of this machine when it is first needed. For one command at a time."""

    def __init__(self, command_line: str, environment: Mapping[str, str]) -> None:
        self._command_line, self._environment = command_line, environment
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: str, deadline_s: float) -> Ended:
        """Run a command of the shell. Raises subprocess.TimeoutExpired; the shell is closed then."""
        with self._lock:
            until_s = time.monotonic() + deadline_s
            kept = self._process
            ended = self._asked(kept, command, until_s) if kept is not None else None
            return ended or self._asked_anew(command, until_s)

    def _asked(self, process: subprocess.Popen[bytes], command: str, until_s: float) -> Ended | None:
        """What a shell that was open answers; None when it is open no longer."""
        status, stdout, stderr = self._ask(process, command, until_s)
        if status is not None:
            return Ended(status, stdout, stderr)
        _end(process)
        return None

    def _asked_anew(self, command: str, until_s: float) -> Ended:
        self._process = process = subprocess.Popen(
            self._command_line,
            shell=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            bufsize=0,
            start_new_session=True,  # no terminal to ask on, and one group to end
        )
        weakref.finalize(self, _end, process)
        status, stdout, stderr = self._ask(process, command, until_s)
        if status is not None:
            return Ended(status, stdout, stderr)
        self._process = None
        return Ended(process.wait(), stdout, stderr)

    def _ask(self, process: subprocess.Popen[bytes], command: str, until_s: float) -> tuple[int | None, bytes, bytes]:
        """The status of a command and its output. The status is None when the shell ended before it told one."""
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        began_s, mark = time.monotonic(), f"drillbook-{secrets.token_hex(8)}"
        with suppress(BrokenPipeError):
            process.stdin.write(_SCRIPT.format(command=command, mark=mark).encode())
        said = {"stdout": b"", "stderr": b""}
        with selectors.DefaultSelector() as both:
            both.register(process.stdout, selectors.EVENT_READ, "stdout")
            both.register(process.stderr, selectors.EVENT_READ, "stderr")
            while both.get_map():
                ready = both.select(max(0.0, until_s - time.monotonic()))
                if not ready:
                    self._process = None
                    _end(process)
                    raise subprocess.TimeoutExpired(command, time.monotonic() - began_s)
                for key, _ in ready:
                    piece = os.read(key.fd, _PIECE)
                    said[key.data] += piece
                    # the mark ends what a command says; behind it stands its status, up to a second colon
                    if not piece or _is_whole(said[key.data], mark.encode(), with_status=key.data == "stderr"):
                        both.unregister(key.fileobj)
        stdout, _, _ = said["stdout"].partition(mark.encode())
        stderr, _, told = said["stderr"].partition(f"{mark}:".encode())
        return int(told.partition(b":")[0]) if told else None, stdout, stderr


def _is_whole(said: bytes, mark: bytes, *, with_status: bool) -> bool:
    _, found, behind = said.partition(mark)
    return bool(found) and (not with_status or behind.count(b":") == 2)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
