"""A store of evidence behind an fsspec URL: reads, writes, and reads its versions.

The rule: this module deletes nothing, and nobody can delete what is locked. If the store keeps versions, a deleted
object is read from the version before, and reported. Only sessions and commands with a store import it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from drillbook.evidence.files import write_atomically
from drillbook.evidence.sealing.statements import sha256
from drillbook.evidence.store.place import StoreError
from drillbook.model.times.clock import wall_now

_CONNECT_S, _ANSWER_S, _TRIES = 5, 30, 2
_LOCK_MODE = "COMPLIANCE"
"""Nobody may shorten it, not even the owner of the bucket."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An object of the store. `mark` changes with its content."""

    size: int
    mark: str
    version: str | None = None
    """The version that is read when the newest is a deletion."""
    deleted_at: str | None = None
    rewritten_at: str | None = None
    """When something else was written over the store's first content."""


class Changed(StoreError):
    """Somebody else has written meanwhile."""


class Remote:
    """The objects below a URL, by their names from there."""

    def __init__(self, url: str, lock_s: float | None = None) -> None:
        self.url, self._lock_s = url, lock_s
        self._s3 = url.partition("://")[0] in ("s3", "s3a")
        options: dict[str, Any] = {}
        if self._s3:
            tries = {"total_max_attempts": _TRIES, "mode": "standard"}
            options |= {
                "use_listings_cache": False,
                "config_kwargs": {"connect_timeout": _CONNECT_S, "read_timeout": _ANSWER_S, "retries": tries},
            }
        with self._told("cannot be used"):
            self._fs, self._base = fsspec.core.url_to_fs(url, **options)
        if self._s3:
            self._fs.retries = _TRIES
        self._disk = isinstance(self._fs, LocalFileSystem)

    # ------------------------------------------------------------------ reading

    def read(self, name: str) -> tuple[bytes, str | None] | None:
        """The content of an object, and the mark by which `write` notices a change; None: none."""
        with self._told(f"cannot give {name}"):
            try:
                info = self._fs.info(self._at(name))
                more = {"version_id": info.get("VersionId")} if self._s3 else {}
                data = self._fs.cat_file(self._at(name), **more)
                return data, info.get("ETag") if self._s3 else sha256(data)
            except FileNotFoundError:
                return None

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of the objects that exist, by their names."""
        paths = {self._at(name): name for name in names}
        if not paths:
            return {}
        with self._told("cannot be read"):
            found = self._fs.cat(list(paths), on_error="return")
        for error in found.values():
            if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
                raise self._error("cannot be read", error) from error
        return {paths[path]: data for path, data in found.items() if isinstance(data, bytes)}

    def below(self, folder: str) -> list[str]:
        """The names of the objects in a folder, without those of its subfolders."""
        with self._told("cannot be listed"):
            try:
                found = self._fs.ls(self._at(folder), detail=True)
            except FileNotFoundError:
                return []
        return [self._name(each["name"]) for each in found if each["type"] == "file"]

    def objects(self) -> dict[str, Kept]:
        """Every object, by its name; for a deleted one, the version before."""
        with self._told("cannot be listed"):
            if self._s3:
                return self._versions()
            found = self._fs.find(self._base, detail=True)
        return {self._name(path): Kept(int(each["size"] or 0), _mark(each)) for path, each in found.items()}

    def _versions(self) -> dict[str, Kept]:
        bucket, prefix, _ = self._fs.split_path(self._base)
        below = f"{prefix}/" if prefix else ""
        versions: dict[str, list[Mapping[str, Any]]] = {}
        deleted: dict[str, str] = {}
        more: dict[str, Any] = {}
        while True:
            page = self._fs.call_s3("list_object_versions", Bucket=bucket, Prefix=below, **more)
            for each in page.get("Versions", ()):
                versions.setdefault(each["Key"].removeprefix(below), []).append(each)
            for each in page.get("DeleteMarkers", ()):
                if each["IsLatest"]:
                    deleted[each["Key"].removeprefix(below)] = str(each["LastModified"])
            if not page.get("IsTruncated"):
                return {name: _newest(of, deleted.get(name)) for name, of in versions.items()}
            more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def fetch(self, objects: Mapping[str, Kept], to: Callable[[str], Path]) -> None:
        """Copy these objects into files, each to its place in `to`."""
        with self._told("cannot give its evidence"):
            newest = [name for name, each in objects.items() if each.version is None]
            if newest:
                self._fs.get([self._at(name) for name in newest], [str(to(name)) for name in newest])
            for name, each in objects.items():
                if each.version is not None:
                    self._fs.get_file(self._at(name), str(to(name)), version_id=each.version)

    # ------------------------------------------------------------------ writing

    def put(self, name: str, file: Path) -> None:
        """Upload a file, locked if that is asked for."""
        with self._told(f"does not take {name}"):
            self._lock()
            self._make_folder_of(name)
            self._fs.put_file(str(file), self._at(name))

    def write(self, name: str, data: bytes, before: str | None, *, new: bool = False) -> None:
        """Upload the content of an object that had the mark `before`, or (`new`) did not exist. Raises Changed.

        S3 and a disk compare and write at once. Other stores are asked for the mark just before.
        """
        with self._told(f"does not take {name}"):
            self._lock()
            self._make_folder_of(name)
            if not self._s3:
                self._write_unchanged(name, data, None if new else before)
                return
            more = {"mode": "create"} if new else {"IfMatch": before}
            try:
                self._fs.pipe_file(self._at(name), data, **more)
            except FileExistsError as error:
                raise self._changed(name) from error
            except OSError as error:
                if "condition" not in str(error).lower():
                    raise
                raise self._changed(name) from error

    def _write_unchanged(self, name: str, data: bytes, before: str | None) -> None:
        with self._alone(name):
            found = self.read(name)
            if (None if found is None else found[1]) != before:
                raise self._changed(name)
            if self._disk:  # whole or not at all, however its writer ends
                write_atomically(Path(self._at(name)), data.decode())
            else:
                self._fs.pipe_file(self._at(name), data)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """On a disk, one writer at a time."""
        if not self._disk:
            yield
            return
        folder = os.open(Path(self._at(name)).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # a share that cannot lock
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _changed(self, name: str) -> Changed:
        return Changed(f"{self.url}: {name} was written by somebody else meanwhile")

    def _make_folder_of(self, name: str) -> None:
        if not self._s3:  # there a folder is the beginning of a name
            self._fs.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)

    def _lock(self) -> None:
        if self._s3:  # fsspec has one file system for all users of the same store
            until = wall_now() + timedelta(seconds=self._lock_s or 0)
            lock = {"ObjectLockMode": _LOCK_MODE, "ObjectLockRetainUntilDate": until}
            self._fs.s3_additional_kwargs = {} if self._lock_s is None else lock

    # ------------------------------------------------------------------ names and errors

    def _at(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _name(self, path: str) -> str:
        return path.removeprefix(self._base).lstrip("/")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # the clients of stores raise whatever they like
            raise self._error(what, error) from error

    def _error(self, what: str, error: Exception) -> StoreError:
        said = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, PermissionError):
            said = f"access is denied ({said}): give credentials that may read and write there"
        elif "ObjectLock" in said.replace(" ", ""):
            said = f"{said}: make a bucket with object lock, or take drillbook_evidence_lock away"
        return StoreError(f"{self.url}: the store {what}: {said}")


def _mark(info: Mapping[str, Any]) -> str:
    return str(next((info[key] for key in ("ETag", "mtime", "created", "LastModified") if info.get(key)), ""))


def _newest(versions: list[Mapping[str, Any]], deleted_at: str | None) -> Kept:
    """The part of an object that is read: its newest version, whether a deletion hides it or not."""
    of = sorted(versions, key=lambda each: (each["LastModified"], bool(each.get("IsLatest"))))
    newest = of[-1]
    rewritten = next((str(each["LastModified"]) for each in of if each["ETag"] != of[0]["ETag"]), None)
    version = newest["VersionId"] if deleted_at is not None else None
    return Kept(int(newest["Size"]), str(newest["ETag"]), version, deleted_at, rewritten)
