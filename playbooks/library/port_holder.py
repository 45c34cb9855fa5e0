#!/usr/bin/python
"""Who holds a TCP port, and ending exactly that process: by the socket that it listens on, and never by a name."""

from __future__ import annotations

DOCUMENTATION = """
module: port_holder
short_description: Read which processes listen on a TCP port of this host, or of a container on it; end them
description:
  - The kernel's table of sockets names the one that listens, and a process is found by its open files.
  - C(free) ends each of them, first with SIGTERM. A process of O(spare) is left alone.
  - It needs root to see the processes of others.
options:
  port: {description: The port, type: int, required: true}
  network_of:
    description:
      - Id of a process in whose network the port is looked for, as the first one of a container.
      - Without it, the network is that of this host.
    type: int
  spare:
    description: Ids of processes that may hold it. 0 is that of a container that does not run.
    type: list
    elements: int
    default: []
  state: {description: C(read) changes nothing, type: str, choices: [read, free], default: read}
  patience: {description: Seconds for which a process may take to end before it is killed, type: int, default: 5}
"""
RETURN = """
holders:
  description: C(pid) and C(command) of each process that held the port.
  type: list
  elements: dict
  returned: success
ended: {description: The ids of those that were ended, type: list, elements: int, returned: success}
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

PROC = Path("/proc")
LISTENS = "0A"
"""The state of a listening socket in the kernel's table."""


def sockets(port: int, network_of: int | None, proc: Path = PROC) -> set[str]:
    """The inodes of the sockets that listen on a port, as the open files of their processes show them."""
    found = set()
    if network_of is not None and not (proc / str(network_of)).exists():
        raise OSError(f"there is no process {network_of}, in whose network to look")
    for table in ("tcp", "tcp6"):
        path = proc / ("self" if network_of is None else str(network_of)) / "net" / table
        if not path.exists():  # a kernel without IPv6
            continue
        for line in path.read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{words[9]}]")
    return found


def holders(inodes: set[str], proc: Path = PROC) -> list[dict]:
    """The processes that have one of these sockets open."""
    found = []
    for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        if inodes & set(_open(process)):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            found.append({"pid": int(process.name), "command": command})
    return found


def _open(process: Path) -> Iterable[str]:
    try:
        files = list((process / "fd").iterdir())
    except OSError:  # it has ended
        return
    for each in files:
        with suppress(OSError):
            yield str(each.readlink())


def end(pid: int, patience_s: float) -> None:
    """End a process, which nobody else may be by then: a handle keeps its id from being used again."""
    handle = os.pidfd_open(pid)
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(handle, number)
            until = time.monotonic() + patience_s
            while time.monotonic() < until:
                if not _lives(pid):
                    return
                time.sleep(0.05)  # a poll with a deadline
        raise OSError(f"the process {pid} does not end")
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _lives(pid: int) -> bool:
    try:
        state = (PROC / str(pid) / "stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return False
    return state not in ("Z", "X")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "network_of": {"type": "int"},
            "spare": {"type": "list", "elements": "int", "default": []},
            "state": {"choices": ["read", "free"], "default": "read"},
            "patience": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    asked = module.params
    ended = []
    try:
        inodes = sockets(asked["port"], asked["network_of"])
        found = holders(inodes)
        if inodes and not found:
            module.fail_json(msg=f"somebody listens on port {asked['port']}, and only root sees who")
        if asked["state"] == "free":
            for each in found:
                if each["pid"] not in asked["spare"]:
                    ended.append(each["pid"])
                    if not module.check_mode:
                        end(each["pid"], asked["patience"])
    except OSError as error:
        module.fail_json(msg=f"port {asked['port']}: {error}")
    module.exit_json(changed=bool(ended), holders=found, ended=ended)


if __name__ == "__main__":
    main()
