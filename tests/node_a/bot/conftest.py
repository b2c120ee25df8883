"""The bot over a real shop: with fakes at its reception, or whole against the stand-in of Telegram."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from node_a.adapters.telegram import Route, TelegramMessenger, close_bot, open_bot
from node_a.adapters.telegram.pace import Pace
from node_a.application.statistics import ShowServers
from node_a.bot import Operations, ShopBot
from node_a.domain.customer import CustomerId, Standing
from node_a.wording.wording import Wording
from tests.builders import ANNA
from tests.fakes.operations import Operations as OperatorsUseCases
from tests.fakes.shop import ShopUnderTest
from tests.sandbox.telegram.conftest import TOKEN, Telegram, telegram

__all__ = ["telegram"]

APP_URL = "http://127.0.0.1:8080/app"
OPERATOR = CustomerId(11)
WORDING = Wording("QentVPN", "@qent_support")
# Long enough for a busy machine; nothing that works ever takes it.
PATIENCE = 10


async def in_thread(work: Any) -> Any:
    return await asyncio.to_thread(work)


async def shortly(seconds: float) -> None:
    """A pause without its length."""
    await asyncio.sleep(min(seconds, 0.01))


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


@dataclass
class Chat:
    """A shop whose bot listens, and the hands of its customers."""

    telegram: Telegram
    shop: ShopUnderTest
    bot: ShopBot

    async def says(self, text: str, user: int = ANNA.id, language: str = "ru") -> None:
        await self.telegram.post(f"chats/{user}/messages", text=text, language_code=language)

    async def answers(self, count: int, user: int = ANNA.id) -> list[dict[str, Any]]:
        """The bot's messages in the chat, once there are `count`."""

        async def look() -> list[dict[str, Any]]:
            version = 0
            while True:
                seen = await self.telegram.get(f"chats/{user}/messages?after={version}&wait=5")
                messages = await self.telegram.messages(user)
                own = [message for message in messages if message["from"]["is_bot"]]
                if len(own) >= count:
                    return own
                version = seen["version"]

        return await asyncio.wait_for(look(), PATIENCE)

    async def presses(self, action: str, user: int = ANNA.id, message: int | None = None) -> str:
        """A button of the newest letter, or of another one; returns what was shown for a moment."""
        shown = message or (await self.telegram.messages(user))[-1]["message_id"]
        pressed = await self.telegram.post(f"chats/{user}/callbacks", message_id=shown, data=action)
        path = f"chats/{user}/callbacks/{pressed['callback_query_id']}?wait={PATIENCE}"
        answered = await self.telegram.get(path)
        assert answered["answered"]
        return str(answered["text"])

    async def newest(self, user: int = ANNA.id) -> dict[str, Any]:
        return (await self.telegram.messages(user))[-1]

    async def until_called(self, method: str, times: int = 1) -> list[dict[str, Any]]:
        """The calls of a method, once there were so many."""

        async def look() -> list[dict[str, Any]]:
            while True:
                calls = [call for call in await self.telegram.get("calls") if call["method"] == method]
                if len(calls) >= times:
                    return calls
                await asyncio.sleep(0.01)

        return await asyncio.wait_for(look(), PATIENCE)

    async def bans(self, user: CustomerId) -> None:
        def ban() -> None:
            with self.shop.database.open_ledger() as ledger:
                ledger.customers.save(replace(ledger.customers.locked(user), standing=Standing.BANNED))

        await asyncio.to_thread(ban)


def a_shop_bot(shop: ShopUnderTest, telegram: Telegram, token: str = TOKEN, **changes: Any) -> ShopBot:
    client = open_bot(token, [Route("direct", telegram.url)])
    needs: dict[str, Any] = {
        "bot": client,
        "register": shop.register,
        "show_subscription": shop.show_subscription,
        "show_servers": ShowServers(
            read_ledger=shop.database.read_ledger, nodes=[shop.domain_node], clock=lambda: shop.now
        ),
        "take_trial": shop.take_trial,
        "trial_available": shop.trial_available,
        "request_erasure": shop.request_erasure,
        "offer_rotation": shop.offer_rotation,
        "rotate_keys": shop.rotate_keys,
        "diagnose": shop.diagnose,
        "repair_keys": shop.repair_keys,
        "operations": operations_of(shop),
        "clock": lambda: datetime.now(UTC),  # as Telegram's, whose letters are dated by it
        "wording": WORDING,
        "messenger": TelegramMessenger(client, APP_URL, Pace(burst_to_one=100, burst=100)),
        "in_thread": in_thread,
        "operators": frozenset({OPERATOR}),
        "app_url": APP_URL,
        "sleep": shortly,
    }
    return ShopBot(**needs | changes)


def operations_of(shop: ShopUnderTest) -> Operations:
    use_cases = OperatorsUseCases(shop)
    return Operations(
        list_stuck=use_cases.stuck,
        retry=use_cases.retry,
        handle_money=use_cases.handle_money,
        find=use_cases.find,
        grant=use_cases.grant,
        refund=use_cases.refund,
        ban=use_cases.ban,
        unban=use_cases.unban,
    )


@asynccontextmanager
async def listening(chat: Chat) -> AsyncIterator[asyncio.Event]:
    """The bot runs inside; afterwards it has stopped cleanly."""
    stopping = asyncio.Event()
    running = asyncio.create_task(chat.bot.run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        await asyncio.wait_for(running, PATIENCE)
        await close_bot(chat.bot.bot)
        assert await chat.telegram.problems() == []


@pytest.fixture
async def chat(shop: ShopUnderTest, telegram: Telegram) -> AsyncIterator[Chat]:
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram))
    async with listening(chat):
        yield chat
