"""Sees what a process reads, and that it only reads, so that its result can be used later if it still holds.

The rule: a result counts while every file, folder and missing file behind it is unchanged. What cannot be watched (a
program, a connection) is refused before it begins, and the result with it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import source_from_cache
from typing import Any

Seen = dict[str, list[int] | None]
"""Paths, and the state of each when it was first looked at; None: it was not there."""
_STARTS = frozenset({"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"})
_CONNECTS = frozenset({"socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})
_CHANGES = frozenset(
    {
        "os.chmod",
        "os.chown",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "os.utime",
        "shutil.rmtree",
    }
)
_LISTS = frozenset({"os.listdir", "os.scandir"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class RefusedError(OSError):
    """An action that is more than reading. It is an OSError, because the refused action might have raised one."""


class Witness:
    """Sees what its own process does from now on, until the process ends."""

    def __init__(self) -> None:
        self.seen: Seen = {}
        self.refused = ""
        """The first action that was more than reading. Only its kind, because an argument may be secret."""
        self._looks_itself = False
        for name in ("stat", "lstat", "access", "readlink"):
            setattr(os, name, self._watched(getattr(os, name)))
        sys.addaudithook(self._audit)

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Python reports no look at a file that does not open it. But whether the file exists decides as well."""

        def look(path: Any, *arguments: Any, **named: Any) -> Any:
            self._note(path)
            return function(path, *arguments, **named)

        return look

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._looks_itself:
            return
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int):  # it was opened before, or is a pipe
                return
            if _is_writing(mode, flags):
                self._refuse("it writes a file")
            found = self._note(path)
            if found is not None and not (stat.S_ISREG(found[0]) or stat.S_ISDIR(found[0])):
                self._refuse("it reads what is no file")  # a pipe gives its content once
        elif event in _LISTS:
            self._note(arguments[0] if arguments[0] is not None else os.curdir, listed=True)
        elif event in _STARTS:
            self._refuse("it starts a program")
        elif event in _CONNECTS:
            self._refuse("it opens a connection")
        elif event in _CHANGES:
            self._refuse("it changes a file")

    def _refuse(self, why: str) -> None:
        self.refused = self.refused or why
        raise RefusedError(why)

    def _note(self, path: Any, *, listed: bool = False) -> list[int] | None:
        if isinstance(path, int):
            return None
        name = os.path.join(os.getcwd(), os.fsdecode(path))  # noqa: PTH109, PTH118 - pathlib looks at files itself
        if name.endswith(".pyc"):
            with suppress(ValueError):  # it lies elsewhere, and is no cache
                name = source_from_cache(name)  # Python looks at this by itself, unseen
        key = f"{name}/" if listed and not name.endswith("/") else name
        if key not in self.seen:
            self._looks_itself = True
            try:
                self.seen[key] = look(key)
            finally:
                self._looks_itself = False
        return self.seen[key]


def look(name: str) -> list[int] | None:
    """The state of a file, which differs when the file does.

    For a folder: that it is one, and its list if the path ends in a slash.
    """
    try:
        found = _STAT(name)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode) and not name.endswith("/"):
        return [found.st_mode, found.st_ino]
    return [found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


_STAT = os.stat
"""Python's own: a witness replaces it."""


def still_holds(seen: Mapping[str, list[int] | None]) -> bool:
    """Whether all of it is unchanged."""
    return all(look(name) == before for name, before in seen.items())


def _is_writing(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(isinstance(flags, int) and flags & _WRITING)
