"""Three machines on one wire: the node with every port open, Node A, and a stranger."""

import errno
import os
import select
import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from node_b.decisions import Decisions, read_decisions
from tests.node_b.world.network import Network, networks

NODE: Final = {4: "198.51.100.10", 6: "2001:db8::10"}
NODE_A: Final = {4: "198.51.100.20", 6: "2001:db8::20"}
STRANGER: Final = {4: "198.51.100.30", 6: "2001:db8::30"}
OUTLINE: Final = 8388
SSH: Final = (22, 2222)
FOR_ALL: Final = {443, 2053, *SSH}
# A node has more of them open than it should: the panel, the agent, what the distribution brings along.
CLOSED: Final = {21, 25, 53, 80, 111, 442, 444, 2052, 2054, 3306, 5432, 8000, 8081, 8080, 8444, 10085, 62789}
LISTENING: Final = sorted({*FOR_ALL, *CLOSED, 8443, OUTLINE})
# Silence of so many seconds means that nothing more comes: nothing is lost or slow on this wire.
_PATIENCE: Final = 0.7
_SO_PRIORITY: Final = 12


def some_decisions(tmp_path: Path, **changes: object) -> Decisions:
    """Of a node with Node A at its two addresses, sshd on two ports, and without Outline."""
    tmp_path.joinpath("node.env").write_text(
        f"NODE_CODE=DE1\nNODE_NAME_RU=Германия\nNODE_NAME_EN=Germany\nNODE_HOST={NODE[4]}\n"
        f"NODE_A_ADDRESSES={NODE_A[4]},{NODE_A[6]}\nREALITY_SERVER_NAME=www.borrowed.test\nSSH_PORTS=22,2222\n",
        encoding="utf-8",
    )
    return replace(read_decisions(tmp_path), **changes)  # type: ignore[arg-type]  # fields by name


@dataclass
class Machines:
    node: Network
    node_a: Network
    stranger: Network

    def loads(self, rules: str, file: Path) -> None:
        file.write_text(rules, encoding="utf-8")
        self.node.run("nft", "-f", file)


@contextmanager
def three_machines() -> Iterator[Machines]:
    if shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("nftables is not installed")
    with networks(3) as (node, node_a, stranger):
        for machine, addresses in ((node, NODE), (node_a, NODE_A), (stranger, STRANGER)):
            machine.has(f"{addresses[4]}/24", f"{addresses[6]}/64")
        yield Machines(node, node_a, stranger)


@contextmanager
def everything_open(machine: Network, ports: list[int] = LISTENING) -> Iterator[None]:
    """TCP and UDP, IPv4 and IPv6; a datagram is answered."""
    with ExitStack() as sockets:
        udp = []
        with machine.entered():
            for port in ports:
                listening = sockets.enter_context(
                    socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
                )
                listening.setblocking(False)
                datagrams = sockets.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
                datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                datagrams.bind(("::", port))
                datagrams.setblocking(False)
                udp.append(datagrams)
        _ANSWERING.append(udp)
        try:
            yield
        finally:
            _ANSWERING.remove(udp)


_ANSWERING: list[list[socket.socket]] = []


def tcp_open(machine: Network, address: str, ports: list[int] = LISTENING, priority: int = 0) -> set[int]:
    """The ports that accept a connection. The others must be silent: a refusal would tell a stranger that there is
    somebody."""
    with ExitStack() as sockets:
        trying: dict[socket.socket, int] = {}
        with machine.entered():
            for port in ports:
                one = sockets.enter_context(socket.socket(_family(address), socket.SOCK_STREAM))
                one.setblocking(False)
                one.setsockopt(socket.SOL_SOCKET, _SO_PRIORITY, priority)
                one.connect_ex((address, port))
                trying[one] = port
        return _concluded(trying)


def tcp_refused(machine: Network, address: str, port: int, priority: int) -> bool:
    """At once. By whom, a connection that is tried with another priority shows."""
    with machine.entered(), socket.socket(_family(address), socket.SOCK_STREAM) as one:
        one.settimeout(_PATIENCE)
        one.setsockopt(socket.SOL_SOCKET, _SO_PRIORITY, priority)
        return one.connect_ex((address, port)) == errno.ECONNREFUSED


def udp_answered(machine: Network, address: str, ports: list[int] = LISTENING, priority: int = 0) -> set[int]:
    """The ports from which a datagram comes back."""
    with ExitStack() as sockets:
        waiting = {}
        with machine.entered():
            for port in ports:
                one = sockets.enter_context(socket.socket(_family(address), socket.SOCK_DGRAM))
                one.setblocking(False)
                one.setsockopt(socket.SOL_SOCKET, _SO_PRIORITY, priority)
                try:
                    one.sendto(b"?", (address, port))
                except PermissionError:
                    continue
                waiting[one] = port
        answered = set()
        echoing = [server for servers in _ANSWERING for server in servers]
        while waiting and (ready := select.select([*waiting, *echoing], [], [], _PATIENCE)[0]):
            for one in ready:
                if one in waiting:
                    one.recv(10)
                    answered.add(waiting.pop(one))
                else:
                    what, whence = one.recvfrom(10)
                    one.sendto(what, whence)
        return answered


def is_pinged(machine: Network, address: str) -> bool:
    with machine.entered(), socket.socket(_family(address), socket.SOCK_RAW, _icmp(address)) as one:
        one.settimeout(_PATIENCE)
        kind, answer = (128, 129) if ":" in address else (8, 0)
        one.sendto(_echo(kind), (address, 0))
        try:
            while True:
                packet = one.recv(2000)
                header = 0 if ":" in address else (packet[0] & 15) * 4
                if packet[header] == answer:
                    return True
        except TimeoutError:
            return False


def _concluded(trying: dict[socket.socket, int]) -> set[int]:
    found = set()
    while trying and (ready := select.select([], [*trying], [], _PATIENCE)[1]):
        for one in ready:
            port = trying.pop(one)
            error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert error == 0, f"port {port}: {os.strerror(error)}, not silence"
            found.add(port)
    return found


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _icmp(address: str) -> int:
    return socket.IPPROTO_ICMPV6 if ":" in address else socket.IPPROTO_ICMP


def _echo(kind: int) -> bytes:
    body = struct.pack(">BBHHH", kind, 0, 0, 7, 1)
    total = sum(struct.unpack(">4H", body))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return struct.pack(">BBHHH", kind, 0, checksum, 7, 1)
