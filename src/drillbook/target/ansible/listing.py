"""What a playbook would do, as Ansible itself lists it: `ansible-playbook --list-hosts --list-tasks` runs nothing.

The rule: Ansible itself names hosts and tasks, with the inventory, the variables and the environment that a drill would
use. A pattern without a matching host stays in the answer.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import PlaybookError
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.environment import ansible_playbook, command_of, environment
from drillbook.target.ansible.extra_vars import variables_as_json, write_private
from drillbook.target.ansible.messages import error_sentence
from drillbook.target.ansible.selection import ALL, Selection
from drillbook.target.private_folders import PrivateFolder

LIST_TIMEOUT_S = 120.0
_PLAY = re.compile(r"  play #\d+ \((?P<hosts>.*?)\): (?P<name>.*)\tTAGS: \[.*\]")
_PATTERN = re.compile(r"    pattern: (?P<pattern>.*)")
_HOSTS = re.compile(r"    hosts \(\d+\):")
_TASKS = "    tasks:"
_ENTRY = re.compile(r"      (?P<entry>\S.*)")
_WARNING = re.compile(r"^\[(?:DEPRECATION )?WARNING\]: ", re.MULTILINE)
_TAGS = re.compile(r"\tTAGS: \[[^\]]*\]$")


class Listings:
    """Lists playbooks of one repository with one inventory; the same playbook with the same variables only once."""

    def __init__(
        self,
        root: Path,
        inventory: Path,
        redactor: Redactor,
        pass_env: Iterable[str] = (),
        further: Sequence[Path] = (),
    ) -> None:
        self._root, self._redactor = root.absolute(), redactor
        self._inventories = [each.absolute() for each in (inventory, *further)]
        self._pass_env = tuple(pass_env)
        self._known: dict[tuple[Path, str, Selection], Listed | PlaybookError] = {}

    def of(self, playbook: Path, variables: Mapping[str, object], selection: Selection = ALL) -> Listed:
        """Ansible's list of the playbook (absolute).

        Raises PlaybookError, in Ansible's words, when it cannot list it.
        """
        given = variables_as_json(variables)
        asked = playbook, given, selection
        if asked not in self._known:
            try:
                self._known[asked] = self._ask(*asked)
            except PlaybookError as error:
                self._known[asked] = error
        known = self._known[asked]
        if isinstance(known, PlaybookError):
            raise known
        return known

    def _ask(self, playbook: Path, variables: str, selection: Selection) -> Listed:
        program = ansible_playbook()
        with PrivateFolder("plan") as private:
            write_private(private / "extravars", variables)  # a file: everybody can read a command line
            command = [*command_of(program), "-e", f"@{private / 'extravars'}"]
            command += [word for each in self._inventories for word in ("-i", str(each))]
            try:
                done = subprocess.run(
                    [*command, *selection.arguments(), "--list-hosts", "--list-tasks", str(playbook)],
                    cwd=self._root,
                    env=environment(self._root, private, self._pass_env),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=LIST_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise PlaybookError(f"Ansible did not list it within {LIST_TIMEOUT_S:.0f} seconds") from None
        said = self._redactor.text(done.stderr)
        if done.returncode != 0:
            reason = error_sentence(said[max(said.find("[ERROR]: "), 0) :], self._root)
            raise PlaybookError(reason or f"ansible-playbook ended with status {done.returncode}")
        return Listed(parse(self._redactor.text(done.stdout)), tuple(warnings(said, self._root)))


def warnings(said: str, root: Path) -> Iterator[str]:
    """Ansible's warnings, each once, as one line: a misspelt host, a name that it will remove."""
    told = (error_sentence(each, root) for each in _WARNING.split(said)[1:])
    yield from dict.fromkeys(filter(None, told))


def parse(text: str) -> tuple[PlayPlan, ...]:
    """The plays in the output of `ansible-playbook --list-hosts --list-tasks`."""
    plays: list[PlayPlan] = []
    hosts: list[str] = []
    tasks: list[str] = []
    name, pattern = "", ""
    into: list[str] | None = None

    def close() -> None:
        if name or pattern:
            plays.append(PlayPlan(name, pattern, tuple(sorted(hosts)), tuple(tasks)))

    for line in text.splitlines():
        if found := _PLAY.fullmatch(line):
            close()
            name, pattern, hosts, tasks, into = found["name"], found["hosts"], [], [], None
        elif found := _PATTERN.fullmatch(line):
            pattern = pattern or found["pattern"]
        elif _HOSTS.fullmatch(line):
            into = hosts
        elif line == _TASKS:
            into = tasks
        elif into is not None and (found := _ENTRY.fullmatch(line)):
            into.append(_TAGS.sub("", found["entry"]))
    close()
    return tuple(plays)


@dataclass(frozen=True, slots=True)
class Listed:
    """Ansible's list of a playbook that it does not run."""

    plays: tuple[PlayPlan, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlayPlan:
    """One play of a playbook, as Ansible itself lists it."""

    name: str
    pattern: str
    hosts: tuple[str, ...]
    tasks: tuple[str, ...]
