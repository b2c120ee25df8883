"""What customers visit: it notes who came through the node, and what was carried for whom."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from tests.node_b.agent_proofs.own_network import PAGE_ADDRESS
from tests.waiting import until

PORT: Final = 80
DATAGRAM_PORT: Final = 53
# A node as near as this answers before sing-box has noted what it asked ("bad request salt"); behind a real network
# that cannot be.
_FAR_AWAY: Final = 0.01


@dataclass(frozen=True, slots=True)
class Visit:
    """`received` and `sent`: bytes without what any protocol adds."""

    visitor: str
    received: int
    sent: int


class Page:
    """Over HTTP a visitor says its name and how many bytes it wants, and gets them. Over UDP it says its name and gets
    it back. A visit is noted as it begins: whoever is there has come through the node."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []

    def visitors(self) -> set[str]:
        return {visit.visitor for visit in list(self.visits)}

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            _, visitor, wanted = request.split(b" ")[1].decode().split("/")
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % wanted.encode() + bytes(int(wanted))
            self.visits.append(Visit(visitor, len(request), len(answer)))
            await asyncio.sleep(_FAR_AWAY)
            writer.write(answer)
            await writer.drain()
            if wanted == "0":
                await self._chat(visitor, reader, writer)
        writer.close()

    async def _chat(self, visitor: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Who wants nothing stays: every further line is given back."""
        while line := await reader.readline():
            self.visits.append(Visit(visitor, len(line), len(line)))
            writer.write(line)
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, page: Page) -> None:
        self._page = page

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self._page.visits.append(Visit(data.decode(), len(data), len(data)))
        asyncio.get_running_loop().call_later(_FAR_AWAY, self._transport.sendto, data, address)


@contextmanager
def a_page() -> Iterator[Page]:
    """On a thread of its own, in the caller's network."""
    page = Page()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    is_open = threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(page.welcome, PAGE_ADDRESS, PORT, backlog=1024)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(page), local_addr=(PAGE_ADDRESS, DATAGRAM_PORT)
        )
        is_open.set()
        await stop.wait()
        server.close()
        transport.close()
        guests = asyncio.all_tasks() - {asyncio.current_task()}
        for guest in guests:
            guest.cancel()
        await asyncio.gather(*guests, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        until(is_open.is_set)
        yield page
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
