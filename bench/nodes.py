"""Nodes for measurements: the stand-ins of panel and agent over HTTP, in a process of their own."""

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from http import HTTPStatus
from multiprocessing.connection import Connection
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

import sandbox.agent
import sandbox.marzban
import sandbox.node
from node_a.adapters.node_b import NodeAccount
from sandbox.store import Store
from sandbox.troubles import NodeTroubles

_USERNAME: Final = "admin"
_PASSWORD: Final = "fake-panel-password"  # noqa: S105 — of a stand-in
_TOKEN: Final = "fake-agent-token"  # noqa: S105


@contextmanager
def serving_nodes(count: int, *, pace: float = 0.0) -> Iterator[Sequence[NodeAccount]]:
    """So many empty ones. `pace`: seconds that a panel takes for a user, one after another."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(count, pace, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield [_account(url) for url in ours.recv()]
    finally:
        ours.close()
        process.join(10)


def _account(url: str) -> NodeAccount:
    return NodeAccount(
        url=url, certificate=None, panel_username=_USERNAME, panel_password=_PASSWORD, agent_token=_TOKEN
    )


def _serve(count: int, pace: float, pipe: Connection) -> None:
    asyncio.run(_serve_until_closed(count, pace, pipe))


async def _serve_until_closed(count: int, pace: float, pipe: Connection) -> None:
    async with AsyncExitStack() as stack:
        urls = []
        for _ in range(count):
            runner = web.AppRunner(_node(pace), access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            urls.append(f"http://{host}:{port}")
        pipe.send(urls)
        await asyncio.to_thread(pipe.poll, None)  # until the other end is closed


def _node(pace: float) -> web.Application:
    store, troubles = Store(None), NodeTroubles()
    app = sandbox.node.create_app(
        marzban=sandbox.marzban.create_app(username=_USERNAME, password=_PASSWORD, store=store, troubles=troubles),
        agent=sandbox.agent.create_app(token=_TOKEN, store=store, troubles=troubles),
    )
    if pace:
        app.middlewares.insert(0, _at(pace))
    return app


def _at(pace: float) -> Middleware:
    one_at_a_time = asyncio.Lock()

    @web.middleware
    async def work(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.path.startswith("/api/user") and answer.status == HTTPStatus.OK:
            async with one_at_a_time:
                await asyncio.sleep(pace)
        return answer

    return work
