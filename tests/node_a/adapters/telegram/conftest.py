"""The stand-in of Telegram, and the real client and messenger pointed at it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp.test_utils import BaseTestServer
from telebot.async_telebot import AsyncTeleBot

from node_a.adapters.telegram import Route, TelegramMessenger, close_bot, open_bot
from node_a.adapters.telegram.pace import Pace
from tests.sandbox.telegram.conftest import TOKEN, Telegram, telegram

__all__ = ["telegram"]

APP_URL = "http://127.0.0.1:8080/app"


@pytest.fixture
async def bot(telegram: Telegram) -> AsyncIterator[AsyncTeleBot]:
    bot = open_bot(TOKEN, [Route("direct", telegram.url)])
    yield bot
    await close_bot(bot)
    assert await telegram.problems() == []


@pytest.fixture
def messenger(bot: AsyncTeleBot) -> TelegramMessenger:
    return TelegramMessenger(bot, APP_URL)


def address_of(server: BaseTestServer) -> str:
    return str(server.make_url("")).rstrip("/")


@dataclass
class StandingClock:
    """Time passes only where somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def pace(self) -> Pace:
        return Pace(now=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds
