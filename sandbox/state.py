"""What a sandbox keeps below its directory: its secrets and its ports, made at the first start."""

import base64
import json
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

SECRETS_FILE: Final = "secrets.json"
PORTS_FILE: Final = "ports.json"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random at the first start, so that nothing secret stands in the project. None is worth anything outside."""

    bot_token: str = field(repr=False)
    yookassa_secret_key: str = field(repr=False)
    key_secret: str = field(repr=False)
    panel_password: str = field(repr=False)
    agent_token: str = field(repr=False)
    reality_public_key: str
    shadowsocks_server_key: str = field(repr=False)

    @classmethod
    def new(cls) -> "Secrets":
        return cls(
            bot_token=f"1000000001:{secrets.token_urlsafe(40)[:35]}",
            yookassa_secret_key=f"test_{secrets.token_urlsafe(32)}",
            key_secret=secrets.token_hex(32),
            panel_password=secrets.token_urlsafe(18),
            agent_token=secrets.token_urlsafe(32),
            # Nothing answers behind it here: any 43 characters of the right alphabet will do.
            reality_public_key=secrets.token_urlsafe(32),
            shadowsocks_server_key=base64.b64encode(secrets.token_bytes(16)).decode(),
        )


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports; kept from start to start, because old messages hold addresses."""

    chat: int
    yookassa: int
    node: int
    web: int

    @classmethod
    def free(cls) -> "Ports":
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
        ports = cls(*(taken.getsockname()[1] for taken in sockets))
        for taken in sockets:
            taken.close()
        return ports

    def are_free(self) -> bool:
        return all(_is_free(port) for port in asdict(self).values())


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def secrets_of(directory: Path) -> Secrets:
    file = directory / SECRETS_FILE
    if file.exists():
        return Secrets(**json.loads(file.read_text(encoding="utf-8")))
    made = Secrets.new()
    directory.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(made), indent=2), encoding="utf-8")
    return made


def ports_of(directory: Path) -> Ports:
    file = directory / PORTS_FILE
    if file.exists():
        known = Ports(**json.loads(file.read_text(encoding="utf-8")))
        if known.are_free():
            return known
    ports = Ports.free()
    directory.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(ports)), encoding="utf-8")
    return ports
