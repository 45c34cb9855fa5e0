"""An inventory as Ansible itself resolves it: every variable of every host, templated, decrypted, and with the line
that it stands on.

The rule: no second reader of inventories. testinfra reads them through ansible-inventory, which templates nothing, so
that an `ansible_host: "{{ ... }}"` reaches ssh as it is written.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import drillbook
from drillbook.errors import InventoryError, PlaybookError
from drillbook.evidence.redaction import MIN_LENGTH, Redactor
from drillbook.playlog import PlayLog
from drillbook.secretnames import is_secret_header, is_secret_name

if TYPE_CHECKING:
    from drillbook.warm.client import Warm

RESOLVE_TIMEOUT_S = 120.0
_VAULT = b"$ANSIBLE_VAULT"
_PART_OF_A_HEADER = 12


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that may not be shown; `declared` when somebody called it a secret, else only its name looks like one."""

    label: str
    value: str = field(repr=False)
    declared: bool


@dataclass(frozen=True, slots=True)
class ResolvedInventory:
    """What the action plugin `drillbook_variables` has written."""

    path: Path
    groups: dict[str, list[str]]
    entries: dict[str, dict[str, dict[str, Any]]]  # host -> variable -> {value, vaulted, origins} or {error, origins}
    connections: dict[str, dict[str, Any]]  # host -> how Ansible would connect to it

    @classmethod
    def by_ansible(
        cls, path: Path, root: Path, pass_env: tuple[str, ...], warm: Warm | None = None
    ) -> ResolvedInventory:
        from drillbook.ansible_run import run_ansible

        with tempfile.TemporaryDirectory(prefix="drillbook-inventory-", ignore_cleanup_errors=True) as directory:
            plugins = Path(drillbook.__file__).parent / "ansible_plugins" / "action"
            written = Path(directory) / "variables.json"
            playbook = Path(directory) / "resolve.yml"
            task = {"name": "Resolve the inventory", "drillbook_variables": {"dest": str(written)}, "run_once": True}
            # all said in the playbook and beside it, nothing in the environment: it is that of every other run
            play = {"name": "Resolve", "hosts": "all", "gather_facts": False, "connection": "local", "tasks": [task]}
            play |= {"strategy": "linear"}
            (Path(directory) / "action_plugins").symlink_to(plugins)
            playbook.write_text(json.dumps([play]), encoding="utf-8")
            log = PlayLog(root, Redactor(), None)
            try:
                ended = run_ansible(
                    playbook,
                    path,
                    root=root,
                    pass_env=pass_env,
                    timeout_s=RESOLVE_TIMEOUT_S,
                    on_event=log.event,
                    warm=warm,
                )
            except PlaybookError as error:
                raise InventoryError(str(error)) from error
            if ended.status == "timeout":
                msg = f"Ansible did not read the inventory {path} within {RESOLVE_TIMEOUT_S:.0f} seconds."
                raise InventoryError(msg)
            if ended.rc != 0:
                failed = " ".join(result.message for result in log.results() if result.message)
                msg = f"Ansible cannot read the inventory {path}: {_with_place(failed or log.reason(), path)}"
                raise InventoryError(msg)
            if not written.exists():
                msg = f"The inventory {path} names no host."
                raise InventoryError(msg)
            known = json.loads(written.read_text(encoding="utf-8"))
        return cls(path, known["groups"], known["hosts"], known["connections"])

    @property
    def values(self) -> dict[str, dict[str, object]]:
        return {
            host: {name: entry["value"] for name, entry in entries.items() if "value" in entry}
            for host, entries in self.entries.items()
        }

    def problems(self) -> dict[tuple[str, str], str]:
        return {
            (host, name): f"{origin_of(entry, entry['error']['where']) or self.path}: {entry['error']['message']}"
            for host, entries in self.entries.items()
            for name, entry in entries.items()
            if "error" in entry
        }

    def secrets(self) -> list[Secret]:
        """All that may not be shown, each value once."""
        found: dict[str, Secret] = {}
        vaults: dict[str, bool] = {}
        labels: Counter[str] = Counter()
        for entries in self.entries.values():
            for name, entry in entries.items():
                for path, value, declared in _secrets_in(entry, name, vaults):
                    if value not in found:
                        labels[path] += 1
                        label = path if labels[path] == 1 else f"{path}#{labels[path]}"
                        found[value] = Secret(label, value, declared)
                    elif declared and not found[value].declared:
                        found[value] = replace(found[value], declared=True)
        return list(found.values())


def _with_place(message: str, path: Path) -> str:
    """Ansible names no file when it cannot read one of group_vars or host_vars: look for the one that it means."""
    if re.search(r"\(\S+:\d+(:\d+)?\)$", message):
        return message
    import yaml

    folder = path if path.is_dir() else path.parent
    files = [
        each for name in ("group_vars", "host_vars") for each in sorted(folder.glob(f"{name}/**/*")) if each.is_file()
    ]
    if "vault" in message.lower():
        vaulted = ", ".join(str(each) for each in files if each.read_bytes().startswith(_VAULT))
        return f"{message} Encrypted: {vaulted or 'single values'}. Set ANSIBLE_VAULT_PASSWORD_FILE."
    for each in files:
        try:
            list(yaml.parse(each.read_bytes()))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            return f"{message.rstrip('.')} ({each}:{line})"
        except yaml.YAMLError:
            continue  # a vault, or something that Ansible does not read either
    return message


def _secrets_in(entry: Mapping[str, Any], name: str, vaults: dict[str, bool]) -> Iterable[tuple[str, str, bool]]:
    """(label, value, declared) of what is vaulted, of what a name says to be secret, and of passwords in URLs."""
    if "value" not in entry:
        return
    vaulted = entry.get("vaulted", ())
    ours = name.startswith("drillbook_")
    for path, value in _leaves(entry["value"], name):
        keys = path.split(".")
        is_header = ours and "headers" in keys[:-1] and is_secret_header(keys[-1])
        named = is_header or any(is_secret_name(key) for key in keys)
        in_vault = _in_a_vault(entry, path, vaults) or any(f"{path}.".startswith(f"{each}.") for each in vaulted)
        if (in_vault or named) and (isinstance(value, str) or len(str(value)) >= MIN_LENGTH):
            yield path, str(value), named and (in_vault or ours)
        if is_header:  # "Bearer TOKEN", "session=ID; theme=dark": the parts are printed without the rest
            parts = re.split(r"[ ;,=]+", str(value))
            yield from ((path, part, False) for part in parts if len(part) >= _PART_OF_A_HEADER)
        if isinstance(value, str) and (password := _password_of(value)):
            yield path, password, ours


def _leaves(value: object, path: str) -> Iterable[tuple[str, object]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, f"{path}.{number}")
    elif value is not None and not isinstance(value, bool):
        yield path, value


def _in_a_vault(entry: Mapping[str, Any], path: str, vaults: dict[str, bool]) -> bool:
    """Whether the value was written in a file that is encrypted as a whole: its values carry no tag."""
    origin = origin_of(entry, path).rsplit(":", 1)[0]
    if origin and origin not in vaults:
        try:
            with Path(origin).open("rb") as file:
                vaults[origin] = file.read(len(_VAULT)) == _VAULT
        except OSError:
            vaults[origin] = False
    return vaults.get(origin, False)


def origin_of(entry: Mapping[str, Any], path: str) -> str:
    """File and line of the innermost part of `path` that has them, else "" (a script wrote it)."""
    origins: Mapping[str, str] = entry.get("origins", {})
    keys = path.split(".")
    return next((origins[each] for n in range(len(keys), 0, -1) if (each := ".".join(keys[:n])) in origins), "")


def _password_of(url: str) -> str | None:
    if "://" not in url or "@" not in url:
        return None
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None
