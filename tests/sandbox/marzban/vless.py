"""VLESS at its barest, without TLS: enough to see whether the core lets somebody in. Behind it, an echo."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

from shared.inbounds import VLESS_TAG


def a_bare_config(port: int) -> dict[str, Any]:
    inbound = {
        "tag": VLESS_TAG,
        "listen": "127.0.0.1",
        "port": port,
        "protocol": "vless",
        "settings": {"clients": [], "decryption": "none"},
    }
    return {"inbounds": [inbound], "outbounds": [{"tag": "DIRECT", "protocol": "freedom"}]}


@contextmanager
def an_echo() -> Iterator[int]:
    """Its port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while said := self.request.recv(4096):
            self.request.sendall(said)


@contextmanager
def a_tunnel(core: int, id: str, echo: int) -> Iterator[socket.socket]:
    """Through the core at port `core` to the port `echo`; both on loopback. Whoever is not let in finds that out when
    they read."""
    head = bytes([0]) + UUID(id).bytes + bytes([0, 1]) + echo.to_bytes(2) + bytes([1, 127, 0, 0, 1])
    with closing(socket.create_connection(("127.0.0.1", core), timeout=10)) as connection:
        connection.sendall(head)
        yield connection


def is_answered(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"hello")
        return connection.recv(4096).endswith(b"hello")
    except ConnectionError:
        return False


def lets_in(core: int, id: str, echo: int) -> bool:
    try:
        with a_tunnel(core, id, echo) as connection:
            return is_answered(connection)
    except ConnectionRefusedError:
        return False  # nobody listens yet
