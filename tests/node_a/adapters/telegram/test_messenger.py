"""The messenger against the stand-in: every call is held against the Bot API's specification."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from node_a.adapters.telegram import Route, TelegramMessenger, close_bot, open_bot
from node_a.application.ports import ActionButton, AppButton, CopyButton, Letter, LinkButton, Messenger
from node_a.domain.customer import CustomerId
from node_a.domain.errors import MessageRefused, MessengerUnavailable, Unreachable
from node_a.wording.qr import qr_picture
from tests.node_a.adapters.telegram.conftest import APP_URL, address_of
from tests.sandbox.telegram.conftest import TOKEN, USER, Telegram

CUSTOMER = CustomerId(USER)


async def test_a_letter_arrives_with_its_marks_and_buttons(telegram: Telegram, messenger: TelegramMessenger) -> None:
    port: Messenger = messenger
    await telegram.write()
    buttons = (
        AppButton("Shop"),
        LinkButton("Site", "https://example.org/"),
        CopyButton("Copy", "https://example.org/s"),
    )

    await port.send(CUSTOMER, Letter("<b>Keys</b> &lt;3 <code>vless://key</code>", buttons))

    message = (await telegram.messages())[-1]
    assert message["text"] == "Keys <3 vless://key"
    assert [entity["type"] for entity in message["entities"]] == ["bold", "code"]
    assert message["link_preview_options"] == {"is_disabled": True}
    assert message["reply_markup"]["inline_keyboard"] == [
        [{"text": "Shop", "web_app": {"url": APP_URL}}],
        [{"text": "Site", "url": "https://example.org/"}],
        [{"text": "Copy", "copy_text": {"text": "https://example.org/s"}}],
    ]


async def test_a_picture_arrives_above_its_caption(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()

    await messenger.send(CUSTOMER, Letter("<b>Scan me</b>", (AppButton("Shop"),), qr_picture("https://example.org/s")))

    message = (await telegram.messages())[-1]
    assert message["caption"] == "Scan me"
    assert message["photo"]
    assert message["reply_markup"]["inline_keyboard"][0][0]["text"] == "Shop"


async def test_a_customer_who_blocked_the_bot_is_unreachable(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()
    await telegram.post(f"chats/{USER}/block", blocked=True)

    with pytest.raises(Unreachable):
        await messenger.send(CUSTOMER, Letter("Hello"))


async def test_a_stranger_is_unreachable(messenger: TelegramMessenger) -> None:
    with pytest.raises(Unreachable):
        await messenger.send(CustomerId(987), Letter("Hello"))


async def test_a_letter_that_telegram_cannot_read_is_refused(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()
    with pytest.raises(MessageRefused, match="Unsupported start tag"):
        await messenger.send(CUSTOMER, Letter("<h1>Hello</h1>"))


async def test_telegram_down_is_unavailable(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()
    telegram.troubles.telegram_down = True

    with pytest.raises(MessengerUnavailable):
        await messenger.send(CUSTOMER, Letter("Hello"))

    telegram.troubles.telegram_down = False
    await messenger.send(CUSTOMER, Letter("Hello again"))


async def test_a_wrong_token_loses_nothing(telegram: Telegram) -> None:
    bot = open_bot("4242:another-token", [Route("direct", telegram.url)])
    with pytest.raises(MessengerUnavailable, match="check the token"):
        await TelegramMessenger(bot, APP_URL).send(CUSTOMER, Letter("Hello"))
    await close_bot(bot)


async def test_a_telegram_that_nobody_listens_for_is_unavailable(unused_tcp_port_factory: Callable[[], int]) -> None:
    bot = open_bot(TOKEN, [Route("direct", f"http://127.0.0.1:{unused_tcp_port_factory()}")])
    with pytest.raises(MessengerUnavailable) as caught:
        await TelegramMessenger(bot, APP_URL).send(CUSTOMER, Letter("Hello"))
    assert TOKEN not in str(caught.value)
    await close_bot(bot)


ANSWERS: list[tuple[int, Any, type[Exception]]] = [
    (429, {"description": "Too Many Requests: retry after 7", "parameters": {"retry_after": 7}}, MessengerUnavailable),
    (500, {"description": "Internal Server Error"}, MessengerUnavailable),
    (502, "<html>Bad Gateway</html>", MessengerUnavailable),
    (200, "<html>Log in to this Wi-Fi</html>", MessengerUnavailable),
    (403, {"description": "Forbidden: user is deactivated"}, Unreachable),
    (400, {"description": "Bad Request: chat not found"}, Unreachable),
    (400, {"description": "Bad Request: PEER_ID_INVALID"}, Unreachable),
    (400, {"description": "Bad Request: message text is empty"}, MessageRefused),
]


@pytest.mark.parametrize(("status", "answer", "error"), ANSWERS)
async def test_every_answer_of_telegram_becomes_one_of_ours(
    status: int, answer: Any, error: type[MessengerUnavailable | Unreachable | MessageRefused]
) -> None:
    async def no(request: web.Request) -> web.Response:
        if isinstance(answer, str):
            return web.Response(text=answer, status=status, content_type="text/html")
        return web.json_response({"ok": False, "error_code": status, **answer}, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", no)
    async with TestServer(app) as server:
        bot = open_bot(TOKEN, [Route("direct", address_of(server))])
        with pytest.raises(error) as caught:
            await TelegramMessenger(bot, APP_URL).send(CUSTOMER, Letter("Hello"))
        await close_bot(bot)
    expected = 7.0 if status == 429 else None
    assert getattr(caught.value, "retry_after", None) == expected


async def test_an_action_button_comes_back_as_a_press(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()
    await messenger.send(CUSTOMER, Letter("Sure?", (ActionButton("Yes", "delete:yes"),)))
    message = (await telegram.messages())[-1]
    assert message["reply_markup"]["inline_keyboard"] == [[{"text": "Yes", "callback_data": "delete:yes"}]]


async def test_an_action_that_telegram_would_cut_is_a_bug_at_once(messenger: TelegramMessenger) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        await messenger.send(CUSTOMER, Letter("Sure?", (ActionButton("Yes", "ж" * 33),)))


async def test_a_letter_takes_the_place_of_another(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()
    await messenger.send(CUSTOMER, Letter("Sure?", (ActionButton("Yes", "delete:yes"),)))
    sent = (await telegram.messages())[-1]

    for _ in range(2):  # the second changes nothing, and that is no error
        await messenger.edit(CUSTOMER, sent["message_id"], Letter("<b>Done</b> https://example.org/"))

    message = (await telegram.messages())[-1]
    assert message["message_id"] == sent["message_id"]
    assert message["text"] == "Done https://example.org/"
    assert message["link_preview_options"] == {"is_disabled": True}
    assert "reply_markup" not in message


async def test_a_letter_that_is_gone_cannot_be_replaced(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()
    with pytest.raises(MessageRefused, match="not found"):
        await messenger.edit(CUSTOMER, 999, Letter("Done"))


async def test_a_press_is_answered_with_or_without_words(telegram: Telegram, messenger: TelegramMessenger) -> None:
    await telegram.write()
    await messenger.send(CUSTOMER, Letter("Sure?", (ActionButton("Yes", "delete:yes"),)))
    sent = (await telegram.messages())[-1]
    for text in ("", "x" * 300):
        pressed = await telegram.post(f"chats/{USER}/callbacks", message_id=sent["message_id"], data="delete:yes")
        await messenger.answer_press(pressed["callback_query_id"], text)
        shown = await telegram.get(f"chats/{USER}/callbacks/{pressed['callback_query_id']}")
        assert (shown["answered"], shown["text"]) == (True, text[:200])


async def test_a_press_that_waited_too_long_is_refused(messenger: TelegramMessenger) -> None:
    with pytest.raises(MessageRefused, match="too old"):
        await messenger.answer_press("1", "")
