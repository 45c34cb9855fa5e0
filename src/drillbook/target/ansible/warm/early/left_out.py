"""Leaves out of Ansible's import what no inventory needs, so that the inventory is resolved sooner.

The rule: only the fork that resolves the inventory does without it. `put_in` imports it before the server serves a
play, and then Ansible is as if it had been imported at once.

Measured on 2 slow cores: it is a sixth of the import.
"""

from __future__ import annotations

import ctypes.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_AGENT, _CONTEXT = "ansible._internal._ssh._agent_launch", "ansible.playbook.play_context"
_RESERVED = "ansible.vars.reserved"


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


def put_in() -> None:
    """Import what was left out, and give it to the modules that have a stand-in. Another call changes nothing."""
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


def _libc(name: str) -> str | None:
    """The C library of this process, which it has loaded. ctypes asks ldconfig for the name: a process of 5 ms."""
    if name != "c":
        return None
    try:
        return "libc.so.6" if os.confstr("CS_GNU_LIBC_VERSION") else None
    except (OSError, ValueError):  # it is another library
        return None
