"""What a sandbox keeps below its directory: its secrets and its ports, made at the first start.

A directory of the time when there was one node holds that node's secrets and port among the others; it is still read.
"""

import base64
import contextlib
import json
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

SECRETS_FILE: Final = "secrets.json"
PORTS_FILE: Final = "ports.json"
# The only one there was.
FIRST_NODE: Final = "de1"


@dataclass(frozen=True, slots=True)
class NodeSecrets:
    panel_password: str = field(repr=False)
    agent_token: str = field(repr=False)
    reality_public_key: str
    shadowsocks_server_key: str = field(repr=False)

    @classmethod
    def new(cls) -> "NodeSecrets":
        return cls(
            panel_password=secrets.token_urlsafe(18),
            agent_token=secrets.token_urlsafe(32),
            # Nothing answers behind it here: any 43 characters of the right alphabet will do.
            reality_public_key=secrets.token_urlsafe(32),
            shadowsocks_server_key=base64.b64encode(secrets.token_bytes(16)).decode(),
        )


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random at the first start, so that nothing secret stands in the project. None is worth anything outside.
    `nodes`: by code."""

    bot_token: str = field(repr=False)
    yookassa_secret_key: str = field(repr=False)
    key_secret: str = field(repr=False)
    nodes: Mapping[str, NodeSecrets]

    @classmethod
    def new(cls, codes: Iterable[str] = (FIRST_NODE,)) -> "Secrets":
        return cls(
            bot_token=f"1000000001:{secrets.token_urlsafe(40)[:35]}",
            yookassa_secret_key=f"test_{secrets.token_urlsafe(32)}",
            key_secret=secrets.token_hex(32),
            nodes={code: NodeSecrets.new() for code in codes},
        )

    @classmethod
    def read(cls, file: Path) -> "Secrets":
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        alone = {each.name: stored.pop(each.name) for each in fields(NodeSecrets) if each.name in stored}
        nodes = stored.pop("nodes", {FIRST_NODE: alone})
        return cls(**stored, nodes={code: NodeSecrets(**node) for code, node in nodes.items()})

    def with_nodes(self, codes: Iterable[str]) -> "Secrets":
        made = {code: NodeSecrets.new() for code in codes if code not in self.nodes}
        return replace(self, nodes={**self.nodes, **made})


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports; kept from start to start, because old messages hold addresses. `nodes`: by code."""

    chat: int
    yookassa: int
    web: int
    nodes: Mapping[str, int]

    @classmethod
    def free(cls, codes: Iterable[str] = (FIRST_NODE,)) -> "Ports":
        names = list(codes)
        chat, yookassa, web, *nodes = _free(3 + len(names))
        return cls(chat, yookassa, web, dict(zip(names, nodes, strict=True)))

    @classmethod
    def read(cls, file: Path) -> "Ports":
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if "node" in stored:
            stored["nodes"] = {FIRST_NODE: stored.pop("node")}
        return cls(**stored)

    def with_nodes(self, codes: Iterable[str]) -> "Ports":
        more = [code for code in codes if code not in self.nodes]
        return replace(self, nodes={**self.nodes, **dict(zip(more, _free(len(more)), strict=True))})

    def are_free(self) -> bool:
        return all(_is_free(port) for port in (self.chat, self.yookassa, self.web, *self.nodes.values()))


def _free(how_many: int) -> list[int]:
    """Below those that the kernel gives to connections that go out: none of these takes one before it is used."""
    sockets: list[socket.socket] = []
    while len(sockets) < how_many:
        with contextlib.suppress(OSError):
            sockets.append(socket.create_server(("127.0.0.1", 20_000 + secrets.randbelow(12_000))))
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def secrets_of(directory: Path, codes: Iterable[str] = (FIRST_NODE,)) -> Secrets:
    """For these nodes at least."""
    file = directory / SECRETS_FILE
    before = Secrets.read(file) if file.exists() else None
    now = before.with_nodes(codes) if before else Secrets.new(codes)
    if now != before:
        directory.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(now), indent=2), encoding="utf-8")
    return now


def ports_of(directory: Path, codes: Iterable[str] = (FIRST_NODE,)) -> Ports:
    """For these nodes at least; other ones if any is taken."""
    wanted, file = list(codes), directory / PORTS_FILE
    known = Ports.read(file).with_nodes(wanted) if file.exists() else None
    ports = known if known is not None and known.are_free() else Ports.free(known.nodes if known else wanted)
    directory.mkdir(parents=True, exist_ok=True)
    keep_ports(directory, ports)
    return ports


def keep_ports(directory: Path, ports: Ports) -> None:
    (directory / PORTS_FILE).write_text(json.dumps(asdict(ports)), encoding="utf-8")
