"""A node's clock by the dates of its answers, and whether customers would get a connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
import respx

from node_a.adapters.node_b import NodeB, PublicAddress
from node_a.adapters.node_b.clocks import NodeClock
from tests.node_a.adapters.node_b.conftest import START, Site
from tests.node_a.adapters.node_b.test_connection import Certificate, a_certificate, directory

__all__ = ["directory"]  # a fixture

BORROWED = "borrowed.test"


# ── the clock ──


@pytest.mark.parametrize("ahead", [0, 25, -25, 86_400])
async def test_a_clock_that_is_off_is_noticed(node: NodeB, site: Site, ahead: int) -> None:
    site.time.node_ahead = timedelta(seconds=ahead)

    off = (await node.observe()).clock_off

    assert off is not None
    assert abs(off - ahead) <= 1


async def test_a_dead_node_has_no_clock_even_if_it_had_one_before(node: NodeB, site: Site) -> None:
    assert (await node.observe()).clock_off is not None
    site.troubles.marzban_down = site.troubles.agent_down = True

    assert (await node.observe()).clock_off is None


@dataclass
class Ours:
    """A clock of which each look is known beforehand: seconds after START."""

    looks: list[float]

    def __call__(self) -> datetime:
        return START + timedelta(seconds=self.looks.pop(0))


async def heard(looks: list[float], *dates: str | None) -> float | None:
    """What is known after answers with these dates, each between two of the looks."""
    clock = NodeClock(Ours(looks))
    with respx.mock() as answers:
        route = answers.get("http://127.0.0.1:9/")
        route.side_effect = [httpx.Response(200, headers={} if date is None else {"Date": date}) for date in dates]
        async with httpx.AsyncClient() as client:
            clock.listen_to(client)
            for _ in dates:
                await client.get("http://127.0.0.1:9/")
    return clock.taken()


def at(second: int) -> str:
    return f"Sun, 22 Nov 2026 12:00:{second:02d} GMT"


async def test_the_middle_of_a_call_is_compared() -> None:
    assert await heard([0, 4], at(32)) == 30.5


async def test_the_quickest_answer_is_believed() -> None:
    slow, quick = [0.0, 6.0], [10.0, 10.2]

    assert await heard([*slow, *quick], at(50), at(10)) == 0.4
    assert await heard([*quick, *slow], at(10), at(50)) == 0.4


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 22 Nov 2026 12:00:00 -0000", "Sun, 99 Nov 2026"])
async def test_an_answer_that_does_not_tell_the_time_says_nothing_of_the_clock(date: str | None) -> None:
    assert await heard([0, 0.1], date) is None


@pytest.mark.parametrize("took", [10, -1])
async def test_an_answer_that_took_too_long_says_nothing_of_the_clock(took: int) -> None:
    """Nor one during which our own clock was set back."""
    assert await heard([0, took], at(30)) is None


# ── the ports ──


@dataclass
class Door:
    """A port on loopback that answers with TLS, and remembers which site it was asked for."""

    port: int = 0
    asked_for: list[str | None] = field(default_factory=list)


@asynccontextmanager
async def a_tls_door(certificate: Certificate) -> AsyncIterator[Door]:
    door, context = Door(), certificate.server_context()
    context.sni_callback = lambda _socket, name, _context: door.asked_for.append(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # whoever knocks leaves without a farewell
            await reader.read(1)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        door.port = server.sockets[0].getsockname()[1]
        yield door


@pytest.fixture
async def door(directory: Path) -> AsyncIterator[Door]:
    async with a_tls_door(a_certificate(directory, "borrowed")) as door:
        yield door


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections, and says nothing: no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


def public(vless_port: int, shadowsocks_port: int, host: str = "127.0.0.1") -> PublicAddress:
    return PublicAddress(host=host, server_name=BORROWED, vless_port=vless_port, shadowsocks_port=shadowsocks_port)


async def reached(site: Site, address: PublicAddress | None) -> tuple[bool | None, bool | None]:
    account = site.account(public=address)
    async with NodeB(account, clock=lambda: site.time.now, second_look_after=0) as node:
        seen = await node.observe()
    assert (seen.vless_ready, seen.shadowsocks_ready) == (True, True)  # the keepers are another matter
    return seen.vless_reachable, seen.shadowsocks_reachable


async def test_ports_that_answer_are_reachable_and_see_the_borrowed_name(
    site: Site, door: Door, silent_port: int
) -> None:
    assert await reached(site, public(door.port, silent_port)) == (True, True)

    assert door.asked_for == [BORROWED]


async def test_closed_ports_are_not_reachable(site: Site, door: Door, silent_port: int, closed_port: int) -> None:
    assert await reached(site, public(closed_port, closed_port)) == (False, False)
    assert await reached(site, public(door.port, closed_port)) == (True, False)
    assert await reached(site, public(closed_port, silent_port)) == (False, True)


async def test_a_port_without_tls_is_no_reality(site: Site, silent_port: int) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await reached(site, public(port, silent_port)) == (False, True)


async def test_a_name_that_nobody_knows_is_not_reachable(site: Site) -> None:
    assert await reached(site, public(1, 1, host="x" * 70 + ".invalid")) == (False, False)


async def test_what_shall_not_be_tried_is_not_known(site: Site) -> None:
    assert await reached(site, None) == (None, None)
