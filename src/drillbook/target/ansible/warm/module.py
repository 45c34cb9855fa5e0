# mypy: disable-error-code="import-untyped"
# (ansible-core is not typed)
"""A fork of the module server becomes the Python that runs a module of Ansible on this machine.

The rule: a module finds what its own payload holds. The server imports once what all modules share, from the payload of
the session's first module. A later module uses that only if its own payload holds the very same. Otherwise it imports
everything of Ansible from its payload, as in a cold run.

Measured on 2 slow cores: a Python that starts and imports this takes 0.2 to 0.3 s of a CPU in each task, and 0.2 s more
for redis.
"""

from __future__ import annotations

import base64
import os
import re
import runpy
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from zipfile import ZipFile

from drillbook.target.ansible.warm.request import Request, of_python

_PACKAGE = "ansible.module_utils._internal._ansiballz"
_LOADER = f"{_PACKAGE}._loader"
"""What the script that carries a module imports from the payload to run it."""
_PAYLOAD = re.compile(rb"^zip_data='([A-Za-z0-9+/=]+)',$", re.MULTILINE)
_LIBRARIES = ("redis", "ssl", "urllib.request")
"""Libraries that many modules import, from where they are installed and not from a payload."""


class Modules:
    """What modules share, and whether a given module may use it."""

    ahead = False
    ends_with_shim = True

    def __init__(self, environment: dict[bytes, bytes], folder: Path) -> None:
        """`folder` is the session's own; it keeps the payload of the first module."""
        self._python = of_python(environment)
        self._first = folder / "first.zip"
        self._shared: dict[str, int] = {}  # CRCs, by the name of the file in the payload

    def why_cold(self, request: Request) -> str:
        """Why a module cannot be a fork of this process; empty when it can. The first call imports what is shared."""
        if not request.mark:
            return "it belongs to no run"
        script = Path(os.fsdecode(request.arguments[-1]))
        if len(request.arguments) != 2 or not script.name.startswith("AnsiballZ_"):
            return "it is no module in a file of its own"
        if of_python(request.environment) != self._python:
            return "the environment differs in what Python reads when it starts"
        return "" if self._shared else self._import_shared(script)

    def _import_shared(self, script: Path) -> str:
        try:
            carried = _PAYLOAD.search(script.read_bytes())
        except OSError as error:  # its run may have ended meanwhile
            return f"it cannot be read ({error.strerror})"
        if carried is None:
            return "its payload is not where this version of Ansible puts it"
        self.import_shared(base64.b64decode(carried[1]))
        return ""

    def import_shared(self, payload: bytes) -> None:
        """Import what is shared from the payload of a module, a zip."""
        self._first.write_bytes(payload)
        sys.path.insert(0, str(self._first))
        try:
            import_module(_LOADER)
        finally:
            sys.path.remove(str(self._first))
        for library in _LIBRARIES:
            with suppress(ImportError):
                import_module(library)
        with ZipFile(self._first) as file:
            held = {entry.filename: entry.CRC for entry in file.infolist()}
        for module in _of_ansible().values():
            path = Path(str(getattr(module, "__file__", None)))
            if path.is_relative_to(self._first):  # six has names for modules of Python's own
                name = str(path.relative_to(self._first))
                self._shared[name] = held[name]

    def begin(self) -> None:
        """In a fork that has taken over the module's things: let the module find what is shared."""
        vars(import_module(_PACKAGE))["_loader"] = SimpleNamespace(run_module=self._run_module)
        sys.argv = sys.argv[1:]

    def run(self) -> None:
        """Run as Python does, with the script in sys.argv."""
        runpy.run_path(sys.argv[0], run_name="__main__")

    def _run_module(self, *, modlib_path: str, **rest: Any) -> None:
        """Ansible's script has written the payload to `modlib_path`, and put that first in sys.path."""
        with ZipFile(modlib_path) as payload:
            held = {entry.filename: entry.CRC for entry in payload.infolist()}
        if all(held.get(name) == crc for name, crc in self._shared.items()):
            for module in _of_ansible().values():
                if hasattr(module, "__path__"):
                    module.__path__ = [each.replace(str(self._first), modlib_path) for each in module.__path__]
        else:
            for name in _of_ansible():
                del sys.modules[name]
        loader = import_module(_LOADER)
        vars(import_module(_PACKAGE))["_loader"] = loader
        loader.run_module(modlib_path=modlib_path, **rest)


def _of_ansible() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "ansible"}
