"""An inventory as Ansible itself resolves it: every variable of every host, templated, decrypted, and with its line.

The rule: nobody else reads inventories. testinfra reads them through ansible-inventory, which templates nothing, so
that an `ansible_host: "{{ ... }}"` reaches ssh as it is written.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.errors import InventoryError, PlaybookError
from drillbook.evidence.machine_paths import without_machine
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.environment import PLUGINS
from drillbook.target.ansible.events import PlayLog
from drillbook.target.ansible.messages import place_in
from drillbook.target.inventory.origins import origin_of
from drillbook.target.inventory.secrets import VAULT, Secret, secrets_in
from drillbook.target.private_folders import PrivateFolder

if TYPE_CHECKING:
    from drillbook.target.ansible.warm.client import Warm

RESOLVE_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class ResolvedInventory:
    """The output of the action plugin `drillbook_variables`."""

    path: Path
    groups: dict[str, list[str]]
    entries: dict[str, dict[str, dict[str, Any]]]  # host -> variable -> {value, vaulted, origins} or {error, origins}
    connections: dict[str, dict[str, Any]]  # host -> how Ansible would connect to it
    further: tuple[Path, ...] = ()  # the inventories that were merged with it

    @classmethod
    def by_ansible(
        cls,
        path: Path,
        root: Path,
        pass_env: tuple[str, ...],
        warm: Warm | None = None,
        further: Sequence[Path] = (),
    ) -> ResolvedInventory:
        # ansible-runner takes 0.1 s to import: meanwhile the warm server resolves the inventory
        from drillbook.target.ansible.run import run_ansible

        known = warm.inventory(path, root, pass_env) if warm is not None and not further else None
        if known is not None:
            return cls(path, known["groups"], known["hosts"], known["connections"], tuple(further))
        with PrivateFolder("inventory") as directory:
            written = directory / "variables.json"
            playbook = directory / "resolve.yml"
            task = {"name": "Resolve the inventory", "drillbook_variables": {"dest": str(written)}, "run_once": True}
            # the playbook and its files say all of it; the environment is that of every other run
            play = {"name": "Resolve", "hosts": "all", "gather_facts": False, "connection": "local", "tasks": [task]}
            play |= {"strategy": "linear"}
            (directory / "action_plugins").symlink_to(PLUGINS / "action")
            playbook.write_text(json.dumps([play]), encoding="utf-8")
            log = PlayLog(root, Redactor(), None)
            try:
                ended = run_ansible(
                    playbook,
                    path,
                    root=root,
                    further=further,
                    pass_env=pass_env,
                    timeout_s=RESOLVE_TIMEOUT_S,
                    on_event=log.event,
                    warm=warm,
                )
            except PlaybookError as error:
                raise InventoryError(str(error), place_in(str(error))) from error
            if ended.status == "timeout":
                msg = f"Ansible did not read the inventory {path} within {RESOLVE_TIMEOUT_S:.0f} seconds."
                raise InventoryError(msg)
            if ended.rc != 0:
                failed = " ".join(result.message for result in log.results() if result.message)
                said = _words_of_sources(log.stdout()) or _with_place(failed or log.reason(), path)
                msg = f"Ansible cannot read the inventory {path}: {without_machine(said, root)}"
                raise InventoryError(msg, place_in(msg))
            if not written.exists():
                msg = f"The inventory {path} names no host."
                raise InventoryError(msg)
            known = json.loads(written.read_text(encoding="utf-8"))
        return cls(path, known["groups"], known["hosts"], known["connections"], tuple(further))

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
        seen: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for entries in self.entries.values():
            for name, entry in entries.items():
                if entry in seen[name]:  # most hosts of a group have the same
                    continue
                seen[name].append(entry)
                for path, value, declared in secrets_in(entry, name, vaults):
                    if value not in found:
                        labels[path] += 1
                        label = path if labels[path] == 1 else f"{path}#{labels[path]}"
                        found[value] = Secret(label, value, declared)
                    elif declared and not found[value].declared:
                        found[value] = replace(found[value], declared=True)
        return list(found.values())


_SAID = re.compile(r"^\[(?:WARNING|ERROR)\]: ", re.MULTILINE)
_NOT_PARSED = re.compile(
    r"Failed to parse inventory with '(?P<plugin>[^']+)' plugin: (?P<reason>.*?)(?:\n\s*\n|\Z)", re.DOTALL
)
_OF_THE_SCRIPT = "Standard error from inventory script:"
_FORMATS = frozenset({"host_list", "ini", "script", "toml", "yaml"})
_VAULT = re.compile(r"decrypt|vault (?:password|secret|id)|HMAC", re.IGNORECASE)


def _words_of_sources(said: str) -> str:
    """What a script or a plugin of the inventory printed as it failed; empty when none did.

    Ansible warns of each way in which it tried to read a source, but its error says only that all of them failed.
    """
    failed: dict[str, list[str]] = {}
    for part in _SAID.split(said):
        if found := _NOT_PARSED.match(part):
            plugin = found["plugin"].rpartition(".")[2]
            words = f"{found['reason']} {part.partition(_OF_THE_SCRIPT)[2]}"
            failed.setdefault(plugin, []).append(" ".join(words.split()).rstrip("."))
    if "script" in failed:
        sees = "The script sees no variable of your environment but those that drillbook_pass_env names."
        return f"{'; '.join(failed['script'])}. {sees}"
    others = [each for plugin, words in failed.items() if plugin not in _FORMATS for each in words]
    return f"{'; '.join(others)}." if others else ""


def _with_place(message: str, path: Path) -> str:
    """Ansible names no file when it cannot read one of group_vars or host_vars: find the one that it means."""
    if re.search(r"\(\S+:\d+(:\d+)?\)$", message):
        return message
    # only for an inventory that is wrong
    import yaml

    folder = path if path.is_dir() else path.parent
    files = [
        each for name in ("group_vars", "host_vars") for each in sorted(folder.glob(f"{name}/**/*")) if each.is_file()
    ]
    if _VAULT.search(message):
        texts = {each: each.read_bytes() for each in files}
        vaulted = ", ".join(str(each) for each, text in texts.items() if text.startswith(VAULT))
        if vaulted or any(VAULT in text for text in (*texts.values(), *_bytes_of(path))):
            return f"{message} Encrypted: {vaulted or 'single values'}. Set ANSIBLE_VAULT_PASSWORD_FILE."
    for each in files:
        try:
            list(yaml.parse(each.read_bytes()))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            return f"{message.rstrip('.')} ({each}:{line})"
        except yaml.YAMLError:
            continue  # a vault, or a file that Ansible does not read either
    return message


def _bytes_of(path: Path) -> list[bytes]:
    """The bytes of the inventory's own files."""
    files = path.iterdir() if path.is_dir() else [path]
    return [each.read_bytes() for each in files if each.is_file()]
