"""All stand-ins in one event loop in a thread of its own, each on its own loopback port."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

import sandbox.agent
import sandbox.marzban
import sandbox.node
import sandbox.telegram
import sandbox.yookassa
from sandbox.state import Ports, Secrets
from sandbox.store import Store
from sandbox.troubles import Troubles

PANEL_USERNAME: Final = "sandbox"
BOT_USERNAME: Final = "qent_sandbox_bot"
SHOP_ID: Final = "100500"


class StandIns:
    """Running from `start` to `stop`; `troubles` may be changed at any time. `on_request` is told method and path of
    every request before it is handled, in the stand-ins' thread."""

    def __init__(self, directory: Path, ports: Ports, secrets: Secrets) -> None:
        self.troubles = Troubles()
        self.on_request: Callable[[str, str], None] = lambda method, path: None
        self._directory = directory
        self._ports = ports
        self._secrets = secrets
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._runners: list[web.AppRunner] = []
        self._stores: list[Store] = []

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

    def _run(self, coroutine: object) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)  # type: ignore[arg-type]
        future.result(timeout=30)

    async def _start(self) -> None:
        @web.middleware
        async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.on_request(request.method, request.path)
            return await handler(request)

        for port, app in self._apps():
            app.middlewares.insert(0, tell)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            self._runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", port).start()

    async def _stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        for store in self._stores:
            store.close()

    def _apps(self) -> list[tuple[int, web.Application]]:
        ports, secrets = self._ports, self._secrets
        telegram = sandbox.telegram.create_app(
            token=secrets.bot_token,
            store=self._store("telegram"),
            troubles=self.troubles,
            bot_username=BOT_USERNAME,
        )
        yookassa = sandbox.yookassa.create_app(
            shop_id=SHOP_ID,
            secret_key=secrets.yookassa_secret_key,
            webhook_url=f"http://127.0.0.1:{ports.web}/webhooks/yookassa",
            store=self._store("yookassa"),
            troubles=self.troubles,
            public_url=f"http://127.0.0.1:{ports.yookassa}",
        )
        node = sandbox.node.create_app(
            marzban=sandbox.marzban.create_app(
                username=PANEL_USERNAME,
                password=secrets.panel_password,
                store=self._store("marzban"),
                troubles=self.troubles,
            ),
            agent=sandbox.agent.create_app(
                token=secrets.agent_token, store=self._store("agent"), troubles=self.troubles
            ),
        )
        return [(ports.chat, telegram), (ports.yookassa, yookassa), (ports.node, node)]

    def _store(self, name: str) -> Store:
        store = Store(self._directory / f"{name}.db")
        self._stores.append(store)
        return store
