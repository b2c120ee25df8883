"""Node A's bot through a node's real proxy: what Telegram's stand-in sees is as if there were nothing between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from telebot.async_telebot import AsyncTeleBot

from node_a.adapters.pinning import pinned
from node_a.adapters.telegram import Route, TelegramMessenger, close_bot, look_at_routes, open_bot
from node_a.application.ports import AppButton, Letter
from node_a.domain.customer import CustomerId
from node_a.domain.errors import MessengerUnavailable
from node_a.wording.qr import qr_picture
from tests.node_b.proxy.certificates import Certificate, a_certificate
from tests.node_b.proxy.proxies import KINDS, Proxy, a_proxy
from tests.sandbox.telegram.conftest import TOKEN, USER, Telegram, telegram

__all__ = ["telegram"]

CUSTOMER = CustomerId(USER)


@pytest.fixture(params=KINDS)
async def proxy(
    request: pytest.FixtureRequest, tmp_path: Path, nodes_own: Certificate, telegram: Telegram
) -> AsyncIterator[Proxy]:
    with a_proxy(request.param, tmp_path, nodes_own, telegram=telegram.url) as running:
        yield running
    assert await telegram.problems() == []
    assert TOKEN not in running.log


def over(proxy: Proxy, certificate: Certificate | None = None) -> Route:
    return Route("node:de1", f"{proxy.url}/telegram", tls=pinned((certificate or proxy.certificate).pem))


@asynccontextmanager
async def a_bot(*routes: Route, token: str = TOKEN) -> AsyncIterator[AsyncTeleBot]:
    bot = open_bot(token, routes)
    try:
        yield bot
    finally:
        await close_bot(bot)


async def test_letters_and_pictures_arrive_as_they_are(telegram: Telegram, proxy: Proxy) -> None:
    await telegram.write()
    picture = Letter("<b>Scan me</b>", (AppButton("Shop"),), qr_picture("https://example.org/s"))
    async with a_bot(over(proxy)) as bot:
        messenger = TelegramMessenger(bot, "https://shop.test/app")
        await messenger.send(CUSTOMER, Letter("<b>Keys</b> &lt;3"))
        await messenger.send(CUSTOMER, picture)

    letter, photo = (await telegram.messages())[-2:]
    assert letter["text"] == "Keys <3"
    assert photo["caption"] == "Scan me"
    assert photo["photo"]


async def test_a_long_poll_waits_and_brings_what_comes(telegram: Telegram, proxy: Proxy) -> None:
    async with a_bot(over(proxy)) as bot:
        poll = asyncio.create_task(bot.get_updates(timeout=25, request_timeout=40))
        assert (await bot.get_me()).is_bot
        assert not poll.done()

        await telegram.write("/my")

        [update] = await poll
        assert update.message is not None
        assert update.message.text == "/my"


async def test_telegrams_own_refusals_come_through(telegram: Telegram, proxy: Proxy) -> None:
    async with a_bot(over(proxy), token="4242:another-token") as bot:
        with pytest.raises(MessengerUnavailable, match=r"Telegram does not know this bot \((401|404)\)"):
            await TelegramMessenger(bot, "https://shop.test/app").send(CUSTOMER, Letter("Hello"))


async def test_where_the_direct_way_is_dead_the_node_carries_it(
    telegram: Telegram, proxy: Proxy, tmp_path: Path, unused_tcp_port: int
) -> None:
    await telegram.write()
    twin = a_certificate(tmp_path / "twin", "node.test")
    direct = Route("direct", f"http://127.0.0.1:{unused_tcp_port}")
    wrong = Route("node:nl1", f"{proxy.url}/telegram", tls=pinned(twin.pem))
    with capture_logs() as logs:
        async with a_bot(direct, wrong, over(proxy)) as bot:
            await TelegramMessenger(bot, "https://shop.test/app").send(CUSTOMER, Letter("Hello"))

    assert (await telegram.messages())[-1]["text"] == "Hello"
    assert [(line["event"], line["route"]) for line in logs] == [("telegram is reached", "node:de1")]
    assert [sight.says for _, sight in await look_at_routes(TOKEN, [direct, wrong, over(proxy)])] == [
        "no answer (nothing listens there, or not for us)",
        "no answer (not the certificate that is expected there)",
        "works",
    ]


async def test_a_node_whose_own_way_is_dead_is_no_way(
    telegram: Telegram, tmp_path: Path, nodes_own: Certificate
) -> None:
    for kind in KINDS:
        with a_proxy(kind, tmp_path / kind, nodes_own) as stranded:
            [(_, sight)] = await look_at_routes(TOKEN, [over(stranded)])
        assert (sight.works, sight.says) == (False, "no answer of Telegram's (502 from somebody else)")
