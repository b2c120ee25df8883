"""What the original refuses, the stand-in refuses too, in the same words."""

import json
from typing import Any

import aiohttp
import pytest

from tests.sandbox.telegram.conftest import TOKEN, USER, Telegram


def buttons(**button: Any) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "Press", **button}]]}


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"chat_id": ""}, "chat_id is empty"),
        ({"chat_id": 1}, "chat not found"),
        ({"chat_id": "@somebody"}, "chat not found"),
        ({"text": ""}, "message text is empty"),
        ({"text": " \n"}, "message text is empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"parse_mode": "Markup"}, "unsupported parse_mode"),
        ({"text": "<b>x", "parse_mode": "HTML"}, 'Can\'t find end tag corresponding to start tag "b"'),
        ({"text": "Я <h1>x</h1>", "parse_mode": "HTML"}, 'Unsupported start tag "h1" at byte offset 3'),
        ({"text": "1 < 2", "parse_mode": "HTML"}, 'can\'t parse entities: Unsupported start tag ""'),
        ({"text": "<b>x</i>", "parse_mode": "HTML"}, 'expected "</b>", found "</i>"'),
        ({"text": "x</b>", "parse_mode": "HTML"}, "Unexpected end tag at byte offset 1"),
        ({"text": "<a href='x", "parse_mode": "HTML"}, "Unclosed start tag"),
        ({"reply_markup": "{"}, "can't parse reply keyboard markup JSON object"),
        ({"reply_markup": "[]"}, "object expected as reply markup"),
        ({"reply_markup": {"inline_keyboard": [{"text": "x"}]}}, "must be an Array of Array"),
        ({"reply_markup": {"inline": []}}, "unknown kind"),
        ({"reply_markup": buttons()}, "text buttons are unallowed in the inline keyboard"),
        ({"reply_markup": buttons(callback_data="x" * 65)}, "BUTTON_DATA_INVALID"),
        ({"reply_markup": buttons(callback_data="я" * 33)}, "BUTTON_DATA_INVALID"),
        ({"reply_markup": buttons(callback_data=7)}, 'field "callback_data" has a wrong type'),
        ({"reply_markup": buttons(copy_text={"text": "x" * 257})}, "BUTTON_COPY_TEXT_INVALID"),
        ({"reply_markup": buttons(copy_text={"text": ""})}, "BUTTON_COPY_TEXT_INVALID"),
        ({"reply_markup": buttons(url="happ://add/x")}, "Unsupported URL protocol"),
        ({"reply_markup": buttons(url="https://shop")}, "Wrong HTTP URL"),
        ({"reply_markup": buttons(web_app={"url": "http://shop.example"})}, "Only HTTPS links are allowed"),
        ({"reply_markup": buttons(url="https://a.example", callback_data="x")}, "BUTTON_TYPE_INVALID"),
        ({"reply_markup": buttons(url="https://a.example", style="pink")}, "invalid button style"),
        ({"link_preview_options": {"disabled": True}}, "can't parse link preview options"),
        ({"reply_parameters": {"message_id": 99}}, "message to be replied not found"),
        ({"protect_content": "perhaps"}, 'invalid boolean value of parameter "protect_content"'),
    ],
)
async def test_a_message_the_original_would_not_send_is_400(
    telegram: Telegram, params: dict[str, Any], refusal: str
) -> None:
    await telegram.write()
    answer = await telegram.refusal("sendMessage", **{"chat_id": USER, "text": "Hello", **params})
    assert answer.startswith("400 Bad Request: ")
    assert refusal in answer
    assert len(await telegram.messages()) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"text": "x" * 4096},
        {"text": "<b>" + "x" * 4096 + "</b>", "parse_mode": "HTML"},
        {"reply_markup": buttons(callback_data="я" * 32)},
        {"reply_markup": buttons(copy_text={"text": "x" * 256})},
        {"reply_markup": buttons(web_app={"url": "https://shop.example/app"})},
        {"reply_markup": buttons(web_app={"url": "http://127.0.0.1:8080/app"})},
        {"reply_markup": buttons(url="tg://resolve?domain=x", style="danger")},
        {"reply_markup": {"keyboard": [[{"text": "Buy"}, {"text": "Help"}]]}},
        {"reply_markup": {"remove_keyboard": True}},
        {"reply_parameters": {"message_id": 1}},
    ],
)
async def test_a_message_at_the_limit_is_sent(telegram: Telegram, params: dict[str, Any]) -> None:
    await telegram.write()
    await telegram.result("sendMessage", **{"chat_id": USER, "text": "Hello", **params})
    assert await telegram.problems() == []


@pytest.mark.parametrize(
    ("method", "params", "refusal"),
    [
        ("sendStory", {}, "404 Not Found"),
        ("sendPhoto", {"photo": "AgAC"}, "400 Bad Request: wrong remote file identifier"),
        ("sendPhoto", {}, "400 Bad Request: there is no photo in the request"),
        ("sendPhoto", {"photo": "x", "caption": "x" * 1025}, "400 Bad Request: message caption is too long"),
        ("editMessageText", {"text": "x"}, "400 Bad Request: message identifier is not specified"),
        ("editMessageText", {"text": "x", "message_id": 9}, "400 Bad Request: message to edit not found"),
        ("editMessageText", {"text": "x", "message_id": 1}, "400 Bad Request: message can't be edited"),
        ("editMessageText", {"text": "x", "message_id": "x"}, "400 Bad Request: invalid integer value"),
        ("deleteMessage", {"message_id": 9}, "400 Bad Request: message to delete not found"),
        ("answerCallbackQuery", {"callback_query_id": "1"}, "400 Bad Request: query is too old"),
        ("sendChatAction", {"action": "dance"}, "400 Bad Request: wrong parameter action"),
        ("setMyCommands", {"commands": [{"command": "My!", "description": "x"}]}, "400 Bad Request: BOT_COMMAND_I"),
        ("setMyCommands", {"commands": [{"command": "my", "description": ""}]}, "400 Bad Request: BOT_COMMAND_D"),
        ("setMyCommands", {}, "400 Bad Request: can't parse commands"),
        ("setMyShortDescription", {"short_description": "x" * 121}, "400 Bad Request: short description is"),
        ("setChatMenuButton", {"menu_button": {"type": "app"}}, "400 Bad Request: can't parse menu button"),
        (
            "setChatMenuButton",
            {"menu_button": {"type": "web_app", "text": "Shop", "web_app": {"url": "http://shop.example"}}},
            "400 Bad Request: menu button Web App URL",
        ),
        ("getFile", {"file_id": "x"}, "400 Bad Request: invalid file_id"),
        ("getUpdates", {"allowed_updates": "message"}, "400 Bad Request: can't parse allowed updates"),
    ],
)
async def test_other_methods_refuse_in_the_words_of_the_original(
    telegram: Telegram, method: str, params: dict[str, Any], refusal: str
) -> None:
    await telegram.write()
    assert (await telegram.refusal(method, chat_id=USER, **params)).startswith(refusal)


async def test_a_file_that_is_no_picture_is_refused(telegram: Telegram) -> None:
    await telegram.write()
    form = aiohttp.FormData({"chat_id": str(USER)})
    form.add_field("photo", b"not a picture", filename="qr.png")
    async with telegram.client.post(f"/bot{TOKEN}/sendPhoto", data=form) as response:
        assert (await response.json())["description"] == "Bad Request: IMAGE_PROCESS_FAILED"


async def test_html_becomes_text_and_entities_in_code_units(telegram: Telegram) -> None:
    await telegram.write()
    source = (
        ' 😀 <b>bold <i>both</i></b> &lt;&amp;&nbsp; <a href="https://a.example/?x=1&amp;y=2">link</a>'
        ' <pre><code class="language-sh">ls /my</code></pre> https://b.example/x. '
    )
    message = await telegram.result("sendMessage", chat_id=USER, text=source, parse_mode="html")
    assert message["text"] == "😀 bold both <&&nbsp; link ls /my https://b.example/x."
    assert message["entities"] == [
        {"type": "bold", "offset": 3, "length": 9},
        {"type": "italic", "offset": 8, "length": 4},
        {"type": "text_link", "offset": 22, "length": 4, "url": "https://a.example/?x=1&y=2"},
        {"type": "pre", "offset": 27, "length": 6, "language": "sh"},
        {"type": "url", "offset": 34, "length": 19},
    ]


async def test_updates_are_confirmed_by_the_next_offset_only(telegram: Telegram) -> None:
    for text in ("/start", "one", "two"):
        await telegram.write(text)
    first = await telegram.result("getUpdates", limit=2)
    assert [update["message"]["text"] for update in first] == ["/start", "one"]
    assert await telegram.result("getUpdates", limit=2) == first
    rest = await telegram.result("getUpdates", offset=first[-1]["update_id"] + 1)
    assert [update["message"]["text"] for update in rest] == ["two"]
    assert rest[0]["update_id"] > first[-1]["update_id"]


async def test_updates_nobody_asked_for_are_not_queued(telegram: Telegram) -> None:
    await telegram.result("getUpdates", allowed_updates=json.dumps(["callback_query"]))
    await telegram.write()
    assert await telegram.result("getUpdates") == []
    await telegram.post(f"chats/{USER}/callbacks", message_id=1, data="x")
    assert ["callback_query" in update for update in await telegram.result("getUpdates")] == [True]


async def test_message_ids_count_in_each_chat(telegram: Telegram) -> None:
    await telegram.write()
    await telegram.write(user=USER + 1)
    await telegram.write("again")
    assert [message["message_id"] for message in await telegram.messages()] == [1, 2]
    assert [message["message_id"] for message in await telegram.messages(USER + 1)] == [1]


async def test_commands_for_one_chat_need_that_chat(telegram: Telegram) -> None:
    scope, commands = {"type": "chat", "chat_id": USER}, [{"command": "stuck", "description": "What needs you"}]
    refused = await telegram.refusal("setMyCommands", commands=commands, scope=scope)
    assert refused == "400 Bad Request: chat not found"

    await telegram.write()
    assert await telegram.result("setMyCommands", commands=commands, scope=scope)
    assert (await telegram.get(f"chats/{USER}/bot"))["commands"] == commands
    assert (await telegram.get(f"chats/{USER + 1}/bot"))["commands"] == []
