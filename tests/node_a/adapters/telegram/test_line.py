"""Several ways to Telegram: the first that works, the next one on failure, and back; nothing is sent twice by it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs
from telebot import asyncio_helper, types
from telebot.async_telebot import AsyncTeleBot

from node_a.adapters.telegram import Route, TelegramMessenger, close_bot, open_bot
from node_a.adapters.telegram.choice import FIRST_REST
from node_a.adapters.telegram.line import CHOSEN_EVERY, TRIED_AGAIN_EVERY, Line
from node_a.adapters.telegram.routes import NotReached, OpenRoute
from node_a.application.ports import Letter
from node_a.domain.customer import CustomerId
from node_a.domain.errors import MessengerUnavailable
from node_a.wording.qr import qr_picture
from tests.node_a.adapters.telegram.conftest import APP_URL
from tests.node_a.adapters.telegram.ways import TOKEN, Api, a_proxy, apis, socks5
from tests.waiting import until_in_thread

CUSTOMER = CustomerId(7_123_456_789)
HELLO = Letter("Hello")
Logs = Sequence[MutableMapping[str, Any]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    with capture_logs() as captured:
        yield captured


def taken(logs: Logs) -> list[str]:
    """The routes that were taken, as they are logged."""
    return [line["route"] for line in logs if line["event"] == "telegram is reached"]


def routes_over(*sides: Api) -> list[Route]:
    return [Route(f"way {number}", side.url) for number, side in enumerate(sides, 1)]


@asynccontextmanager
async def a_bot(routes: Sequence[Route]) -> AsyncIterator[AsyncTeleBot]:
    bot = open_bot(TOKEN, routes)
    try:
        yield bot
    finally:
        await close_bot(bot)


@asynccontextmanager
async def a_messenger(routes: Sequence[Route]) -> AsyncIterator[TelegramMessenger]:
    async with a_bot(routes) as bot:
        yield TelegramMessenger(bot, APP_URL)


async def test_with_one_way_nothing_is_asked_and_nothing_is_said(logs: Logs) -> None:
    async with apis(1) as [only], a_messenger(routes_over(only)) as messenger:
        await messenger.send(CUSTOMER, HELLO)
        only.mood = "cut"
        with pytest.raises(MessengerUnavailable):
            await messenger.send(CUSTOMER, HELLO)

    assert only.calls == ["sendMessage", "sendMessage"]
    assert logs == []


async def test_the_first_that_works_is_taken_and_said_once(logs: Logs) -> None:
    async with apis(3) as [first, second, third]:
        await first.stop()
        async with a_messenger(routes_over(first, second, third)) as messenger:
            for _ in range(3):
                await messenger.send(CUSTOMER, HELLO)

    assert (second.said("getMe"), second.said("sendMessage"), third.said("sendMessage")) == (1, 3, 0)
    assert taken(logs) == ["way 2"]


@pytest.mark.parametrize("letter", [HELLO, Letter("Scan me", (), qr_picture("https://example.org/s"))])
async def test_what_could_not_be_sent_goes_over_the_next_way_at_once(letter: Letter, logs: Logs) -> None:
    async with apis(2) as [first, second], a_messenger(routes_over(first, second)) as messenger:
        await messenger.send(CUSTOMER, HELLO)
        await first.stop()

        await messenger.send(CUSTOMER, letter)

        method = "sendPhoto" if letter.picture else "sendMessage"
        assert second.said(method) == 1
        if letter.picture:
            assert letter.picture in second.received[second.calls.index(method)]
        assert b"7123456789" in second.received[second.calls.index(method)]
    assert taken(logs) == ["way 1", "way 2"]
    assert [line["log_level"] for line in logs] == ["info", "warning"]


@pytest.mark.parametrize("mood", ["cut", "page"])
async def test_what_may_have_arrived_is_never_sent_again_by_us(mood: str) -> None:
    async with apis(2) as [first, second], a_messenger(routes_over(first, second)) as messenger:
        await messenger.send(CUSTOMER, HELLO)
        first.mood = mood

        with pytest.raises(MessengerUnavailable):
            await messenger.send(CUSTOMER, HELLO)
        assert (first.said("sendMessage"), second.said("sendMessage")) == (2, 0)

        await messenger.send(CUSTOMER, HELLO)  # as the queue does
        assert (first.said("sendMessage"), second.said("sendMessage")) == (2, 1)


async def test_one_broken_connection_is_no_reason_to_leave_and_two_are(logs: Logs) -> None:
    async with apis(2) as [first, second], a_messenger(routes_over(first, second)) as messenger:
        await messenger.send(CUSTOMER, HELLO)
        first.mood, first.sulks_at = "cut", {"sendMessage"}  # asked how it is, it is well
        with pytest.raises(MessengerUnavailable):
            await messenger.send(CUSTOMER, HELLO)
        await messenger.edit(CUSTOMER, 1, HELLO)
        assert taken(logs) == ["way 1"]

        for _ in range(2):
            with pytest.raises(MessengerUnavailable):
                await messenger.send(CUSTOMER, HELLO)
        await messenger.send(CUSTOMER, HELLO)

    assert taken(logs) == ["way 1", "way 2"]
    assert second.said("sendMessage") == 1


@pytest.mark.parametrize("mood", ["400", "401", "403", "404", "429", "500"])
async def test_what_telegram_itself_says_is_no_failure_of_the_way(mood: str, logs: Logs) -> None:
    async with apis(2) as [first, second], a_bot(routes_over(first, second)) as bot:
        first.mood = mood
        for _ in range(3):
            with pytest.raises(asyncio_helper.ApiTelegramException):
                await bot.send_message(CUSTOMER, "Hello")

    assert first.said("sendMessage") == 3
    assert second.said("sendMessage") == 0
    assert taken(logs) == ["way 1"]


async def test_many_at_once_lose_nothing_when_their_way_dies_and_ask_once(logs: Logs) -> None:
    async with apis(2) as [first, second], a_bot(routes_over(first, second)) as bot:
        await bot.send_message(CUSTOMER, "Hello")
        await first.stop()

        await asyncio.gather(*(bot.send_message(CUSTOMER, str(number)) for number in range(30)))

    assert second.said("sendMessage") == 30
    sent = [body for call, body in zip(second.calls, second.received, strict=True) if call == "sendMessage"]
    assert len(set(sent)) == 30, "each once"
    assert second.said("getMe") == 2, "at the start and at the change"
    assert taken(logs) == ["way 1", "way 2"]


async def test_when_nothing_works_the_queue_is_told_and_the_first_that_comes_back_is_taken(logs: Logs) -> None:
    clock = Clock()
    async with apis(2) as [first, second]:
        await first.stop()
        await second.stop()
        async with a_line(clock, first, second) as line:
            for _ in range(5):
                with pytest.raises(NotReached):
                    await say(line, "sendMessage")
            assert [line["event"] for line in logs] == ["telegram is reached by no route"]

            await second.start()
            with pytest.raises(NotReached):
                await say(line, "sendMessage")
            clock.now += CHOSEN_EVERY
            await say(line, "sendMessage")

    assert (second.said("getMe"), second.said("sendMessage")) == (1, 1)
    assert taken(logs) == ["way 2"]


async def test_an_earlier_way_is_gone_back_to_when_it_has_rested_and_not_before(logs: Logs) -> None:
    clock = Clock()
    async with apis(2) as [first, second], a_line(clock, first, second) as line:
        await say(line, "sendMessage")
        await first.stop()
        await say(line, "sendMessage")
        await first.start()
        asked = first.said("getMe")

        clock.now += FIRST_REST - 1
        await say(line, "sendMessage")
        await settled(line)
        assert (taken(logs), first.said("getMe")) == (["way 1", "way 2"], asked)

        clock.now += TRIED_AGAIN_EVERY
        await say(line, "sendMessage")  # nobody waits for the look
        await settled(line)
        await say(line, "sendMessage")

    assert taken(logs) == ["way 1", "way 2", "way 1"]
    assert (first.said("sendMessage"), second.said("sendMessage")) == (2, 3)


async def test_an_earlier_way_that_is_still_dead_is_asked_once_a_minute(logs: Logs) -> None:
    clock = Clock()
    async with apis(2) as [first, second], a_line(clock, first, second) as line:
        first.mood = "page"
        await say(line, "sendMessage")
        for _ in range(10):
            clock.now += TRIED_AGAIN_EVERY / 2
            await say(line, "sendMessage")
            await settled(line)

    assert first.said("getMe") == 1 + 5
    assert (first.said("sendMessage"), second.said("sendMessage")) == (0, 11)
    assert taken(logs) == ["way 2"]


async def test_a_failure_while_an_earlier_way_is_asked_counts_as_any_other() -> None:
    clock = Clock()
    async with apis(3) as [first, second, third], a_line(clock, first, second, third) as line:
        first.mood = "page"
        await say(line, "sendMessage")
        first.mood = "hang"
        clock.now += TRIED_AGAIN_EVERY
        await say(line, "sendMessage")
        await second.stop()

        await say(line, "sendMessage")

    assert third.said("sendMessage") == 1


async def test_a_long_poll_under_way_ends_with_its_way_and_the_next_takes_the_other() -> None:
    async with apis(2) as [first, second], a_bot(routes_over(first, second)) as bot:
        await bot.get_me()
        first.mood, first.sulks_at = "hang", {"getUpdates"}
        poll = asyncio.create_task(bot.get_updates(timeout=25, request_timeout=40))
        await heard(first, "getUpdates")

        await first.stop()

        with pytest.raises(asyncio_helper.RequestTimeout):
            await poll
        assert await bot.get_updates(timeout=0) == []
    assert second.said("getUpdates") == 1


async def test_a_long_poll_goes_on_where_it_is_while_others_change_over() -> None:
    clock = Clock()
    async with apis(2) as [first, second], a_line(clock, first, second) as line:
        await say(line, "getMe")
        second.mood, second.sulks_at = "hang", {"getUpdates"}
        first.mood = "page"
        await say(line, "sendMessage")  # answered by somebody else
        await say(line, "sendMessage")
        poll = asyncio.create_task(say(line, "getUpdates", seconds=60))
        await heard(second, "getUpdates")
        first.mood = "well"
        clock.now += TRIED_AGAIN_EVERY
        await say(line, "sendMessage")
        await settled(line)
        await say(line, "sendMessage")

        assert not poll.done(), "the way back does not cut what goes well"
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
    assert first.said("sendMessage") == 2


async def test_whoever_gives_up_takes_the_choice_from_nobody() -> None:
    async with apis(2) as [first, second], a_bot(routes_over(first, second)) as bot:
        first.mood = "hang"
        impatient = asyncio.create_task(bot.send_message(CUSTOMER, "Hello"))
        patient = asyncio.create_task(bot.send_message(CUSTOMER, "Hello"))
        await heard(first, "getMe")
        impatient.cancel()
        await first.stop()

        await patient
        assert impatient.cancelled()
    assert second.said("sendMessage") == 1


async def test_a_line_that_is_closed_while_it_looks_leaves_nothing_behind() -> None:
    async with apis(2) as [first, second]:
        first.mood = second.mood = "hang"
        bot = open_bot(TOKEN, routes_over(first, second))
        sending = asyncio.create_task(bot.send_message(CUSTOMER, "Hello"))
        await heard(second, "getMe")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert looking()
        await close_bot(bot)
        assert not looking()


async def test_after_it_the_library_has_its_own_session_again() -> None:
    own = asyncio_helper.session_manager
    await close_bot(open_bot(TOKEN, [Route("direct", "https://api.telegram.org")]))
    assert asyncio_helper.session_manager is own


async def test_no_line_in_the_log_holds_the_token_or_a_password(logs: Logs) -> None:
    async with apis(2) as [first, second], a_proxy(socks5) as proxy:
        routes = [
            *routes_over(first),
            Route("socks5://127.0.0.1", second.url, proxy=f"socks5://user:not%2Ca%40password@127.0.0.1:{proxy.port}"),
        ]
        async with a_messenger(routes) as messenger:
            await messenger.send(CUSTOMER, HELLO)
            await first.stop()
            await messenger.send(CUSTOMER, HELLO)
            await second.stop()
            with pytest.raises(MessengerUnavailable) as caught:
                await messenger.send(CUSTOMER, HELLO)

    assert taken(logs) == ["way 1", "socks5://127.0.0.1"]
    for word in (TOKEN, "password", "not-a-real"):
        assert word not in str(logs)
        assert word not in repr(caught.value)


async def test_a_document_is_the_same_over_every_way() -> None:
    content = bytes(range(256)) * 4_000
    async with apis(2) as [first, second], a_bot(routes_over(first, second)) as bot:
        await bot.get_me()
        await first.stop()
        await bot.send_document(CUSTOMER, types.InputFile(BytesIO(content), file_name="a.bin"))

    assert content in second.received[second.calls.index("sendDocument")]


# ── a line by itself, with time in the test's hands ──


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def a_line(clock: Clock, *sides: Api) -> AsyncIterator[Line]:
    authorities = asyncio_helper.SessionManager().ssl_context
    line = Line([OpenRoute(route, authorities) for route in routes_over(*sides)], TOKEN, clock)
    try:
        yield line
    finally:
        await line.close()


async def say(line: Line, method: str, seconds: float = 10) -> None:
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with line.request(method="post", url=f"/bot{TOKEN}/{method}", data=None, timeout=timeout, proxy=None):
        pass


async def settled(line: Line) -> None:
    """Until it looks for nothing any more."""
    await until_in_thread(lambda: line._trying_again is None and line._choosing is None)


def looking() -> list[str]:
    """Our own tasks that are under way."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith("Line.") or name == "look_at"]


async def heard(side: Api, method: str) -> None:
    await until_in_thread(lambda: side.said(method) > 0)
