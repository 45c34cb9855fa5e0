"""What signs is imported before somebody has to wait for it, and only where something will be signed."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing import sealer
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.sealer import Sealer

pytestmark = pytest.mark.unit


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The modules that were imported by their names, and whether in the background."""
    found: list[tuple[str, bool]] = []

    def imports(name: str) -> object:
        found.append((name, threading.current_thread() is not threading.main_thread()))
        if len(found) == 1:
            raise ImportError("the first time it fails")
        return SimpleNamespace(opened=lambda source: f"the key of {source.place}")

    monkeypatch.setattr(importlib, "import_module", imports)
    return found


def ready(made: Sealer) -> None:
    made.get_ready()
    for each in threading.enumerate():
        if each.name == "drillbook-signing":
            each.join()


def test_what_signs_is_imported_in_the_background_and_its_errors_are_told_to_whoever_opens_the_key(
    tmp_path: Path, asked_for: list[tuple[str, bool]]
) -> None:
    made = Sealer(tmp_path, KeySource("k.pem"), Redactor())
    ready(made)
    assert asked_for == [(sealer.SIGNING, True)]
    assert str(made.key) == "the key of k.pem"
    assert asked_for == [(sealer.SIGNING, True), (sealer.SIGNING, False)]


def test_nothing_is_imported_where_nothing_is_signed(tmp_path: Path, asked_for: list[tuple[str, bool]]) -> None:
    ready(Sealer(tmp_path, None, Redactor()))
    assert asked_for == []
