# mypy: disable-error-code="no-untyped-call,no-untyped-def,import-untyped"
# (ansible-core is not typed)
"""Ansible's payload of a module is packed once a session, not once a play; and what runs a module on this machine.

The rule is that of `preloaded`: a kept payload is used where a cold run would pack the same. So its key is its module's
path and source, and the state of every folder of `module_utils` outside of Ansible. A module that uses a collection is
packed in each play. Arguments are no part of a payload.

Measured on 2 slow cores: packing takes 0.12 s of a CPU for each module of a play.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ansible
from ansible import constants
from ansible.executor import module_common
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_utils_loader

_OF_COLLECTIONS = b"ansible_collections"


def keep_payloads(folder: Path) -> None:
    """Let Ansible's packer use this folder, which is the session's own. Call it once, before the first fork."""
    pack: Callable[..., Any] = module_common._find_module_utils

    def pack_or_take(*, module_path: Any, b_module_data: bytes, **rest: Any) -> Any:
        state = _state(str(module_path), b_module_data)
        if state is None:
            return pack(module_path=module_path, b_module_data=b_module_data, **rest)
        # the packer keeps its result below this folder, for the other hosts of the play
        own = constants.DEFAULT_LOCAL_TMP
        constants.set_constant("DEFAULT_LOCAL_TMP", str(folder / state))
        try:
            return pack(module_path=module_path, b_module_data=b_module_data, **rest)
        finally:
            constants.set_constant("DEFAULT_LOCAL_TMP", own)

    module_common._find_module_utils = pack_or_take


def run_modules_with(python: Path) -> None:
    """Let `python` run what this process' Python would run, on this machine and as this user.

    Call it once, before the first fork.
    """
    configure: Callable[..., Any] = ActionBase._configure_module

    def configure_for_python(self: Any, *arguments: Any, **named: Any) -> Any:
        packed, path = configure(self, *arguments, **named)
        here = self._connection.transport == "local" and self._connection.become is None
        if here and packed.module_style == "new" and packed.shebang == f"#!{sys.executable}":
            packed = replace(packed, shebang=f"#!{python}")
        return packed, path

    ActionBase._configure_module = configure_for_python


def _state(module_path: str, source: bytes) -> str | None:
    """The name for all that a payload is made from; None when it cannot be known."""
    if _OF_COLLECTIONS in source:
        return None
    digest = hashlib.sha256(f"{module_path}\0".encode() + source)
    for path in _utils():
        try:
            text = path.read_bytes()
        except OSError:
            return None
        if _OF_COLLECTIONS in text:
            return None
        digest.update(f"\0{path}\0".encode() + text)
    return digest.hexdigest()


def _utils() -> Iterator[Path]:
    """The files that may come before Ansible's own `module_utils`, in the order of the search."""
    builtin = Path(ansible.__file__).parent
    for folder in map(Path, module_utils_loader._get_paths(subdirs=False)):
        if not folder.is_relative_to(builtin):
            yield from sorted(folder.rglob("*.py"))
