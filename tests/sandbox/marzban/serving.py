"""A web application on a real loopback port for the length of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from aiohttp import web


@asynccontextmanager
async def address_of(app: web.Application) -> AsyncIterator[str]:
    """Its base URL, without a slash at the end."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose base URL is the application's."""
    async with address_of(app) as address, httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield client
