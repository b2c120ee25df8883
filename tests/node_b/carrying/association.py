"""Datagrams from one port to many places, as games send them: SOCKS5's UDP ASSOCIATE (RFC 1928)."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

from tests.node_b.world.names import PAGE_NAME
from tests.node_b.world.resolver import PORT as RESOLVER_PORT
from tests.node_b.world.resolver import a_question


@dataclass(frozen=True)
class Association:
    datagrams: socket.socket

    def answers(self, address: str) -> bool:
        """Whether a resolver does there."""
        head = b"\0\0\0\1" + IPv4Address(address).packed + RESOLVER_PORT.to_bytes(2)
        self.datagrams.send(head + a_question(PAGE_NAME))
        try:
            return self.datagrams.recv(2000)[4:8] == IPv4Address(address).packed
        except TimeoutError:
            return False


@contextmanager
def an_association(proxy: int) -> Iterator[Association]:
    """`proxy`: the local port of an app."""
    with (
        closing(socket.create_connection(("127.0.0.1", proxy), timeout=5)) as control,
        closing(socket.socket(type=socket.SOCK_DGRAM)) as datagrams,
    ):
        control.sendall(b"\5\1\0")
        assert control.recv(2) == b"\5\0"
        control.sendall(b"\5\3\0\1" + bytes(6))
        answer = control.recv(10)
        assert answer[:2] == b"\5\0", answer
        datagrams.settimeout(1.5)
        datagrams.connect(("127.0.0.1", int.from_bytes(answer[8:10])))
        yield Association(datagrams)
