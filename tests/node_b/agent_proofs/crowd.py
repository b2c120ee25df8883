"""Customers with their keys: one sing-box for all of them, so that a crowd is not a crowd of processes."""

import base64
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.inbounds import SHADOWSOCKS_METHOD, SHADOWSOCKS_PORT
from tests.node_b.agent_proofs.own_network import NODE_ADDRESS, PAGE_ADDRESS
from tests.node_b.agent_proofs.page import DATAGRAM_PORT, PORT
from tests.node_b.agent_proofs.skeleton import server_key
from tests.programs import program, running

_PROXY_PORT: Final = 1080
_FIRST_DATAGRAM_PORT: Final = 20_000
# A refused customer is told nothing: its connection is closed, or silent.
_PATIENCE: Final = 3.0
# What is said on a connection that stays, and what is answered.
LINE: Final = b"still there?\n"


@dataclass(frozen=True)
class Crowd:
    """`customers`: their keys by what the test calls them; a customer after a rotation is one more."""

    customers: Mapping[str, str]

    def gets_through(
        self, customer: str, *, wanted: int = 1000, patience: float = _PATIENCE, under: str | None = None
    ) -> bool:
        """A new connection that brings `wanted` bytes, and ends. `patience`: seconds for each step of it; `under`: the
        name that it gives at the page, if not its own."""
        with closing(self._through_the_node(customer, patience)) as tunnel:
            try:
                tunnel.request("GET", f"/{under or customer}/{wanted}")
                return len(tunnel.getresponse().read()) == wanted
            except (OSError, http.client.HTTPException):
                return False

    @contextmanager
    def staying(self, customer: str) -> Iterator["Conversation"]:
        """A connection that stays open. Raises OSError if the node does not carry it."""
        with closing(self._through_the_node(customer, _PATIENCE)) as tunnel:
            tunnel.request("GET", f"/{customer}/0")
            tunnel.getresponse()
            yield Conversation(tunnel.sock)

    def gets_a_datagram_through(self, customer: str) -> bool:
        port = _FIRST_DATAGRAM_PORT + list(self.customers).index(customer)
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as asking:
            asking.settimeout(_PATIENCE / 3)
            asking.connect(("127.0.0.1", port))
            try:
                asking.send(customer.encode())
                return asking.recv(1000) == customer.encode()
            except OSError:
                return False

    def _through_the_node(self, customer: str, patience: float) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", _PROXY_PORT, timeout=patience)
        name = base64.b64encode(f"{customer}:-".encode()).decode()
        connection.set_tunnel(PAGE_ADDRESS, PORT, {"Proxy-Authorization": f"Basic {name}"})
        return connection


@dataclass(frozen=True)
class Conversation:
    tunnel: socket.socket

    def goes_on(self) -> bool:
        try:
            self.tunnel.sendall(LINE)
            return self.tunnel.recv(100) == LINE
        except OSError:
            return False


@contextmanager
def a_crowd(customers: Mapping[str, str], directory: Path, *, datagrams: bool = False) -> Iterator[Crowd]:
    """`datagrams`: each customer has a local port of its own for them."""
    config = directory / "crowd.json"
    config.write_text(json.dumps(_config(customers, datagrams)), encoding="utf-8")
    with running([program("sing-box"), "run", "-c", config], _PROXY_PORT, directory / "crowd.log"):
        yield Crowd(customers)


def _config(customers: Mapping[str, str], datagrams: bool) -> dict[str, Any]:
    mixed = {
        "type": "mixed",
        "listen": "127.0.0.1",
        "listen_port": _PROXY_PORT,
        "users": [{"username": customer, "password": "-"} for customer in customers],
    }
    ports = [
        {
            "type": "direct",
            "tag": f"datagrams of {customer}",
            "listen": "127.0.0.1",
            "listen_port": _FIRST_DATAGRAM_PORT + number,
            "network": "udp",
            "override_address": PAGE_ADDRESS,
            "override_port": DATAGRAM_PORT,
        }
        for number, customer in enumerate(customers if datagrams else ())
    ]
    nodes = [
        {
            "type": "shadowsocks",
            "tag": customer,
            "server": NODE_ADDRESS,
            "server_port": SHADOWSOCKS_PORT,
            "method": SHADOWSOCKS_METHOD,
            "password": f"{server_key()}:{key}",
        }
        for customer, key in customers.items()
    ]
    rules = [{"auth_user": [customer], "outbound": customer} for customer in customers]
    rules += [{"inbound": [f"datagrams of {customer}"], "outbound": customer} for customer in customers if datagrams]
    return {
        "log": {"level": "error"},
        "inbounds": [mixed, *ports],
        "outbounds": nodes,
        "route": {"rules": [*rules, {"action": "reject"}]},
    }
