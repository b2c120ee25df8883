"""All stand-ins in one event loop in a thread of its own, each on its own loopback port."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

import sandbox.agent
import sandbox.marzban
import sandbox.node
import sandbox.telegram
import sandbox.yookassa
from sandbox.marzban.inbounds import with_outline
from sandbox.serving import served
from sandbox.state import FIRST_NODE, Ports, Secrets
from sandbox.store import Store
from sandbox.troubles import NodeTroubles, Troubles

PANEL_USERNAME: Final = "sandbox"
BOT_USERNAME: Final = "qent_sandbox_bot"
SHOP_ID: Final = "100500"
# What a node says that has an inbound for Outline's client; nobody listens there.
OUTLINE_PORT: Final = 8388


class StandIns:
    """Running from `start` to `stop`; `troubles` may be changed at any time. `on_request` is told method and path of
    every request before it is handled, in the stand-ins' thread. There is a node for each of the ports' nodes; each may
    be stopped and started while the others run. `outline`: codes of those whose panel has an inbound for Outline's
    client; looked at when a node is started."""

    def __init__(self, directory: Path, ports: Ports, secrets: Secrets) -> None:
        self.troubles = Troubles(nodes={code: NodeTroubles() for code in ports.nodes})
        self.on_request: Callable[[str, str], None] = lambda method, path: None
        self.outline: set[str] = set()
        self._directory = directory
        self._ports = ports
        self._secrets = secrets
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._shop = AsyncExitStack()
        self._nodes: dict[str, AsyncExitStack] = {}

    def start(self) -> None:
        """Raises OSError if a port has been taken since it was chosen."""
        # Not before: whoever needs no more than our addresses never stops us.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stand-ins", daemon=True)
        self._thread.start()
        try:
            self._run(self._start())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stop_node(self, code: str) -> None:
        """As if its server were switched off: every connection is cut, and nobody listens any more. What was stored
        stays."""
        self._run(self._nodes.pop(code).aclose())

    def start_node(self, code: str) -> None:
        self._run(self._start_node(code))

    def add_nodes(self, ports: Ports, secrets: Secrets) -> None:
        """Those of `ports` that are not known yet, with the others running on."""
        self._ports, self._secrets = ports, secrets
        for code in [code for code in ports.nodes if code not in self.troubles.nodes]:
            self.troubles.nodes[code] = NodeTroubles()
            self.start_node(code)

    def _run(self, coroutine: object) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)  # type: ignore[arg-type]
        future.result(timeout=30)

    async def _start(self) -> None:
        await self._serve(self._shop, self._ports.chat, self._telegram())
        await self._serve(self._shop, self._ports.yookassa, self._yookassa())
        for code in self._ports.nodes:
            await self._start_node(code)

    async def _stop(self) -> None:
        for running in (self._shop, *self._nodes.values()):
            await running.aclose()

    async def _start_node(self, code: str) -> None:
        running = self._nodes[code] = AsyncExitStack()
        await self._serve(running, self._ports.nodes[code], self._node(running, code))

    async def _serve(self, running: AsyncExitStack, port: int, app: web.Application) -> None:
        @web.middleware
        async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.on_request(request.method, request.path)
            return await handler(request)

        app.middlewares.insert(0, tell)
        await running.enter_async_context(served(app, port=port))

    def _telegram(self) -> web.Application:
        return sandbox.telegram.create_app(
            token=self._secrets.bot_token,
            store=self._store(self._shop, "telegram"),
            troubles=self.troubles,
            bot_username=BOT_USERNAME,
        )

    def _yookassa(self) -> web.Application:
        return sandbox.yookassa.create_app(
            shop_id=SHOP_ID,
            secret_key=self._secrets.yookassa_secret_key,
            webhook_url=f"http://127.0.0.1:{self._ports.web}/webhooks/yookassa",
            store=self._store(self._shop, "yookassa"),
            troubles=self.troubles,
            public_url=f"http://127.0.0.1:{self._ports.yookassa}",
        )

    def _node(self, running: AsyncExitStack, code: str) -> web.Application:
        troubles, secrets = self.troubles.nodes[code], self._secrets.nodes[code]
        # The first one's files have the names that they had when there was no other.
        prefix = "" if code == FIRST_NODE else f"{code}-"
        return sandbox.node.create_app(
            marzban=sandbox.marzban.create_app(
                username=PANEL_USERNAME,
                password=secrets.panel_password,
                store=self._store(running, f"{prefix}marzban"),
                troubles=troubles,
                inbounds=with_outline(OUTLINE_PORT if code in self.outline else None),
            ),
            agent=sandbox.agent.create_app(
                token=secrets.agent_token, store=self._store(running, f"{prefix}agent"), troubles=troubles
            ),
            troubles=troubles,
        )

    def _store(self, running: AsyncExitStack, name: str) -> Store:
        store = Store(self._directory / f"{name}.db")
        running.callback(store.close)
        return store
