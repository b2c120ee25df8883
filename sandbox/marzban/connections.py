"""Idle connections: the original closes them after five seconds."""

import asyncio
from typing import Final

from aiohttp import web

from sandbox.node_control import Handler

IDLE_SECONDS: Final = 5.0


class IdleConnections:
    """A timer for each connection that has been answered and not used since. An application cannot set its server's
    `keepalive_timeout`, so it closes them itself."""

    def __init__(self) -> None:
        self._timers: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return await handler(request)
        if transport in self._timers:
            self._timers.pop(transport).cancel()
        response = await handler(request)
        if not transport.is_closing():
            loop = asyncio.get_running_loop()
            self._timers[transport] = loop.call_later(IDLE_SECONDS, self._close, transport)
        return response

    async def forget(self, app: web.Application) -> None:
        """For `on_cleanup`."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _close(self, transport: asyncio.Transport) -> None:
        self._timers.pop(transport, None)
        transport.close()
