"""Hold, and drop, the packets of a queue of the kernel (NFQUEUE). It needs root, and nothing but the standard library.

hold_packets.py QUEUE DELAY_MS JITTER_MS LOSS_PERCENT
"""

import heapq
import random
import select
import socket
import struct
import sys
import time

NETFILTER, QUEUE = 12, 3 << 8
PACKET, VERDICT, CONFIG = 0, 1, 2
DROP, ACCEPT = 0, 1
KERNEL_HEADER, QUEUE_HEADER = 16, 4


class Queue:
    """A queue of the kernel, by netlink."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        for kind, value in (
            (1, struct.pack(">BBH", 1, 0, 0)),  # bind to it
            (2, struct.pack(">IB", 0, 1)),  # tell of each packet, and not what is in it
            (3, struct.pack(">I", 65536)),  # and keep so many
        ):
            self._send(CONFIG, kind, value)

    def _send(self, message: int, kind: int, value: bytes) -> None:
        attribute = struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)
        body = struct.pack("=BBH", 0, 0, socket.htons(self._number)) + attribute
        self.socket.send(struct.pack("=IHHII", len(body) + KERNEL_HEADER, QUEUE | message, 1, 0, 0) + body)

    def packets(self) -> list[int]:
        """The ids of the packets that have come."""
        data, found, at = self.socket.recv(65536), [], 0
        while at + KERNEL_HEADER <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == QUEUE | PACKET:
                found.append(_id(data, at + KERNEL_HEADER + QUEUE_HEADER, at + length))
            at += length + (-length % 4)
        return found

    def judge(self, packet: int, verdict: int) -> None:
        self._send(VERDICT, 2, struct.pack(">II", verdict, packet))


def _id(data: bytes, at: int, end: int) -> int:
    """The id of a packet, which the first attribute of the kind 1 begins with."""
    while at < end:
        length, kind = struct.unpack_from("=HH", data, at)
        if kind == 1:
            number: int = struct.unpack_from(">I", data, at + 4)[0]
            return number
        at += length + (-length % 4)
    raise ValueError("a packet without an id")


def main(number: int, delay_s: float, jitter_s: float, loss: float) -> None:
    queue = Queue(number)
    held: list[tuple[float, int, int]] = []
    while True:
        wait_s = max(0.0, held[0][0] - time.monotonic()) if held else None
        if select.select([queue.socket], [], [], wait_s)[0]:
            for packet in queue.packets():
                until_s = time.monotonic() + max(0.0, random.uniform(delay_s - jitter_s, delay_s + jitter_s))
                heapq.heappush(held, (until_s, packet, DROP if random.random() < loss else ACCEPT))
        while held and held[0][0] <= time.monotonic():
            _, packet, verdict = heapq.heappop(held)
            queue.judge(packet, verdict)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]) / 1e3, float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 100)
