"""A phone's app: one of the real programs with what the shop delivered, and what a customer sees through it."""

import hashlib
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError
from python_socks.sync import Proxy

from tests.node_b.carrying.association import an_association
from tests.node_b.carrying.links import TAG, Link, Outbound
from tests.node_b.world.names import PAGE_NAME, RESOLVER
from tests.node_b.world.network import Network
from tests.node_b.world.resolver import PORT as RESOLVER_PORT
from tests.node_b.world.resolver import a_question, addresses_in
from tests.programs import is_open, program
from tests.waiting import until

Program = Literal["xray", "sing-box"]
# Of a phone. A tunnel that takes everything needs more than a test should take: a proxy, and a way for datagrams.
_FIRST_PORT: Final = 10_000
# Seconds in which an answer comes, or does not.
_PATIENCE: Final = 10.0
_numbers = count()


@dataclass(frozen=True)
class App:
    """`keys`: the local ports by what the test calls the key; datagrams go in at the port above."""

    network: Network
    keys: Mapping[str, int]
    log: Path

    def get(self, url: str, key: str = TAG, patience: float = _PATIENCE) -> httpx.Response:
        """Over a new connection. Raises httpx.HTTPError."""
        with self.network.entered(), self._browser(key, patience) as browser:
            return browser.get(url)

    def sees(self, url: str, key: str = TAG, patience: float = _PATIENCE) -> str | None:
        """What is there; None if nothing comes, or what the app itself says."""
        try:
            answer = self.get(url, key, patience)
        except httpx.HTTPError:
            return None
        return answer.text if answer.is_success else None

    def gets_through(self, key: str = TAG) -> bool:
        """A new connection to the page, which sees the node come."""
        seen = self.sees(f"http://{PAGE_NAME}/", key, patience=3)
        return seen is not None and seen.startswith("the page, for ")

    def digest_of(self, url: str, key: str = TAG) -> str:
        """SHA-256 of all that comes. Raises httpx.HTTPError."""
        digest = hashlib.sha256()
        with self.network.entered(), self._browser(key, 60) as browser, browser.stream("GET", url) as answer:
            for piece in answer.raise_for_status().iter_bytes():
                digest.update(piece)
        return digest.hexdigest()

    def resolves(self, name: str, key: str = TAG) -> list[str]:
        """By a datagram to the resolver; OSError when nothing comes."""
        with self.network.entered(), socket.socket(type=socket.SOCK_DGRAM) as asking:
            asking.settimeout(2)
            asking.connect(("127.0.0.1", self.keys[key] + 1))
            asking.send(a_question(name))
            return addresses_in(asking.recv(1000))

    def says(self, host: str, port: int, words: bytes, key: str = TAG, patience: float = 3) -> bytes:
        """Over a new connection to `host`, a name or an address; what comes back, nothing if it is refused."""
        with self.network.entered(), suppress(OSError, ProxyError, ProxyConnectionError, ProxyTimeoutError):
            way = Proxy.from_url(f"socks5://127.0.0.1:{self.keys[key]}", rdns=True)
            with closing(way.connect(host, port, timeout=patience)) as tunnel:
                tunnel.settimeout(patience)
                tunnel.sendall(words)
                return tunnel.recv(4096)
        return b""

    def sends_from_one_place(self, *destinations: str, key: str = TAG) -> list[str]:
        """Asks each of these for the page's address, all from one port; those that answer."""
        with self.network.entered(), an_association(self.keys[key]) as asking:
            return [address for address in destinations if asking.answers(address)]

    def _browser(self, key: str, patience: float) -> httpx.Client:
        return httpx.Client(proxy=f"http://127.0.0.1:{self.keys[key]}", trust_env=False, timeout=patience)


@dataclass
class Config:
    """`outbounds`: by what the test calls them; or `whole`: as delivered, with other ways in."""

    program: Program
    outbounds: Mapping[str, Outbound] = field(default_factory=dict)
    whole: dict[str, Any] | None = None

    @classmethod
    def of(cls, program: Program, **links: Link) -> "Config":
        return cls(program, {name: _outbound(program, link) for name, link in links.items()})


def _outbound(program: Program, link: Link) -> Outbound:
    return link.for_xray() if program == "xray" else link.for_sing_box()


@contextmanager
def running_app(network: Network, config: Config, directory: Path) -> Iterator[App]:
    """On a phone in `network`."""
    number = next(_numbers)
    names = list(config.outbounds) or [TAG]
    ports = {name: _FIRST_PORT + 100 * (number % 200) + 2 * index for index, name in enumerate(names)}
    file, log = directory / f"app-{number}.json", directory / f"app-{number}.log"
    made = _for_xray(config, ports) if config.program == "xray" else _for_sing_box(config, ports)
    file.write_text(json.dumps(made), encoding="utf-8")
    process = network.start([program(config.program), "run", "-c", file], log)
    try:
        with network.entered():
            until(lambda: process.poll() is not None or all(map(is_open, ports.values())))
        assert process.poll() is None, log.read_text()
        yield App(network, ports, log)
    finally:
        process.kill()
        process.wait()


def _for_xray(config: Config, ports: Mapping[str, int]) -> dict[str, Any]:
    local = {"listen": "127.0.0.1"}
    inbounds: list[dict[str, Any]] = []
    for name, port in ports.items():
        datagrams = {"address": RESOLVER, "port": RESOLVER_PORT, "network": "udp"}
        inbounds += [
            {"tag": name, "protocol": "mixed", "port": port, "settings": {"udp": True}, **local},
            {
                "tag": f"{name}, datagrams",
                "protocol": "dokodemo-door",
                "port": port + 1,
                "settings": datagrams,
                **local,
            },
        ]
    if config.whole is not None:
        return {**config.whole, "inbounds": inbounds}
    rules = [{"inboundTag": [name, f"{name}, datagrams"], "outboundTag": name} for name in ports]
    outbounds = [{**outbound, "tag": name} for name, outbound in config.outbounds.items()]
    return {"log": {"loglevel": "info"}, "inbounds": inbounds, "outbounds": outbounds, "routing": {"rules": rules}}


def _for_sing_box(config: Config, ports: Mapping[str, int]) -> dict[str, Any]:
    inbounds: list[dict[str, Any]] = []
    for name, port in ports.items():
        local = {"listen": "127.0.0.1", "network": "udp", "override_address": RESOLVER, "override_port": RESOLVER_PORT}
        inbounds += [
            {"type": "mixed", "tag": name, "listen": "127.0.0.1", "listen_port": port},
            {"type": "direct", "tag": f"{name}, datagrams", "listen_port": port + 1, **local},
        ]
    if config.whole is not None:
        return {**config.whole, "inbounds": inbounds}
    rules = [{"inbound": [name, f"{name}, datagrams"], "outbound": name} for name in ports]
    outbounds = [{**outbound, "tag": name} for name, outbound in config.outbounds.items()]
    return {"log": {"level": "debug"}, "inbounds": inbounds, "outbounds": outbounds, "route": {"rules": rules}}
