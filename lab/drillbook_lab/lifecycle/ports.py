"""Ports for one lab: drawn anew at each `up`, and out of the reach of outgoing connections."""

import random
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import HOST, NEEDED

_BLOCK = 64


def _ephemeral_low() -> int:
    """The first port that the kernel gives to outgoing connections (32768 where it does not say)."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32768


def free_ports(tries: int = 200) -> Mapping[str, int]:
    """A free port for every name in NEEDED, out of one block below the ephemeral range.

    The ports lie below that range, because a listener that a fault closes must get its port back afterwards. By then,
    an ephemeral port may be the source of an outgoing connection. The ports are drawn in blocks, so that two labs that
    come up at the same moment collide only if they draw the same block; `up` then draws again.
    """
    low, high = 10240, max(10240 + 4 * _BLOCK, _ephemeral_low())
    for _ in range(tries):
        base = random.randrange(low, high - _BLOCK, _BLOCK)
        with ExitStack() as held:
            try:
                for offset in range(len(NEEDED)):
                    listener = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                    listener.bind((HOST, base + offset))
                    listener.listen(1)
            except OSError:
                continue
        return {name: base + offset for offset, name in enumerate(NEEDED)}
    raise LabError(f"found no {_BLOCK} free ports on {HOST} between {low} and {high}; end other labs and try again")
