"""Folders of evidence from strangers: listed and read, without ever leaving them.

The rule: every name is opened relative to its folder. No link is followed, only regular files are opened, and no file
is read beyond its limit. The folder type is a seam: here a disk is behind it, elsewhere another holder of evidence.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Generator, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

CHUNK_BYTES = 1 << 20
LONGEST_NAME = 255
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]{0,199}")


class Kind(StrEnum):
    """The type of a name in a folder."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "fifo, socket or device"


class UnreadableError(Exception):
    """A file or folder that cannot be read; the message says why, without its name."""


class TooLargeError(Exception):
    """A file that is larger than its limit."""


class Folder(Protocol):
    """A folder that is open for reading."""

    def entries(self) -> Mapping[str, Kind]:
        """The names in it. Raises UnreadableError."""
        ...

    def folder(self, name: str) -> Folder:
        """A folder in it. Raises UnreadableError."""
        ...

    def chunks(self, name: str) -> Generator[bytes, None, None]:
        """The bytes of a regular file in it. Raises UnreadableError."""
        ...

    def close(self) -> None: ...


class DiskFolder:
    """A folder on a disk, by its descriptor."""

    def __init__(self, path: Path | str, within: int | None = None) -> None:
        """`within`: the folder that contains it and that it may not lead out of. Raises UnreadableError."""
        link = 0 if within is None else os.O_NOFOLLOW
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | link, dir_fd=within)
        except OSError as error:
            raise UnreadableError(error.strerror) from None

    def entries(self) -> Mapping[str, Kind]:
        try:
            with os.scandir(self._fd) as found:
                return {each.name: _kind(each) for each in found}
        except OSError as error:
            raise UnreadableError(error.strerror) from None

    def folder(self, name: str) -> Self:
        return type(self)(name, self._fd)

    def chunks(self, name: str) -> Generator[bytes, None, None]:
        # O_NONBLOCK: a fifo that replaced the file meanwhile must not make us wait
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, dir_fd=self._fd)
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise UnreadableError("it is no regular file")
                while chunk := os.read(fd, CHUNK_BYTES):
                    yield chunk
            finally:
                os.close(fd)
        except OSError as error:
            raise UnreadableError(error.strerror) from None

    def close(self) -> None:
        os.close(self._fd)


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return Kind.LINK
    if entry.is_dir(follow_symlinks=False):
        return Kind.FOLDER
    return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.OTHER


def read(folder: Folder, name: str, limit_bytes: int) -> bytes:
    """The content of a file. Raises UnreadableError, TooLargeError."""
    return b"".join(_limited(folder, name, limit_bytes))


def digest(folder: Folder, name: str, limit_bytes: int) -> str:
    """The SHA-256 of a file in hexadecimal. Raises UnreadableError, TooLargeError."""
    found = hashlib.sha256()
    for chunk in _limited(folder, name, limit_bytes):
        found.update(chunk)
    return found.hexdigest()


def lines(folder: Folder, name: str, limit_bytes: int) -> Iterator[bytes]:
    """The lines of a file, each with its line feed if it has one.

    Raises UnreadableError, and TooLargeError for a line that is longer than the limit.
    """
    rest = b""
    for chunk in folder.chunks(name):
        *whole, rest = (rest + chunk).split(b"\n")
        if max(map(len, (*whole, rest))) > limit_bytes:
            raise TooLargeError
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def _limited(folder: Folder, name: str, limit_bytes: int) -> Iterator[bytes]:
    size = 0
    for chunk in folder.chunks(name):
        size += len(chunk)
        if size > limit_bytes:
            raise TooLargeError
        yield chunk


def name_problem(name: str) -> str | None:
    """Why a name is not allowed in evidence; None for an allowed one. A name is one part of a path."""
    if _PLAIN.fullmatch(name):
        return None
    if name in ("", ".", "..") or "/" in name:
        return "leads out of its folder"
    if "\\" in name:
        return "has a backslash, which some systems take for a separator"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is no UTF-8"
    if size > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") for sign in name):
        return "has a character that does not show"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in the normal form NFC: another system would take it for another name"
    return None


def path_problem(path: str) -> str | None:
    """The same for a path relative to its folder."""
    return next((problem for part in path.split("/") if (problem := name_problem(part))), None)
