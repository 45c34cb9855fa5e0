"""The server's answer about the inventory, and how the pytest session waits for it.

The rule: an answer counts for the inventory, the environment and the ansible.cfg that it was made with, as long as all
its sources are unchanged. Otherwise the inventory is resolved anew.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from drillbook.errors import DrillbookError
from drillbook.target.ansible.environment import environment
from drillbook.target.ansible.warm.early.witness import look, still_holds

WAIT_S = 60.0
"""How long a drill waits for an answer. After that, a run with its own deadline resolves the inventory anew."""


class Early:
    """The answer of one session's server. It comes over a pair of sockets without a name."""

    def __init__(self, root: Path, inventory: Path | None, pass_env: tuple[str, ...]) -> None:
        """Both paths are absolute; without an inventory there will be no answer."""
        self._root = root
        self.inventory = inventory
        self._pass_env = pass_env
        self._environment: Mapping[str, str] = {}
        self._ansible_cfg: list[int] | None = None
        self._ours: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._said = bytearray()
        self.why = "" if inventory else "no inventory was named"
        """Why there was no answer, or why it was of no use."""

    def expect(self, variables: Mapping[str, str]) -> socket.socket:
        """The server's end of the pair; `variables` is its environment."""
        self._environment = dict(variables)
        self._ansible_cfg = look(variables["ANSIBLE_CONFIG"])  # Ansible reads this while it is imported, unseen
        self._ours, theirs = socket.socketpair()
        # part by part: the answer may be more than a socket holds, and the server does not go on before it has sent all
        # of it
        self._reader = threading.Thread(
            target=self._receive, args=(self._ours,), name="drillbook-inventory", daemon=True
        )
        self._reader.start()
        return theirs

    def _receive(self, ours: socket.socket) -> None:
        with suppress(OSError):
            while more := ours.recv(1 << 16):
                self._said += more

    def wait(self) -> None:
        """Wait until the server has answered."""
        if self._reader is not None:
            self._reader.join(WAIT_S)

    def take(self, inventory: Path, root: Path, pass_env: tuple[str, ...], folder: Path) -> dict[str, Any] | None:
        """What a cold run would write about this inventory; None when only a cold run can say. It is given once."""
        if self._reader is None:
            return None
        if (inventory, root, pass_env) != (self.inventory, self._root, self._pass_env):
            self.why = "it is another inventory"
            return None
        self.wait()
        self._reader = None
        said, self._said = bytes(self._said), bytearray()
        try:
            answer = json.loads(said)
        except ValueError:  # it is not whole
            self.why = "the server has given no answer"
            return None
        if "known" not in answer:
            self.why = str(answer.get("why"))
        elif not self._is_configured_as_it_was(folder):
            self.why = "the environment or ansible.cfg has changed"
        elif not still_holds(answer["seen"]):
            self.why = "something has changed that it was read from"
        else:
            known: dict[str, Any] = answer["known"]
            return known
        return None

    def _is_configured_as_it_was(self, folder: Path) -> bool:
        if look(self._environment["ANSIBLE_CONFIG"]) != self._ansible_cfg:
            return False
        with suppress(DrillbookError):  # the run says what is wrong with ansible.cfg
            return environment(self._root, folder, self._pass_env) == self._environment
        return False

    def close(self) -> None:
        """Stop waiting."""
        if self._ours is not None:
            with suppress(OSError):
                self._ours.shutdown(socket.SHUT_RDWR)  # this ends the thread's wait as well
            self._ours.close()
            self._ours = None
