"""Runs the stand-in, and a shop that receives its webhooks, on loopback ports in a thread with a loop of its own."""

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from aiohttp import web

from sandbox.store import Store
from sandbox.troubles import Troubles
from sandbox.yookassa import create_app

SHOP_ID = "100500"
SECRET_KEY = "test_obviously-fake-secret"  # the journal must never show it

Json = dict[str, Any]


@dataclass
class Receiver:
    """The shop's end of the webhooks: answers each with the next of `statuses`, 200 when there is none."""

    statuses: list[int] = field(default_factory=list)
    received: "queue.Queue[Json]" = field(default_factory=queue.Queue)

    async def take(self, request: web.Request) -> web.Response:
        self.received.put(await request.json())
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    def next(self) -> Json:
        """The next notification; queue.Empty when none comes within 5 s."""
        return self.received.get(timeout=5)


@dataclass
class RunningYooKassa:
    """A stand-in that answers at `url`; everything here may be called from the test's thread."""

    url: str
    receiver: Receiver
    troubles: Troubles

    @property
    def api_url(self) -> str:
        return f"{self.url}/v3"

    def call(self, method: str, path: str, body: object = None, *, key: str | None = None, **query: str) -> Json:
        """An API call with good credentials; the answer's body, and its status as `http_status`."""
        answer = requests.request(
            method,
            self.api_url + path,
            json=body,
            params=query,
            auth=(SHOP_ID, SECRET_KEY),
            headers={} if key is None else {"Idempotence-Key": key},
            timeout=10,
        )
        result: Json = answer.json()
        return {**result, "http_status": answer.status_code}

    def control(self, path: str, body: object = None) -> Any:
        """POST when there is a body, else GET."""
        method = "GET" if body is None else "POST"
        answer = requests.request(method, f"{self.url}/sandbox{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def pay(self, payment_id: str) -> Json:
        paid: Json = self.control(f"/payments/{payment_id}/pay", {})
        return paid

    def refund_by_hand(self, payment_id: str, value: str | None = None) -> Json:
        """As somebody does in the shop's account; all that is left without a value."""
        body = {} if value is None else {"amount": {"value": value, "currency": "RUB"}}
        refund: Json = self.control(f"/payments/{payment_id}/refund", body)
        return refund

    def let_refunds_become(self, fate: str) -> None:
        self.control("/refunds", {"become": fate})

    def finish_refund(self, refund_id: str, fate: str, reason: str = "insufficient_funds") -> Json:
        refund: Json = self.control(f"/refunds/{refund_id}/finish", {"status": fate, "reason": reason})
        return refund

    def require_receipts(self) -> None:
        self.control("/receipts", {"required": True})

    def advance(self, seconds: float) -> None:
        self.control("/clock", {"advance_seconds": seconds})

    def fail_next(self, fault: str, count: int = 1) -> None:
        self.control("/faults", {"next": fault, "count": count})

    def exchanges(self) -> list[Json]:
        entries: list[Json] = self.control("/requests")
        return entries

    def deliveries(self) -> list[Json]:
        entries: list[Json] = self.control("/webhooks")
        return entries


@contextmanager
def running_yookassa(store_path: Path | None = None, **settings: Any) -> Iterator[RunningYooKassa]:
    """`settings` go to create_app; redelivery is quick unless they say otherwise."""
    settings = {"redelivery_pauses": (0.02,), "webhook_timeout_seconds": 2, **settings}
    started: queue.Queue[RunningYooKassa | BaseException] = queue.Queue()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ending.set))
        receiver, troubles, store = Receiver(), Troubles(), Store(store_path)
        shop = web.Application()
        shop.add_routes([web.post("/webhooks/yookassa", receiver.take)])
        # The addresses are part of the settings, so the ports are taken before there is an application.
        shop_socket, api_socket = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        shop_url, url = (f"http://127.0.0.1:{taken.getsockname()[1]}" for taken in (shop_socket, api_socket))
        runners = [web.AppRunner(shop)]
        try:
            await _serve_on(shop_socket, runners[0])
            usual = {"webhook_url": f"{shop_url}/webhooks/yookassa", "public_url": url, "shop_id": SHOP_ID}
            app = create_app(**{**usual, **settings}, secret_key=SECRET_KEY, store=store, troubles=troubles)
            runners.append(web.AppRunner(app))
            await _serve_on(api_socket, runners[1])
            started.put(RunningYooKassa(url, receiver, troubles))
            await ending.wait()
        finally:
            for runner in reversed(runners):
                await runner.cleanup()
            store.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            started.put(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        result = started.get(timeout=10)
        if isinstance(result, BaseException):
            raise result
        yield result
    finally:
        if stop:
            stop[0]()
        thread.join(timeout=10)


async def _serve_on(listener: socket.socket, runner: web.AppRunner) -> None:
    await runner.setup()
    await web.SockSite(runner, listener).start()
