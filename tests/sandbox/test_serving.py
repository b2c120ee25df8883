"""Whoever is connected when an application goes off its port is cut, also in the moment of being let in."""

import asyncio
import socket
from contextlib import suppress

import httpx
import pytest
from aiohttp import web

from sandbox.serving import served


async def _hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


def _app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", _hello)
    return app


async def test_an_application_is_served_and_then_its_port_is_closed() -> None:
    async with served(_app()) as address, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(address)).text == "hello"

    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(address)


# How far the event loop has come with the connection when it is told to close: not seen, accepted, begun, all done.
@pytest.mark.parametrize("turns", range(5))
async def test_a_connection_that_is_just_made_is_cut(turns: int) -> None:
    async with served(_app()) as address:
        client = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=5)
        for _ in range(turns):
            await asyncio.sleep(0)

    with client, suppress(ConnectionResetError):
        assert client.recv(1) == b""


async def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with served(_app(), port=taken.getsockname()[1]):
            pass
