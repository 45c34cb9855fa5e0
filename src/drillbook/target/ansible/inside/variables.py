"""All variables of all hosts, templated and decrypted by Ansible itself.

The rule: each variable is templated by itself. One that cannot be (`mandatory`, an undefined name) becomes an entry
with its message and does not end the run. Tags of core 2.19 say where a value was written (file and line) and whether
it was vaulted. Without the tags both are unknown, not wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ansible import constants as C  # type: ignore[import-untyped]
from ansible.plugins.loader import (  # type: ignore[import-untyped]
    become_loader,
    connection_loader,
    filter_loader,
    test_loader,
)

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
    "engine",
    "engine_url",
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


def resolved(hostvars: Any, task_vars: dict[str, Any], templar: Any) -> dict[str, Any]:
    """The groups, and for each host its variables and how Ansible connects to it, in values that JSON has."""
    shared = {name: task_vars[name] for name in ("hostvars", "groups", "omit") if name in task_vars}
    hosts: dict[str, dict[str, Any]] = {}
    connections = {}
    compiled: dict[object, Any] = {}
    alike = _Alike()
    everyone = set(task_vars["groups"]["all"])
    for host in filter(everyone.__contains__, hostvars):  # in the order of the inventory
        raw = hostvars.raw_get(host)
        available = {**raw, **shared}
        for_host = templar.copy_with_new_env(available_variables=available)
        hosts[host] = {}
        with _each_text_compiled_once(compiled):
            for name, value in raw.items():
                if name not in _MAGIC:
                    hosts[host][name], worked_out = alike.entry(name, raw) or alike.kept(
                        name, raw, _entry(value, name, for_host)
                    )
                    if worked_out is not None:
                        # for variables that name it further down: templating it anew each time took three times as long
                        available[name] = worked_out
        values = {variable: entry["value"] for variable, entry in hosts[host].items() if "value" in entry}
        connections[host] = _connection(values | {"inventory_hostname": host})
    plain: dict[str, Any] = _plain({"groups": task_vars["groups"], "hosts": hosts, "connections": connections})
    return plain


@contextmanager
def _each_text_compiled_once(compiled: dict[object, Any]) -> Iterator[None]:
    """Compile each text once: the hosts of a group share most texts, and compiling was half of the time of an
    inventory.

    A text compiles to the same code wherever its marks and its backslashes mean the same: core 2.19 runs no filter
    while it compiles. Older versions do, so there each text is compiled for itself.
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


class _Known(NamedTuple):
    """A resolved variable, and the raw value of each name that was read for it."""

    read: dict[str, Any]
    entry: dict[str, Any]
    worked_out: Any


class _Alike:
    """Resolves once what is the same on all hosts.

    The rule: a variable is the same on two hosts when each word of its text, and of all texts that these words name, is
    the same. A text that could differ on another host, or at another time, is resolved on each host.
    """

    def __init__(self) -> None:
        self._known: dict[str, list[_Known]] = {}
        self._words: dict[int, frozenset[str] | None] = {}
        self._values: list[Any] = []
        """Keeps the values whose ids it knows: when a value is freed, another may get its id."""

    def entry(self, name: str, raw: Mapping[str, Any]) -> tuple[dict[str, Any], Any] | None:
        """The entry of an earlier host, when this host has the same."""
        for known in self._known.get(name, ()):
            if all(_same(raw.get(word, _ABSENT), value) for word, value in known.read.items()):
                return known.entry, known.worked_out
        return None

    def kept(self, name: str, raw: Mapping[str, Any], found: tuple[dict[str, Any], Any]) -> tuple[dict[str, Any], Any]:
        """Keep an entry, which later hosts may share."""
        entry, worked_out = found
        read = self._read(name, raw) if worked_out is not None else None
        if read is not None:
            self._known.setdefault(name, []).append(_Known(read, entry, worked_out))
        return found

    def _read(self, name: str, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """Each word that the variable's text reads, and the words of those texts in turn; None when that cannot be
        known.
        """
        read: dict[str, Any] = {}
        ahead = [name]
        while ahead:
            word = ahead.pop()
            if word in read:
                continue
            read[word] = value = raw.get(word, _ABSENT)
            if value is not _ABSENT and word not in _MAGIC:
                words = self._words_of(value)
                if words is None:
                    return None
                ahead += words
        return read

    def _words_of(self, value: Any) -> frozenset[str] | None:
        if id(value) not in self._words:
            self._values.append(value)
            self._words[id(value)] = _words(value)
        return self._words[id(value)]


_ABSENT = object()
_WORD = re.compile(r"[A-Za-z_]\w*")
_LOOKUP = re.compile(r"""\b(?:lookup|query|q)\b(?:\s*\(\s*['"](?:ansible\.builtin\.)?(?:env|file|first_found)['"])?""")
_FILTER = re.compile(r"\|\s*([A-Za-z_][\w.]*)")
_TEST = re.compile(r"\bis\s+(?:not\s+)?([A-Za-z_][\w.]*)")
_TELL_APART = frozenset(
    {"extends", "hostvars", "import", "include", "lipsum", "now", "random", "shuffle", "varnames", "vars"}
)
"""Words that may give a text another value on another host, or the next time."""


def _words(value: Any) -> frozenset[str] | None:
    """All words of all texts of a value; None when a text may read something that no word of it names."""
    words: set[str] = set()
    for _, each in _nested(value, ""):
        if isinstance(each, str) and type(each).__name__ != "EncryptedString":
            if not _is_plain_of_words(each):
                return None
            words.update(_WORD.findall(each))
        elif not isinstance(each, (Mapping, Sequence, int, float)) and each is not None:
            return None
    return None if words & _TELL_APART else frozenset(words)


def _is_plain_of_words(text: str) -> bool:
    """Whether it uses only what comes with Ansible: a user's filter may read any variable."""
    if "{" not in text:
        return True
    if text.startswith("#jinja2:") or any(not found.endswith(("'", '"')) for found in _LOOKUP.findall(text)):
        return False
    return all(_comes_with_ansible(name, filter_loader) for name in _FILTER.findall(text)) and all(
        _comes_with_ansible(name, test_loader) for name in _TEST.findall(text)
    )


def _comes_with_ansible(name: str, loader: Any) -> bool:
    try:
        plugin = loader.get(name)
    except Exception:  # noqa: BLE001 - there is none of this name: then it is a word, and no filter
        return True
    return plugin is None or str(plugin.ansible_name).startswith("ansible.builtin.")


def _same(one: Any, other: Any) -> bool:
    """Hosts of a group share the very objects of its variables; Ansible makes its own facts for each host."""
    return one is other or (type(one) is type(other) and isinstance(one, (str, int)) and one == other)


def _connection(variables: dict[str, Any]) -> dict[str, Any]:
    """How Ansible connects to the host: by its variables, then ansible.cfg, then the defaults, by Ansible's
    own rules.
    """
    plugin = str(variables.get("ansible_connection") or C.DEFAULT_TRANSPORT)
    found = {
        "connection": plugin,
        "become": variables.get("ansible_become", C.DEFAULT_BECOME),
        "become_user": variables.get("ansible_become_user", C.DEFAULT_BECOME_USER),
        "become_method": str(variables.get("ansible_become_method", C.DEFAULT_BECOME_METHOD)),
    }
    found["su_asks"] = False
    plugin = {"smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh"}.get(plugin, plugin)
    if connection_loader.get(plugin, class_only=True) is None:
        return found
    options = C.config.get_configuration_definitions("connection", plugin)
    for option in _CONNECTION_OPTIONS & options.keys():
        found[option] = C.config.get_config_value(
            option, plugin_type="connection", plugin_name=plugin, variables=variables
        )
    found["su_asks"] = _su_asks(plugin, found, variables)
    return found


def _su_asks(connection: str, found: Mapping[str, Any], variables: dict[str, Any]) -> bool:
    """Whether `su` on the host certainly asks for a password that nobody gives it. It asks anybody but root."""
    user = found.get("remote_user")
    local = connection == "local"
    if (os.geteuid() == 0) if local else (not user or str(user) in {"root", str(found["become_user"])}):
        return False
    if C.config.get_config_value("BECOME_PASSWORD_FILE") or become_loader.get("su", class_only=True) is None:
        return False
    given = C.config.get_config_value("become_pass", plugin_type="become", plugin_name="su", variables=variables)
    return not given


def _entry(raw: Any, name: str, templar: Any) -> tuple[dict[str, Any], Any]:
    """The entry of a variable, and its value as Ansible has it; None when it has none."""
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
    """The value and all parts in it, each with its path of keys."""
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
    """Only what JSON has: no tags, no lazy containers, no strings that are decrypted on demand."""
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
