"""A local copy of a store, for reading: `verify`, `gate`, reports and lists work on folders.

The rule: the copy is as the store is now. A file is fetched again only when it has changed, and a file that is not in
the store is not in the copy. Deletions and rewritings in the store are reported.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.evidence.files import write_atomically
from drillbook.evidence.sealing.statements import LEDGER_FOLDER
from drillbook.evidence.store.place import checked
from drillbook.evidence.store.remote import Kept, Remote

Say = Callable[[str], None]
_INDEX = "index.json"
_NAMED = 3


class Copy:
    """The copy of one store, in the user's cache. It asks for the store's list once."""

    def __init__(self, url: str, say: Say) -> None:
        """`say` gets the store's deletions and rewritings. For an empty store, the copy is empty.

        Raises DrillbookError when the store cannot say what it has.
        """
        self._remote = Remote(checked(url))
        every = self._remote.objects()
        self._objects = {name: each for name, each in every.items() if _plain(name)}
        odd = [name for name in every if name not in self._objects]
        for sentence in (*_told_of(self._remote.url, self._objects), *_left_out(self._remote.url, odd)):
            say(sentence)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = hashlib.sha256(self._remote.url.encode()).hexdigest()[:16]
        self._place = cache / "drillbook" / "stores" / name
        self.folder = self._place / "evidence"

    def bring(self, wanted: Callable[[str], bool] = lambda _name: True) -> Path:
        """Fetch the wanted files that are new or changed, and remove those that are gone. Raises DrillbookError."""
        objects = self._objects
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            known = self._index()
            for path in self._files():
                name = path.relative_to(self.folder).as_posix()
                if name not in objects or known.get(name) != _state(objects[name]):
                    path.unlink()
            new = {name: each for name, each in objects.items() if wanted(name) and not self._has(name, each)}
            coming = self._place / f"coming-{os.getpid()}"
            try:
                self._fetch(new, coming)
            finally:
                shutil.rmtree(coming, ignore_errors=True)
            there = {path.relative_to(self.folder).as_posix() for path in self._files()}
            index = {name: _state(each) for name, each in objects.items() if name in there}
            write_atomically(self._place / _INDEX, json.dumps(index), synced=False)
        except OSError as error:
            raise DrillbookError(
                f"{self.folder}: the copy of {self._remote.url} cannot be kept: {error.strerror}"
            ) from error
        return self.folder

    def folder_of(self, name: str) -> Path:
        """One folder of evidence with all that is in it; it does not exist when the store has none."""
        return self.bring(lambda each: each.startswith(f"{name}/")) / name

    def _fetch(self, new: Mapping[str, Kept], coming: Path) -> None:
        if not new:
            return
        for name in new:
            for root in (coming, self.folder):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
        self._remote.fetch(new, lambda name: coming / name)
        for name in new:
            (coming / name).chmod(0o444)
            (coming / name).replace(self.folder / name)

    def _has(self, name: str, each: Kept) -> bool:
        path = self.folder / name
        return path.is_file() and path.stat().st_size == each.size

    def _files(self) -> Iterator[Path]:
        return (each for each in self.folder.rglob("*") if not each.is_dir() or each.is_symlink())

    def _index(self) -> Mapping[str, list[object]]:
        try:
            found = json.loads((self._place / _INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _state(each: Kept) -> list[object]:
    return [each.size, each.mark, each.version]


def _plain(name: str) -> bool:
    """Whether a file of that name lies below the copy, wherever the name comes from, and may be evidence."""
    parts = name.split("/")
    return name.isprintable() and "\\" not in name and not any(part[:1] in {"", "."} for part in parts)


def _told_of(url: str, objects: Mapping[str, Kept]) -> Iterator[str]:
    deleted = {name: each.deleted_at for name, each in objects.items() if each.deleted_at is not None}
    if deleted:
        yield f"{url}: {_some(deleted)} deleted there; the version before is read, which the store has kept"
    rewritten = {
        name: each.rewritten_at
        for name, each in objects.items()
        if each.rewritten_at is not None and not name.startswith(f"{LEDGER_FOLDER}/")
    }
    if rewritten:
        yield f"{url}: {_some(rewritten)} written over there; the newest version is read, and the store has the first"


def _left_out(url: str, odd: list[str]) -> Iterator[str]:
    if odd:
        yield f"{url}: {len(odd)} objects have names that no evidence has, and are left out: {odd[0]!r}"


def _some(names: Mapping[str, str | None]) -> str:
    shown = ", ".join(f"{name} ({at})" for name, at in list(names.items())[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{shown}{more} {'were' if len(names) > 1 else 'was'}"
