"""What the server says of the inventory, as the pytest session waits for it.

The rule: an answer is used for the inventory, the environment and the ansible.cfg that it was made with, and while all
that it was made from is as it was. Else there is none, and the inventory is resolved anew.
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
"""How long a drill waits for an answer; one that takes longer is made anew, by a run that has its own deadline."""


class Early:
    """The answer of one session's server; it comes over a pair of sockets that have no name."""

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
        """Why there was no answer to be had, or it was of no use."""

    def expect(self, variables: Mapping[str, str]) -> socket.socket:
        """The server's end of the pair; `variables` is its environment."""
        self._environment = dict(variables)
        self._ansible_cfg = look(variables["ANSIBLE_CONFIG"])  # which Ansible reads while it is imported, unseen
        self._ours, theirs = socket.socketpair()
        # as it comes: it may be more than a socket holds, and the server does not go on before it has been sent
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
        """Until the server has said what it says."""
        if self._reader is not None:
            self._reader.join(WAIT_S)

    def take(self, inventory: Path, root: Path, pass_env: tuple[str, ...], folder: Path) -> dict[str, Any] | None:
        """What a cold run would write of this inventory; None when that has to be asked. It is given once."""
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
        """Nobody waits any more."""
        if self._ours is not None:
            with suppress(OSError):
                self._ours.shutdown(socket.SHUT_RDWR)  # which ends the wait of the thread as well
            self._ours.close()
            self._ours = None
