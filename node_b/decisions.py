"""What the operator decided about this node: `node.env`, read and checked, each problem by name with its remedy.

`python -m node_b.decisions` only judges one that comes in, before it is kept.
"""

import ipaddress
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar, cast

from shared.environment import ConfigurationProblems, is_placeholder, read_dotenv
from shared.inbounds import PROXY_PORT, SHADOWSOCKS_PORT, VLESS_PORT

FILE_NAME: Final = "node.env"
# On loopback only: Marzban's API and the agent's.
PANEL_PORT: Final = 8000
AGENT_PORT: Final = 8081

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
T = TypeVar("T")

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{1,15}")
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
# These would not survive the way through a `.env` file.
_UNPRINTABLE: Final = re.compile(r"['\"\\\x00-\x1f\x7f]")
_WIDEST: Final = {4: 16, 6: 32}
_TAKEN: Final = {
    SHADOWSOCKS_PORT: "Shadowsocks",
    VLESS_PORT: "VLESS",
    PROXY_PORT: "the proxy",
    PANEL_PORT: "the panel",
    AGENT_PORT: "the agent",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisions:
    """`node_a`: the addresses that may reach the proxy. `reality_target`: where the borrowed site is dialled, with its
    port. `outline_port`: None without the classic Shadowsocks for Outline's client."""

    code: str
    name_ru: str
    name_en: str
    host: str
    node_a: tuple[Network, ...]
    reality_server_name: str
    reality_target: str
    ssh_ports: tuple[int, ...]
    outline_port: int | None
    block_torrents: bool


def read_decisions(state: Path) -> Decisions:
    """From `node.env` in the state directory. Raises ConfigurationProblems."""
    return _read(state / FILE_NAME)


def main() -> int:
    """Judges the `node.env` that comes in: 0, or 2 and a line for each problem."""
    try:
        _read(Path("/dev/stdin"))
    except ConfigurationProblems as wrong:
        print(wrong)
        return 2
    return 0


def _read(file: Path) -> Decisions:
    variables = read_dotenv(file)
    if not variables:
        raise ConfigurationProblems([f"{file} is not there or empty: deploy_node_b.sh writes it"])
    return _Reader(variables).decisions()


@dataclass(slots=True)
class _Reader:
    """Reads everything before it complains, so that all is corrected in one go."""

    variables: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def decisions(self) -> Decisions:
        server_name = self._needed("REALITY_SERVER_NAME", _host_name, "the site to borrow, such as www.NAME.com")
        decided = Decisions(
            code=self._needed("NODE_CODE", _code, "a letter, then 1 to 15 letters or digits, such as DE1"),
            name_ru=self._needed("NODE_NAME_RU", _name, "what Russian customers see, without quotes"),
            name_en=self._needed("NODE_NAME_EN", _name, "what English customers see, without quotes"),
            host=self._needed("NODE_HOST", _host, "this node's public name or address, which stands in keys"),
            node_a=self._needed("NODE_A_ADDRESSES", _networks, "Node A's addresses, with commas between"),
            reality_server_name=server_name,
            reality_target=self._given(
                "REALITY_TARGET", _target, "HOST:PORT of the borrowed site", f"{server_name}:443"
            ),
            ssh_ports=self._needed("SSH_PORTS", _ports, "the ports of sshd, with commas between; `sshd -T` shows them"),
            outline_port=self._given("OUTLINE_PORT", _port, "a port from 1 to 65535; empty: no Outline", None),
            block_torrents=self._given("BLOCK_TORRENTS", _truth, "true or false", True),
        )
        self._check_ports(decided.outline_port, decided.ssh_ports)
        self._check_names()
        if self.problems:
            raise ConfigurationProblems(self.problems)
        return decided

    def _needed(self, name: str, read: Callable[[str], T], remedy: str) -> T:
        if name not in self.variables:
            self.problems.append(f"{name} is not set in {FILE_NAME}: {remedy}")
        # Never looked at: what is missing is a problem, and problems are raised.
        return cast(T, self._given(name, read, remedy, None))

    def _given(self, name: str, read: Callable[[str], T], remedy: str, default: T) -> T:
        text = self.variables.get(name)
        if text is None:
            return default
        if is_placeholder(text):
            self.problems.append(f"{name} in {FILE_NAME} still holds a placeholder: {remedy}")
            return default
        try:
            return read(text)
        except ValueError as error:
            said = f"{error}; {remedy}" if error.args and str(error) else remedy
            self.problems.append(f"{name} in {FILE_NAME} is not usable: {said}")
            return default

    def _check_ports(self, outline: int | None, ssh: tuple[int, ...] | None) -> None:
        for port in ssh or ():
            if port in _TAKEN:
                self.problems.append(f"SSH_PORTS in {FILE_NAME}: {port} is for {_TAKEN[port]}; let sshd use another")
        if outline is not None and (outline in _TAKEN or outline in (ssh or ())):
            owner = _TAKEN.get(outline, "sshd")
            self.problems.append(f"OUTLINE_PORT in {FILE_NAME}: {outline} is for {owner}; choose another")

    def _check_names(self) -> None:
        known = {"NODE_CODE", "NODE_NAME_RU", "NODE_NAME_EN", "NODE_HOST", "NODE_A_ADDRESSES", "REALITY_SERVER_NAME"}
        known |= {"REALITY_TARGET", "SSH_PORTS", "OUTLINE_PORT", "BLOCK_TORRENTS"}
        for name in sorted(self.variables.keys() - known):
            self.problems.append(f"{name} in {FILE_NAME} is not a setting: correct its spelling or remove it")


def is_address(host: str) -> bool:
    """Whether `host` is an address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError
    return text.upper()


def _name(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError
    return text


def _host_name(text: str) -> str:
    name = text.lower()
    if not _HOST_NAME.fullmatch(name) or is_address(name) or name.rpartition(".")[2].isdecimal():
        raise ValueError("a host name, without scheme, port or path")
    return name


def _host(text: str) -> str:
    if is_address(text):
        address = ipaddress.ip_address(text)
        if address.is_unspecified or address.is_multicast or "%" in text:
            raise ValueError("customers must be able to reach it")
        return str(address)
    return _host_name(text)


def _target(text: str) -> str:
    host, colon, port = text.rpartition(":")
    _port(port)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or (":" in bare) != (bare != host):
        raise ValueError
    return f"{host.lower() if is_address(bare) else _host_name(host)}:{port}"


def _port(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return int(text)


def _ports(text: str) -> tuple[int, ...]:
    return tuple(sorted({_port(part) for part in _listed(text)}))


def _networks(text: str) -> tuple[Network, ...]:
    networks = [_network(part) for part in _listed(text)]
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    # Overlapping ones would be refused by nftables.
    return (*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six))


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address such as 192.0.2.7 or 2001:db8::7, and no network") from error
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError(f"{text!r} is wider than /{_WIDEST[network.version]}, which keeps nobody out")
    if network.is_multicast or network.is_unspecified or "%" in text:
        raise ValueError(f"{text!r} is nobody's address")
    return network


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError
    return text.lower() == "true"


def _listed(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise ValueError("something is missing between two commas")
    return parts


if __name__ == "__main__":
    sys.exit(main())
