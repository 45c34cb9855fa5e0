"""Loads the library of stores only when somebody names a store: commands work on folders, or on a copy of a store.

The rule: a user who names a folder waits for no library of stores, and needs none.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.evidence.store.catalogue import is_listed
from drillbook.evidence.store.outbox import Outbox
from drillbook.evidence.store.place import Place, StoreError, is_url

if TYPE_CHECKING:
    from drillbook.evidence.store.copying import Copy
    from drillbook.evidence.store.shipping import Shipped

Say = Callable[[str], None]


def readable(named: str | Path, say: Say, *, records_only: bool = False) -> Path:
    """The folder in which the named evidence can be read: a folder itself, or a local copy of the store at a URL.

    `say` gets the store's deletions and rewritings. `records_only` fetches only what a list, a summary or the gate
    reads. Raises DrillbookError.
    """
    if not isinstance(named, str) or not is_url(named):
        return Path(named)
    copy = copy_of(named, say)
    return copy.bring(is_listed) if records_only else copy.bring()


def folder_of(url: str, say: Say) -> Path:
    """A copy of one folder of evidence, named by its own URL. Raises DrillbookError."""
    store, _, name = url.rstrip("/").rpartition("/")
    folder = copy_of(store, say).folder_of(name)
    if not folder.is_dir():
        raise StoreError(f"{store}: the store has no folder {name!r}: 'drillbook evidence list --evidence {store}'")
    return folder


def copy_of(url: str, say: Say) -> Copy:
    """The copy of a store, with nothing fetched yet. Raises DrillbookError."""
    made: Copy = _late("copying").Copy(url, say)
    return made


def push(place: Place, kept: Path, *, waiting_only: bool = False) -> Shipped:
    """Upload the evidence of a place that its store does not have. Raises DrillbookError.

    `waiting_only`: only evidence made since there was a store.
    """
    shipped: Shipped = _late("shipping").push(Outbox(place, kept), waiting_only=waiting_only)
    return shipped


def _late(module: str) -> Any:
    """The module that talks to stores: its library is an extra, and takes half a second to import."""
    return importlib.import_module(f"{__package__}.{module}")
