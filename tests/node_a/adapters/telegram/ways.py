"""What stands on the ways to Telegram in tests: Bot APIs in every mood, a SOCKS5 server, a proxy for CONNECT."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

TOKEN = "4242:not-a-real-token"
_BOT = {"id": 4242, "is_bot": True, "first_name": "Bot", "username": "qent_test_bot"}


@dataclass
class Api:
    """A Bot API. `mood`: well; page or json (somebody else answers); cut (hears the call and hangs up); hang (hears it
    and says nothing); or a number, Telegram's own refusal with that code. `sulks_at`: only for these methods."""

    mood: str = "well"
    sulks_at: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    port: int = 0
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def said(self, method: str) -> int:
        """How often."""
        return self.calls.count(method)

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """On the port that it had before, if it had one."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        answer = await self._answer_in_its_mood(request)
        answer.force_close()  # so that a call after `stop` meets a closed port, and no connection from before
        return answer

    async def _answer_in_its_mood(self, request: web.Request) -> web.StreamResponse:
        method = request.path.rpartition("/")[2]
        self.received.append(await request.read())
        self.calls.append(method)
        mood = self.mood if not self.sulks_at or method in self.sulks_at else "well"
        if mood == "cut":
            assert request.transport is not None
            request.transport.abort()
        if mood == "hang":
            await asyncio.Event().wait()
        if mood == "page":
            return web.Response(text="<html>Log in to this network</html>", content_type="text/html")
        if mood == "json":
            return web.json_response({"error": "quota exceeded"})
        if mood.isdecimal():
            body = {"ok": False, "error_code": int(mood), "description": "No"}
            return web.json_response(body, status=int(mood))
        result = {"getMe": _BOT, "getUpdates": []}.get(method, _a_message())
        return web.json_response({"ok": True, "result": result})


def _a_message() -> object:
    return {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "from": _BOT, "text": "Hello"}


@asynccontextmanager
async def apis(count: int) -> AsyncIterator[list[Api]]:
    made = [Api() for _ in range(count)]
    for api in made:
        await api.start()
    try:
        yield made
    finally:
        for api in made:
            await api.stop()


@dataclass
class Proxy:
    """`asked_for`: HOST:PORT of every connection; `names`: what it resolves."""

    names: dict[str, str] = field(default_factory=lambda: {"telegram.test": "127.0.0.1"})
    asked_for: list[str] = field(default_factory=list)
    port: int = 0

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked_for.append(f"{host}:{port}")
        return await asyncio.open_connection(self.names.get(host, host), port)


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handshake = Callable[[Proxy, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Stream | None]]


async def socks5(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Stream | None:
    """RFC 1928 and 1929, as much as is needed; for `user` with the password `not,a@password`."""
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x02")
    _, length = await reader.readexactly(2)
    user = await reader.readexactly(length)
    password = await reader.readexactly((await reader.readexactly(1))[0])
    if (user, password) != (b"user", b"not,a@password"):
        writer.write(b"\x01\x01")
        return None
    writer.write(b"\x01\x00")
    _, _, _, kind = await reader.readexactly(4)
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    else:
        host = ".".join(map(str, await reader.readexactly(4)))
    port = int.from_bytes(await reader.readexactly(2), "big")
    upstream = await proxy.connect(host, port)
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return upstream


async def http_connect(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Stream | None:
    """CONNECT, for the same user."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    right = base64.b64encode(b"user:not,a@password").decode()
    if f"Proxy-Authorization: Basic {right}" not in head:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return None
    host, _, port = head[0].split()[1].rpartition(":")
    upstream = await proxy.connect(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return upstream


@asynccontextmanager
async def a_proxy(handshake: Handshake) -> AsyncIterator[Proxy]:
    proxy, tasks = Proxy(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            upstream = await handshake(proxy, reader, writer)
            if upstream is not None:
                ends.append(upstream[1])
                await asyncio.gather(_pipe(reader, upstream[1]), _pipe(upstream[0], writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in ends:
                end.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof() if writer.can_write_eof() else writer.close()
