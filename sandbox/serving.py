"""A web application on a port, and off it again with every connection cut."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from aiohttp import web


@asynccontextmanager
async def served(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Its URL, without a slash at the end. Port 0 is any. Raises OSError if the port is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    with closing(socket.create_server((host, port), backlog=128)) as listening:
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            yield f"http://{host}:{listening.getsockname()[1]}"
        finally:
            await _accept_no_more(listening)
            await runner.cleanup()


async def _accept_no_more(listening: socket.socket) -> None:
    """Closing a server makes asyncio forget a connection that it has accepted and not begun to serve: nobody cuts it,
    and its client waits (https://github.com/python/cpython/issues/109564)."""
    asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in ("begins to serve what was accepted", "tells the application"):
        await asyncio.sleep(0)
