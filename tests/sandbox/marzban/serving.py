"""A web application on a real loopback port for the length of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from aiohttp import web

from sandbox.serving import served


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose base URL is the application's."""
    async with served(app) as address, httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield client
