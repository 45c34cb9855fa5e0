# mypy: disable-error-code="no-untyped-call,import-untyped"
# (ansible-core is not typed)
"""Resolves the inventory of the session in a fork of the server, while pytest collects.

The rule: the fork gives what a cold run writes, or nothing. A cold run is a play
(`drillbook.target.inventory.resolver`). The fork does that play's work on an inventory, without the parts that only a
play needs. It gives nothing when the inventory is wrong, when a play might fail by a variable that only plays read, or
when resolving takes more than reading files (`witness`). Then the play reports the error, or runs the program that the
inventory is.

Measured on 2 slow cores: the fork takes 0.1 s of a CPU, a play 0.3 s.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

from ansible import constants
from ansible.cli import CLI
from ansible.cli.arguments import option_helpers
from ansible.plugins.loader import add_all_plugin_dirs
from ansible.template import Templar
from ansible.utils.collection_loader import AnsibleCollectionConfig, _collection_finder
from ansible.vars.hostvars import HostVars

from drillbook.target.ansible.inside.variables import resolved
from drillbook.target.ansible.warm.early.left_out import NotHereError
from drillbook.target.ansible.warm.early.witness import Witness

LIMIT_S = 60
"""How long the fork may live."""
_READ_BY_PLAYS = re.compile(r"ansible_\w+")
_HARMLESS = frozenset(
    {
        "ansible_become_pass",
        "ansible_become_password",
        "ansible_become_user",
        "ansible_connection",
        "ansible_host",
        "ansible_password",
        "ansible_port",
        "ansible_python_interpreter",
        "ansible_ssh_args",
        "ansible_ssh_common_args",
        "ansible_ssh_extra_args",
        "ansible_ssh_host",
        "ansible_ssh_pass",
        "ansible_ssh_port",
        "ansible_ssh_private_key_file",
        "ansible_ssh_user",
        "ansible_user",
    }
)
"""Variables that cannot make a resolving play fail: texts for a connection, or variables checked below."""
_CONNECTIONS = frozenset({"local", "ssh", "smart"})
_OF_TASKS = ("action", "callback", "cliconf", "httpapi", "modules", "module_utils", "netconf", "terminal")
"""Kinds of plugins that only a task uses: nineteen twentieths of Ansible's table of moved plugins."""
_MOVED = re.compile(rf"^  (?:{'|'.join(_OF_TASKS)}):\n(?:(?:    |  ?#| *$).*\n)*".encode(), re.MULTILINE)


def answer(inventory: str, playbooks: str, to: socket.socket) -> NoReturn:
    """In a fork: resolve the inventory as a play in the folder `playbooks` would, and send the result."""
    signal.alarm(LIMIT_S)
    sys.dont_write_bytecode = True
    silent = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # nobody prints Ansible's messages about an inventory in the session's log
        os.dup2(silent, number)
    witness = Witness()
    try:
        known = _known(inventory, playbooks)
        said = {"why": witness.refused} if witness.refused else {"known": known, "seen": witness.seen}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the play will say it
        said = {"why": witness.refused or f"{type(error).__name__}"}
    with suppress(OSError):  # pytest has ended
        to.sendall(json.dumps(said).encode())
    os._exit(0)


class _Playbook(CLI):  # type: ignore[misc]  # ansible-core is not typed
    """ansible-playbook with its options, but without the part that runs a playbook: a tenth of Ansible's import."""

    name = "ansible-playbook"
    USES_CONNECTION = True

    def init_parser(self) -> None:
        super().init_parser(usage="", desc="")
        for options in (
            "connect",
            "meta",
            "runas",
            "subset",
            "check",
            "inventory",
            "runtask",
            "vault",
            "fork",
            "module",
        ):
            getattr(option_helpers, f"add_{options}_options")(self.parser)
        self.parser.add_argument("args", nargs="+")

    def post_process_args(self, options: Any) -> Any:
        options = super().post_process_args(options)
        self.validate_conflicts(options, runas_opts=True, fork_opts=True)
        return options

    def run(self) -> None:
        super().run()  # common to all programs of Ansible


def _known(inventory: str, playbooks: str) -> dict[str, Any]:
    cut_moved()
    program = _Playbook(["ansible-playbook", "-i", inventory, os.path.join(playbooks, "resolve.yml")])  # noqa: PTH118
    program.run()
    add_all_plugin_dirs(playbooks)
    AnsibleCollectionConfig.playbook_paths = [playbooks.encode()]
    loader, hosts, variables = program._play_prereqs()
    if not hosts.list_hosts():
        raise NotHereError
    CLI.get_host_list(hosts, None)
    loader.set_basedir(playbooks)
    every = HostVars(hosts, variables, loader)
    of_task = variables.get_vars(host=hosts.get_hosts("all")[0])
    known = resolved(every, of_task, Templar(loader=loader, variables=of_task))
    for host, entries in known["hosts"].items():
        _refuse_what_may_fail(entries, known["connections"][host])
    return known


def _refuse_what_may_fail(entries: dict[str, Any], connection: dict[str, Any]) -> None:
    """Refuse what may fail when a play reads its host, even if the play connects to none."""
    read = {name for name in entries if _READ_BY_PLAYS.fullmatch(name)}
    broken = any("error" in entries[name] for name in read)
    other = read - _HARMLESS - {"ansible_become"}
    becomes = entries.get("ansible_become", {}).get("value", False)
    method = constants.DEFAULT_BECOME_METHOD
    if (
        broken
        or other
        or connection["connection"] not in _CONNECTIONS
        or not isinstance(becomes, bool)
        or (connection["become"] and method != "sudo")
    ):
        raise NotHereError


def cut_moved() -> None:
    """Leave what only tasks use out of Ansible's table of moved plugins; a look-up of it raises an error."""
    parse = _collection_finder._meta_yml_to_dict

    def without_tasks(text: bytes, content_id: tuple[str, str]) -> Any:
        if content_id[0] != "ansible.builtin" or not isinstance(text, bytes):
            return parse(text, content_id)
        table = parse(_MOVED.sub(b"", text), content_id)
        table["plugin_routing"] = _WithoutTasks(table["plugin_routing"])
        return table

    _collection_finder._meta_yml_to_dict = without_tasks


class _WithoutTasks(dict[str, Any]):
    def get(self, name: str, default: Any = None) -> Any:
        if name in _OF_TASKS:
            raise NotHereError
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self.get(name)
