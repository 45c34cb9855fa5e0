"""Leaves out of Ansible's import what no inventory needs, so that the inventory is resolved sooner.

The rule: only the fork that resolves the inventory does without it. `put_in` imports it before the server serves a
play, and then Ansible is as if it had been imported at once.

Measured on 2 slow cores: it is a sixth of the import.
"""

from __future__ import annotations

import ctypes.util
import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_AGENT, _CONTEXT = "ansible._internal._ssh._agent_launch", "ansible.playbook.play_context"
_METADATA, _RESERVED = "importlib.metadata", "ansible.vars.reserved"
_JINJA = re.compile(r"jinja2-([0-9.]+)\.dist-info", re.IGNORECASE)


class NotHereError(Exception):
    """Why the fork gives nothing."""


@contextmanager
def left_out() -> Iterator[None]:
    """Import Ansible within, without what no inventory needs."""
    stand_ins = {
        _AGENT: _module(_AGENT, launch_ssh_agent=_refuse_agent),
        # this and the next import all that a play is made of
        _CONTEXT: _module(_CONTEXT, PlayContext=object),  # of which plugins of connections name the type only
        _RESERVED: _module(_RESERVED, warn_if_reserved=_warn_nobody),
    }
    jinja = _version_of_jinja()
    if jinja and _METADATA not in sys.modules:
        # it imports the parser of e-mail, to read one version
        stand_ins[_METADATA] = vars(importlib)["metadata"] = _module(_METADATA, version={"jinja2": jinja}.__getitem__)
    find = ctypes.util.find_library
    ctypes.util.find_library = lambda name: _libc(name) or find(name)
    sys.modules |= stand_ins
    try:
        yield
        import_module("ansible.plugins.connection")
    finally:
        ctypes.util.find_library = find
        for name in stand_ins:
            del sys.modules[name]
        if _METADATA in stand_ins:
            del vars(importlib)["metadata"]


def put_in() -> None:
    """Import what was left out, and give it to the modules that have a stand-in. Another call changes nothing."""
    import_module(_METADATA)
    vars(import_module("ansible.cli"))["_agent_launch"] = import_module(_AGENT)
    vars(import_module("ansible.plugins.connection"))["PlayContext"] = import_module(_CONTEXT).PlayContext
    vars(import_module("ansible.vars.manager"))["warn_if_reserved"] = import_module(_RESERVED).warn_if_reserved


def _module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(content)
    return made


def _warn_nobody(*_: object) -> None:
    """In place of `warn_if_reserved`."""


def _refuse_agent() -> None:
    """In place of `launch_ssh_agent`: a play may start an agent, or ask one."""
    if import_module("ansible.constants").config.get_config_value("SSH_AGENT") != "none":
        raise NotHereError


def _version_of_jinja() -> str | None:
    """As the name of the folder says that pip has made; None when there is not one such folder."""
    jinja = find_spec("jinja2")
    if jinja is None or jinja.origin is None:
        return None
    named = [_JINJA.fullmatch(each.name) for each in Path(jinja.origin).parents[1].iterdir()]
    versions = [each[1] for each in named if each]
    return versions[0] if len(versions) == 1 else None


def _libc(name: str) -> str | None:
    """The C library of this process, which it has loaded. ctypes asks ldconfig for the name: a process of 5 ms."""
    if name != "c":
        return None
    try:
        return "libc.so.6" if os.confstr("CS_GNU_LIBC_VERSION") else None
    except (OSError, ValueError):  # it is another library
        return None
