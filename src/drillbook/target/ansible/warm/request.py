"""A run that a shim asks for, and whether the server may serve it.

The rule: everything that Ansible may have read while it was imported must be the same for the run. Otherwise the run
starts cold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MARK = b"AWX_ISOLATED_DATA_DIR"
"""The variable that marks the processes of a run."""
READ_LATER = frozenset({MARK, b"ANSIBLE_SSH_CONTROL_PATH_DIR"})
"""Variables that are read while a play runs. With the prefix DRILLBOOK_ there are only the caller's, for playbooks."""
_OURS = b"DRILLBOOK_"
_OF_PYTHON = (b"PYTHON", b"LC_", b"LANG", b"TZ", b"HOME", b"LD_", b"GLIBC_", b"MALLOC_", b"OPENSSL_", b"SSL_")


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of the shim."""

    directory: bytes
    umask: int
    ignored: frozenset[int]
    arguments: list[bytes]
    environment: dict[bytes, bytes] = field(repr=False)

    @classmethod
    def read(cls, body: bytes) -> Request:
        """Raises ValueError for data that no shim of this version has sent."""
        directory, umask, ignored, count, *rest = body.split(b"\0")
        arguments, variables = rest[: int(count)], rest[int(count) :]
        return cls(
            directory,
            int(umask),
            frozenset(int(number) for number in ignored.split(b",") if number),
            arguments,
            {name: value for name, _, value in (variable.partition(b"=") for variable in variables)},
        )

    @property
    def mark(self) -> str:
        """The artifact folder of the run."""
        return self.environment.get(MARK, b"").decode()


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a process gives Ansible to read while Ansible is imported."""

    environment: dict[bytes, bytes] = field(repr=False)
    directory: bytes
    ansible_cfg: bytes = field(repr=False)

    @classmethod
    def of(cls, environment: dict[bytes, bytes], directory: bytes) -> Configuration:
        named = environment.get(b"ANSIBLE_CONFIG", b"").decode()
        try:
            text = Path(named).read_bytes() if named else b""
        except OSError:
            text = b""
        kept = {name: value for name, value in environment.items() if not name.startswith(_OURS)}
        return cls({name: value for name, value in kept.items() if name not in READ_LATER}, directory, text)

    def differs(self, other: Configuration) -> str:
        """The names of what differs, because a value may be secret. Empty when nothing does."""
        names = self.environment.keys() | other.environment.keys()
        changed = sorted(name for name in names if self.environment.get(name) != other.environment.get(name))
        if changed:
            return f"the environment differs in {b', '.join(changed).decode()}"
        if self.directory != other.directory:
            return "the working directory differs"
        return "ansible.cfg has changed" if self.ansible_cfg != other.ansible_cfg else ""


def of_python(environment: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The variables that a Python, and the libraries below it, may read before they run the first line of a script."""
    return {name: value for name, value in environment.items() if name.startswith(_OF_PYTHON)}
