"""A running stand-in, its user's hands, and the real pyTelegramBotAPI pointed at it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from telebot import asyncio_helper
from telebot.async_telebot import AsyncTeleBot

from sandbox.store import Store
from sandbox.telegram import create_app
from sandbox.troubles import NodeTroubles, Troubles
from tests.sandbox.telegram.bot_api_spec import check_call

TOKEN = "4242:offline-token"
USER = 7_123_456_789  # beyond 32 bits, as new accounts are


@dataclass
class Telegram:
    client: TestClient[Any, Any]
    troubles: Troubles

    @property
    def url(self) -> str:
        return str(self.client.make_url("")).rstrip("/")

    async def call(self, method: str, **params: Any) -> tuple[int, dict[str, Any]]:
        """A method of the Bot API, with JSON parameters."""
        async with self.client.post(f"/bot{TOKEN}/{method}", json=params) as response:
            return response.status, await response.json()

    async def result(self, method: str, **params: Any) -> Any:
        status, answer = await self.call(method, **params)
        assert status == 200, answer
        return answer["result"]

    async def refusal(self, method: str, **params: Any) -> str:
        status, answer = await self.call(method, **params)
        assert not answer["ok"]
        assert answer["error_code"] == status
        return f"{status} {answer['description']}"

    async def get(self, path: str) -> Any:
        async with self.client.get(f"/sandbox/{path}") as response:
            return await response.json()

    async def post(self, path: str, **body: Any) -> Any:
        async with self.client.post(f"/sandbox/{path}", json=body) as response:
            return await response.json()

    async def write(self, text: str = "/start", user: int = USER) -> Any:
        return await self.post(f"chats/{user}/messages", text=text)

    async def messages(self, user: int = USER) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = (await self.get(f"chats/{user}/messages?after=0"))["messages"]
        return shown

    async def problems(self) -> list[str]:
        """What the specification says against the calls so far."""
        return [problem for call in await self.get("calls") for problem in check_call(call)]


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    store, troubles = Store(None), Troubles(nodes={"de1": NodeTroubles(), "de2": NodeTroubles()})
    async with TestClient(TestServer(create_app(token=TOKEN, store=store, troubles=troubles))) as client:
        yield Telegram(client, troubles)
    store.close()


@pytest.fixture
async def bot(telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncTeleBot]:
    monkeypatch.setattr(asyncio_helper, "API_URL", telegram.url + "/bot{0}/{1}")
    monkeypatch.setattr(asyncio_helper, "FILE_URL", telegram.url + "/file/bot{0}/{1}")
    monkeypatch.setattr(asyncio_helper, "session_manager", asyncio_helper.SessionManager())  # no other test's
    yield AsyncTeleBot(TOKEN)
    if asyncio_helper.session_manager.session is not None:
        await asyncio_helper.session_manager.session.close()
        asyncio_helper.session_manager.session = None
