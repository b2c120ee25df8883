"""The client: pyTelegramBotAPI without its surprises."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from telebot import types

from node_a.adapters.telegram import Route, close_bot, open_bot
from tests.node_a.adapters.telegram.conftest import address_of
from tests.sandbox.telegram.conftest import TOKEN, USER


async def test_a_bot_that_never_spoke_is_closed_without_complaint() -> None:
    bot = open_bot(TOKEN, [Route("direct", "https://api.telegram.org")])
    await close_bot(bot)
    await close_bot(bot)


async def test_calls_go_through_the_proxy_where_one_is_set() -> None:
    asked_for: list[str] = []

    @web.middleware
    async def proxy(request: web.Request, handler: Any) -> web.StreamResponse:
        asked_for.append(str(request.url))  # a proxy is asked for the whole address
        return web.json_response({"ok": True, "result": {"id": 1, "is_bot": True, "first_name": "Bot"}})

    async with TestServer(web.Application(middlewares=[proxy])) as server:
        bot = open_bot(TOKEN, [Route("proxy", "http://telegram.invalid", proxy=address_of(server))])
        assert (await bot.get_me()).first_name == "Bot"
        await close_bot(bot)

    assert asked_for == [f"http://telegram.invalid/bot{TOKEN}/getMe"]


async def test_an_unreadable_update_does_not_hold_up_those_behind_it() -> None:
    user = {"id": USER, "is_bot": False, "first_name": "Anna"}
    message = {"message_id": 1, "date": 1, "chat": {"id": USER, "type": "private"}, "from": user, "text": "/my"}
    batches = [
        [{"update_id": 5, "message": {"no": "chat"}}],
        [{"update_id": 6, "message": {"no": "chat"}}, {"update_id": 7, "message": message}],
    ]

    async def updates(request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "result": batches.pop(0)})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", updates)
    async with TestServer(app) as server:
        bot = open_bot(TOKEN, [Route("direct", address_of(server))])
        assert await bot.get_updates() == []
        assert bot.offset == 6
        [update] = await bot.get_updates()
        assert update.update_id == 7
        await close_bot(bot)


async def test_the_end_of_polling_does_not_cut_off_an_answer_on_its_way() -> None:
    user = {"id": USER, "is_bot": True, "first_name": "Bot"}
    message = {"message_id": 1, "date": 1, "chat": {"id": USER, "type": "private"}, "from": user, "text": "Hello"}
    polled, sending, may_answer = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        method = request.path.rpartition("/")[2]
        if method == "getUpdates":
            polled.set()
            await asyncio.Event().wait()
        if method == "sendMessage":
            sending.set()
            await may_answer.wait()
        return web.json_response({"ok": True, "result": user if method == "getMe" else message})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        bot = open_bot(TOKEN, [Route("direct", address_of(server))])
        polling = asyncio.create_task(bot.polling(non_stop=False))
        await asyncio.wait_for(polled.wait(), 10)
        sent = asyncio.create_task(bot.send_message(USER, "Hello"))
        await asyncio.wait_for(sending.wait(), 10)

        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        may_answer.set()

        assert (await sent).text == "Hello"
        await close_bot(bot)


async def test_a_handler_learns_which_update_brought_its_message_or_press() -> None:
    bot = open_bot(TOKEN, [Route("direct", "https://api.telegram.org")])
    user = {"id": USER, "is_bot": False, "first_name": "Anna"}
    message = {"message_id": 1, "date": 1, "chat": {"id": USER, "type": "private"}, "from": user, "text": "/my"}
    press = {"id": "5", "from": user, "message": message, "chat_instance": "1", "data": "retry"}
    seen: list[int] = []

    async def note(carried: Any) -> None:
        seen.append(carried.update_id)

    bot.register_message_handler(note)
    bot.register_callback_query_handler(note, func=lambda _: True)
    updates = [{"update_id": 71, "message": message}, {"update_id": 72, "callback_query": press}]
    await bot.process_new_updates([types.Update.de_json(update) for update in updates])  # type: ignore[no-untyped-call]

    assert sorted(seen) == [71, 72]
    await close_bot(bot)
