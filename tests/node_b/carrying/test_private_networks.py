"""What is private to a node is out of its customers' reach: its own loopback, its provider's inside, its neighbours.

Twice: Xray's routing alone refuses it, and with the firewall the kernel does, too.
"""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from shared.inbounds import PROXY_PORT
from tests.node_b.carrying.apps import App, Config
from tests.node_b.carrying.conftest import StartApp
from tests.node_b.carrying.people import Person
from tests.node_b.world.names import ADDRESSES, NEIGHBOURS, NODE, PAGE, PAGE_NAME, RESOLVER
from tests.node_b.world.node import AGENT_PORT, PANEL_PORT
from tests.node_b.world.resolver import PORT as RESOLVER_PORT
from tests.node_b.world.resolver import a_question, resolving
from tests.node_b.world.world import World
from tests.waiting import until

pytestmark = [pytest.mark.proof, pytest.mark.slow]

KEYS: Final = ("vless", "shadowsocks", "outline")
REQUEST: Final = b"GET / HTTP/1.0\r\n\r\n"
# Where something answers, if one is let through to it.
PRIVATE: Final[tuple[tuple[str, int], ...]] = (
    ("127.0.0.1", PANEL_PORT),
    ("127.0.0.1", AGENT_PORT),
    ("0.0.0.0", PANEL_PORT),  # which Linux takes for loopback
    ("::ffff:127.0.0.1", PANEL_PORT),
    ("loopback.test", PANEL_PORT),
    (NODE, PROXY_PORT),  # for Node A alone
    *((address, 80) for address in NEIGHBOURS),
    ("neighbour.test", 80),
    ("metadata.test", 80),
)
NEIGHBOUR: Final = "10.66.0.80"


@pytest.fixture(params=[False, True], ids=["by Xray", "behind the firewall"])
def refused_by(world: World, request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param:
        yield
        return
    world.node.network.run("nft", "delete", "table", "inet", "qentvpn_node_b")
    yield
    world.node.has_its_firewall()


@pytest.fixture
def app(anna: Person, start_app: StartApp) -> App:
    return start_app(Config.of("xray", vless=anna.vless, shadowsocks=anna.shadowsocks, outline=anna.outline))


def asked_by_the_node_itself(world: World, host: str, port: int) -> bytes:
    address = ADDRESSES.get(host, (host,))[0]
    with world.node.network.entered(), socket.create_connection((address, port), timeout=10) as direct:
        direct.sendall(REQUEST)
        return direct.recv(4096)


@pytest.mark.usefixtures("refused_by")
@pytest.mark.parametrize("key", KEYS)
def test_what_is_private_does_not_answer_customers(app: App, key: str) -> None:
    until(lambda: app.says(PAGE_NAME, 80, REQUEST, key).startswith(b"HTTP/"))

    with ThreadPoolExecutor(len(PRIVATE)) as at_once:  # some are not refused, but left waiting
        said = at_once.map(lambda place: app.says(place[0], place[1], REQUEST, key), PRIVATE)

        assert dict(zip(PRIVATE, said, strict=True)) == dict.fromkeys(PRIVATE, b"")


def test_what_is_private_is_there(world: World) -> None:
    """Else the others would prove nothing. The proxy is asked over what the firewall does not let the node do."""
    for host, port in PRIVATE:
        if port != PROXY_PORT:
            assert asked_by_the_node_itself(world, host, port).startswith(b"HTTP/"), host
    world.node.network.run("nft", "delete", "table", "inet", "qentvpn_node_b")
    assert asked_by_the_node_itself(world, NODE, PROXY_PORT).startswith(b"HTTP/")
    world.node.has_its_firewall()


@pytest.mark.parametrize("key", KEYS)
def test_not_even_the_second_datagram_reaches_a_neighbour(world: World, app: App, key: str) -> None:
    """Xray asks its rules only about the first of an association: this is the firewall's."""
    with resolving(world.internet, NEIGHBOUR):
        with world.node.network.entered(), socket.socket(type=socket.SOCK_DGRAM) as direct:
            direct.settimeout(5)
            direct.sendto(a_question(PAGE_NAME), (NEIGHBOUR, RESOLVER_PORT))
            assert direct.recv(1000), "it is there"

        assert app.sends_from_one_place(RESOLVER, NEIGHBOUR, RESOLVER, key=key) == [RESOLVER, RESOLVER]


@pytest.mark.parametrize("key", KEYS)
def test_torrents_are_not_carried(app: App, key: str) -> None:
    said_by_a_torrent = b"\x13BitTorrent protocol" + bytes(48)
    said_by_somebody_else = b"\x13BitterTears protocol" + bytes(48) + b"\r\n\r\n"

    assert app.says(PAGE, 80, said_by_somebody_else, key).startswith(b"HTTP/1.1 400")
    assert app.says(PAGE, 80, said_by_a_torrent, key) == b""


def test_nothing_on_the_node_tells_where_customers_went(world: World, app: App) -> None:
    for key in KEYS:
        until(lambda: app.gets_through(key))  # noqa: B023

    written = [file for file in world.node.directory.rglob("*") if file.suffix == ".log" and "shop" not in file.parts]
    assert {"panel.log", "xray.log", "agent.log", "proxy.log"} <= {file.name for file in written}
    for file in written:
        if not file.name.startswith("nginx"):  # the page's own
            text = file.read_text(errors="replace")
            assert not [place for place in (PAGE_NAME, PAGE, "2001:db8::80") if place in text], file.name
