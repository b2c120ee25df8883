"""A resolver for the test's names."""

import ipaddress
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.node_b.world.names import ADDRESSES, RESOLVER, WHO_ASKS
from tests.node_b.world.network import Network

PORT: Final = 53
_NO_SUCH_NAME: Final = 3
# Of a record: IPv4 and IPv6 address.
_TYPES: Final = {1: 4, 28: 6}


def a_question(name: str) -> bytes:
    """For an IPv4 address."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def addresses_in(answer: bytes) -> list[str]:
    """Those of IPv4, of an answer of this resolver to `a_question`."""
    count = struct.unpack(">H", answer[6:8])[0]
    return [str(ipaddress.IPv4Address(record[-4:])) for record in _records(answer, count)]


def _records(answer: bytes, count: int) -> list[bytes]:
    length = 16  # with an IPv4 address
    end = len(answer)
    return [answer[end - length * (count - number) : end - length * (count - number - 1)] for number in range(count)]


@contextmanager
def resolving(network: Network, address: str = RESOLVER) -> Iterator[None]:
    with network.entered():
        server = socketserver.ThreadingUDPServer((address, PORT), _Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        question, sock = self.request
        name, end = _name_in(question)
        kind = struct.unpack(">H", question[end : end + 2])[0]
        known = (self.client_address[0],) if name == WHO_ASKS else ADDRESSES.get(name)
        fitting = [each for each in map(ipaddress.ip_address, known or ()) if each.version == _TYPES.get(kind)]
        flags = 0x8180 | (0 if known else _NO_SUCH_NAME)
        head = question[:2] + struct.pack(">5H", flags, 1, len(fitting), 0, 0)
        # A pointer to the question's name, type, class, and no time to live: nothing is remembered.
        records = [struct.pack(">3HIH", 0xC00C, kind, 1, 0, len(each.packed)) + each.packed for each in fitting]
        sock.sendto(head + question[12 : end + 4] + b"".join(records), self.client_address)


def _name_in(question: bytes) -> tuple[str, int]:
    """With where it ends."""
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1
