"""An Ansible action plugin: writes all variables of all hosts, templated and decrypted by Ansible itself, into one
private file.

One task for the whole inventory, because a task per host costs a process per host. Each variable is templated by
itself, so that one that cannot be (`mandatory`, an undefined name) is an entry with its message, not the end of the
run. Where a value was written (file and line) and whether it was vaulted are tags of core 2.19; without them they are
unknown, not wrong.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible import constants as C  # type: ignore[import-untyped]
from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]
from ansible.plugins.loader import connection_loader  # type: ignore[import-untyped]

try:
    from ansible.module_utils._internal._datatag import AnsibleTagHelper  # type: ignore[import-untyped]
except ImportError:
    AnsibleTagHelper = None
try:
    from ansible._internal._templating._jinja_bits import (  # type: ignore[import-untyped]
        _TEMPLATE_OVERRIDE_FIELD_NAMES,
        AnsibleEnvironment,
        _TemplateCompileContext,
    )
except ImportError:
    AnsibleEnvironment = None

_CONNECTION_OPTIONS = {
    "host",
    "host_key_checking",
    "password",
    "port",
    "private_key_file",
    "remote_addr",
    "remote_user",
    "ssh_args",
    "ssh_common_args",
    "ssh_extra_args",
}
_MAGIC = frozenset(
    {
        "ansible_check_mode",
        "ansible_config_file",
        "ansible_diff_mode",
        "ansible_facts",
        "ansible_forks",
        "ansible_inventory_sources",
        "ansible_play_batch",
        "ansible_play_hosts",
        "ansible_play_hosts_all",
        "ansible_play_name",
        "ansible_playbook_python",
        "ansible_run_tags",
        "ansible_skip_tags",
        "ansible_verbosity",
        "ansible_version",
        "environment",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "omit",
        "play_hosts",
        "playbook_dir",
        "role_names",
        "vars",
    }
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """`drillbook_variables: {dest: FILE}`; run it once, it looks at every host."""

    _requires_connection = False
    _VALID_ARGS = frozenset({"dest"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        known = resolved(task_vars["hostvars"], task_vars, self._templar)
        written = os.open(self._task.args["dest"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(written, "w", encoding="utf-8") as file:
            json.dump(known, file)
        return result | {"changed": False}


def resolved(hostvars: Any, task_vars: dict[str, Any], templar: Any) -> dict[str, Any]:
    """The groups, and of each host its variables and how Ansible connects to it: what JSON has."""
    shared = {name: task_vars[name] for name in ("hostvars", "groups", "omit") if name in task_vars}
    hosts: dict[str, dict[str, Any]] = {}
    connections = {}
    compiled: dict[object, Any] = {}
    everyone = set(task_vars["groups"]["all"])
    for host in filter(everyone.__contains__, hostvars):  # in the order of the inventory
        raw = hostvars.raw_get(host)
        available = {**raw, **shared}
        for_host = templar.copy_with_new_env(available_variables=available)
        hosts[host] = {}
        with _each_text_compiled_once(compiled):
            for name, value in raw.items():
                if name not in _MAGIC:
                    hosts[host][name], worked_out = _entry(value, name, for_host)
                    if worked_out is not None:
                        # for what names it further down: to work it out anew each time took three times as long
                        available[name] = worked_out
        values = {variable: entry["value"] for variable, entry in hosts[host].items() if "value" in entry}
        connections[host] = _connection(values | {"inventory_hostname": host})
    plain: dict[str, Any] = _plain({"groups": task_vars["groups"], "hosts": hosts, "connections": connections})
    return plain


@contextmanager
def _each_text_compiled_once(compiled: dict[object, Any]) -> Iterator[None]:
    """The hosts of a group share most of their texts, and to compile them was half of the time of an inventory.

    A text is compiled to the same code wherever its marks and its backslashes mean the same: core 2.19 runs no filter
    while it compiles. Before that it did, and each text is compiled for itself.
    """
    if AnsibleEnvironment is None:
        yield
        return
    compile_anew = AnsibleEnvironment.compile

    def once(self: Any, source: Any, *more: Any, **named: Any) -> Any:
        if more or named or self.optimized or not isinstance(source, str):
            return compile_anew(self, source, *more, **named)
        context = _TemplateCompileContext.current(optional=True)
        marks = (getattr(self, name) for name in _TEMPLATE_OVERRIDE_FIELD_NAMES)
        key = (source, context and context.escape_backslashes, *marks)
        if key not in compiled:
            compiled[key] = compile_anew(self, source)
        return compiled[key]

    AnsibleEnvironment.compile = once
    try:
        yield
    finally:
        AnsibleEnvironment.compile = compile_anew


def _connection(variables: dict[str, Any]) -> dict[str, Any]:
    """How Ansible connects to the host: its variables, then ansible.cfg, then the defaults, by Ansible's own rules."""
    plugin = str(variables.get("ansible_connection") or C.DEFAULT_TRANSPORT)
    found = {
        "connection": plugin,
        "become": variables.get("ansible_become", C.DEFAULT_BECOME),
        "become_user": variables.get("ansible_become_user", C.DEFAULT_BECOME_USER),
    }
    plugin = {"smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh"}.get(plugin, plugin)
    if connection_loader.get(plugin, class_only=True) is None:
        return found
    options = C.config.get_configuration_definitions("connection", plugin)
    for option in _CONNECTION_OPTIONS & options.keys():
        found[option] = C.config.get_config_value(
            option, plugin_type="connection", plugin_name=plugin, variables=variables
        )
    return found


def _entry(raw: Any, name: str, templar: Any) -> tuple[dict[str, Any], Any]:
    """What is said of a variable, and its value as Ansible has it; None when it has none."""
    origins = {path: origin for path, each in _nested(raw, name) if (origin := _origin(each))}
    entry: dict[str, Any] = {"origins": origins}
    try:
        value = templar.template(raw)
        entry["vaulted"] = [path for path, each in _nested(value, name) if _is_vaulted(each)]
        entry["value"] = _plain(value)
    except Exception as error:  # noqa: BLE001 - whatever a filter or lookup raises is the answer
        where, reason = _culprit(raw, name, templar) or (name, error)
        entry["error"] = {"where": where, "message": _innermost(reason)}
        return entry, None
    return entry, value


def _culprit(raw: Any, name: str, templar: Any) -> tuple[str, BaseException] | None:
    """The innermost part of a value that cannot be templated by itself."""
    for path, each in _nested(raw, name):
        if isinstance(each, str) or not isinstance(each, (Mapping, Sequence)):
            try:
                templar.template(each)
            except Exception as error:  # noqa: BLE001 - whatever a filter or lookup raises is the answer
                return path, error
    return None


def _nested(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The value and all that is in it, with the path of keys to each."""
    yield path, value
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _nested(each, f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for number, each in enumerate(value):
            yield from _nested(each, f"{path}.{number}")


def _tags(value: Any) -> Mapping[str, Any]:
    return {type(tag).__name__: tag for tag in AnsibleTagHelper.tags(value)} if AnsibleTagHelper else {}


def _origin(value: Any) -> str:
    tag = _tags(value).get("Origin")
    path = getattr(tag, "path", None)
    if not path:
        return ""
    line = getattr(tag, "line_num", None)
    return f"{path}:{line}" if line else f"{path}"


def _is_vaulted(value: Any) -> bool:
    return type(value).__name__ == "EncryptedString" or "VaultedValue" in _tags(value)


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None and str(error.__cause__) and not isinstance(error.__cause__, RecursionError):
        error = error.__cause__
    return str(error)


def _plain(value: Any) -> Any:
    """Only what JSON has: no tags, no lazy containers, no decrypted-on-demand strings."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(each) for each in value]
    return str(value)
