"""Customers with a real client, sing-box, and a page that they fetch through the node."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.inbounds import SHADOWSOCKS_METHOD
from tests.node_b.agent.agents import SERVER_KEY
from tests.programs import free_port, program, running

# Xray does not count loopback's own address among those who are connected.
_FROM: Final = "127.0.0.9"
_PATIENCE: Final = 10.0


class _Page(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _Visit(socketserver.StreamRequestHandler):
    """A line with a number brings so many bytes, again and again; 0 ends the conversation."""

    def handle(self) -> None:
        while wanted := int(self.rfile.readline(100) or 0):
            self.wfile.write(b"x" * wanted)


@dataclass(frozen=True)
class Customers:
    """`ports`: behind each, the page through the node with one customer's key."""

    ports: Mapping[str, int]

    def connected(self, name: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.ports[name]), timeout=_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def get(self, name: str, wanted: int) -> bool:
        """Whether a new connection brings `wanted` bytes."""
        try:
            with closing(self.connected(name)) as connection:
                return brings(connection, wanted)
        except OSError:
            return False


def brings(connection: socket.socket, wanted: int) -> bool:
    try:
        connection.sendall(f"{wanted}\n".encode())
        while wanted > 0:
            received = connection.recv(min(wanted, 1 << 16))
            if not received:
                return False
            wanted -= len(received)
    except OSError:
        return False
    return True


@contextmanager
def customers_of(node_port: int, keys: Mapping[str, str], directory: Path) -> Iterator[Customers]:
    with _Page(("127.0.0.1", 0), _Visit) as page:
        thread = threading.Thread(target=page.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            ports = {name: free_port() for name in keys}
            config = directory / "sing-box.json"
            config.write_text(json.dumps(_config(node_port, keys, ports, page.server_address[1])))
            command: list[str | Path] = [program("sing-box"), "run", "-c", config]
            with running(command, ports[next(iter(ports))], directory / "sing-box.log"):
                yield Customers(ports)
        finally:
            page.shutdown()
            thread.join()


def _config(node_port: int, keys: Mapping[str, str], ports: Mapping[str, int], page: Any) -> dict[str, Any]:
    doors = [
        {
            "type": "direct",
            "tag": f"door of {name}",
            "network": "tcp",
            "listen": "127.0.0.1",
            "listen_port": ports[name],
            "override_address": "127.0.0.1",
            "override_port": page,
        }
        for name in keys
    ]
    ways = [
        {
            "type": "shadowsocks",
            "tag": name,
            "server": "127.0.0.1",
            "server_port": node_port,
            "inet4_bind_address": _FROM,
            "method": SHADOWSOCKS_METHOD,
            "password": f"{SERVER_KEY}:{key}",
        }
        for name, key in keys.items()
    ]
    rules = [{"inbound": [f"door of {name}"], "outbound": name} for name in keys]
    return {"log": {"level": "error"}, "inbounds": doors, "outbounds": ways, "route": {"rules": rules}}
