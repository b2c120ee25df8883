"""What is logged of troubles, and how polling goes on after them."""

import asyncio
from typing import Any

import pytest
from telebot import types
from telebot.async_telebot import AsyncTeleBot
from telebot.asyncio_helper import RequestTimeout

from node_a.adapters.telegram import Route, close_bot, open_bot
from node_a.bot.polling import LONGEST_PAUSE, REPEATED_AFTER, Troubles, keep_polling
from tests.sandbox.telegram.conftest import TOKEN, Telegram


class StandingClock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_same_trouble_is_logged_once_in_five_minutes(logs: list[Any]) -> None:
    clock = StandingClock()
    troubles = Troubles(clock)
    for _ in range(360):  # an hour
        assert await troubles.handle(RequestTimeout("no answer")) is False
        clock.now += 10
    assert len(logs) == 3600 / REPEATED_AFTER


def test_another_trouble_is_logged_at_once(logs: list[Any]) -> None:
    troubles = Troubles(StandingClock())
    troubles.note(RequestTimeout("no answer"))
    troubles.note(ConnectionRefusedError())
    assert [line["error"] for line in logs] == ["RequestTimeout", "ConnectionRefusedError"]


def test_a_bug_is_logged_each_time_with_its_trace(logs: list[Any]) -> None:
    troubles, bug = Troubles(StandingClock()), KeyError("offset")
    troubles.note(bug)
    troubles.note(bug)
    assert [(line["log_level"], line["exc_info"]) for line in logs] == [("error", bug)] * 2


async def test_pauses_grow_to_ten_seconds_and_no_further(telegram: Telegram) -> None:
    telegram.troubles.telegram_down = True
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    async def nothing() -> None: ...

    bot = open_bot(TOKEN, [Route("direct", telegram.url)])
    with pytest.raises(asyncio.CancelledError):
        await keep_polling(bot, nothing, Troubles(), sleep)
    await close_bot(bot)

    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


class QuietBot(AsyncTeleBot):
    """Polls for an hour, then fails."""

    def __init__(self, clock: StandingClock) -> None:
        super().__init__(TOKEN)
        self.clock = clock

    async def get_me(self) -> types.User:
        return types.User(1, True, "Bot")

    async def polling(self, *args: Any, **kwargs: Any) -> None:
        self.clock.now += 3600
        raise RequestTimeout("no answer")


async def test_what_is_done_first_is_repeated_until_it_works_and_never_again() -> None:
    attempts, pauses = 0, 0

    async def first() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise RequestTimeout("no answer")

    async def sleep(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 6:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keep_polling(QuietBot(StandingClock()), first, Troubles(), sleep)

    assert attempts == 3


async def test_after_a_healthy_hour_the_first_pause_is_short_again() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    async def nothing() -> None: ...

    clock = StandingClock()
    with pytest.raises(asyncio.CancelledError):
        await keep_polling(QuietBot(clock), nothing, Troubles(), sleep, clock)

    assert pauses == [0.5, 0.5, 0.5]
