"""The real pyTelegramBotAPI against the stand-in, every call held against the specification."""

import asyncio
import io
import struct
import zlib
from typing import Any

import pytest
from telebot import types
from telebot.async_telebot import AsyncTeleBot
from telebot.asyncio_helper import ApiTelegramException

from tests.sandbox.telegram.conftest import TOKEN, USER, Telegram


def a_png(width: int = 40, height: int = 30) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def a_keyboard() -> types.InlineKeyboardMarkup:
    keyboard = types.InlineKeyboardMarkup()
    keyboard.add(types.InlineKeyboardButton("Shop", web_app=types.WebAppInfo("http://127.0.0.1:8080/app")))
    keyboard.add(types.InlineKeyboardButton("Keys", callback_data="keys"))
    keyboard.add(types.InlineKeyboardButton("Copy", copy_text=types.CopyTextButton("https://shop.example/s/1")))
    return keyboard


async def test_polling_receives_what_the_user_writes_and_presses(telegram: Telegram, bot: AsyncTeleBot) -> None:
    seen: asyncio.Queue[Any] = asyncio.Queue()

    async def on_start(message: types.Message) -> None:
        await bot.send_message(message.chat.id, "<b>Hello</b> 👋 /my", parse_mode="HTML", reply_markup=a_keyboard())
        await seen.put(message)

    async def on_press(query: types.CallbackQuery) -> None:
        await bot.answer_callback_query(query.id, "Here they are")
        await seen.put(query)

    bot.register_message_handler(on_start, commands=["start"])
    bot.register_callback_query_handler(on_press, func=lambda query: True)
    polling = asyncio.create_task(bot.polling(non_stop=True, timeout=10))
    await telegram.post(f"chats/{USER}/messages", text="/start gift", first_name="Olga", language_code="ru")

    message = await asyncio.wait_for(seen.get(), 3)
    assert (message.from_user.id, message.from_user.first_name, message.text) == (USER, "Olga", "/start gift")
    answer = (await telegram.messages())[-1]
    assert answer["text"] == "Hello 👋 /my"
    assert answer["entities"] == [
        {"type": "bold", "offset": 0, "length": 5},
        {"type": "bot_command", "offset": 9, "length": 3},
    ]
    assert answer["reply_markup"]["inline_keyboard"][0][0]["web_app"] == {"url": "http://127.0.0.1:8080/app"}

    pressed = await telegram.post(f"chats/{USER}/callbacks", message_id=answer["message_id"], data="keys")
    query = await asyncio.wait_for(seen.get(), 3)
    assert (query.data, query.message.message_id) == ("keys", answer["message_id"])
    shown = await telegram.get(f"chats/{USER}/callbacks/{pressed['callback_query_id']}?wait=3")
    assert (shown["answered"], shown["text"]) == (True, "Here they are")

    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    assert await telegram.problems() == []


async def test_a_photo_is_uploaded_sent_again_by_id_and_downloaded(telegram: Telegram, bot: AsyncTeleBot) -> None:
    await telegram.write()
    picture = a_png()

    sent = await bot.send_photo(USER, types.InputFile(io.BytesIO(picture)), caption="<i>QR</i>", parse_mode="HTML")
    assert sent.photo is not None
    assert (sent.photo[-1].width, sent.photo[-1].height, sent.caption) == (40, 30, "QR")
    again = await bot.send_photo(USER, sent.photo[-1].file_id)
    assert again.photo is not None
    file = await bot.get_file(again.photo[-1].file_id)
    assert file.file_path is not None
    assert await bot.download_file(file.file_path) == picture

    calls = await telegram.get("calls")
    assert calls[0]["params"]["photo"] == {"file": len(picture)}
    async with telegram.client.get(f"/sandbox/files/{file.file_id}") as response:
        assert (response.content_type, await response.read()) == ("image/png", picture)
    assert await telegram.problems() == []


async def test_a_message_is_edited_and_deleted(telegram: Telegram, bot: AsyncTeleBot) -> None:
    await telegram.write()
    sent = await bot.send_message(
        USER,
        "https://shop.example",
        link_preview_options=types.LinkPreviewOptions(is_disabled=True),
        reply_markup=a_keyboard(),
    )
    await bot.edit_message_text("Paid", USER, sent.message_id)
    edited = (await telegram.messages())[-1]
    assert (edited["text"], edited.get("reply_markup")) == ("Paid", None)
    with pytest.raises(ApiTelegramException, match="message is not modified"):
        await bot.edit_message_text("Paid", USER, sent.message_id)
    await bot.edit_message_reply_markup(USER, sent.message_id, reply_markup=a_keyboard())
    assert "reply_markup" in (await telegram.messages())[-1]
    await bot.delete_message(USER, sent.message_id)
    assert (await telegram.messages())[-1] == {"message_id": sent.message_id, "deleted": True}
    assert await telegram.problems() == []


async def test_the_profile_is_set_and_shown(telegram: Telegram, bot: AsyncTeleBot) -> None:
    await telegram.write()
    assert (await bot.get_me()).id == 4242
    assert await bot.delete_webhook()
    assert (await bot.get_webhook_info()).pending_update_count == 1
    await bot.set_my_commands([types.BotCommand("my", "My subscription")])
    await bot.set_my_commands([types.BotCommand("my", "Моя подписка")], language_code="ru")
    assert [c.description for c in await bot.get_my_commands(None, None)] == ["My subscription"]
    await bot.set_my_description("A shop")
    await bot.set_my_short_description("Shop")
    button = types.MenuButtonWebApp("Shop", types.WebAppInfo("http://localhost:8080/app"))
    await bot.set_chat_menu_button(menu_button=button)
    assert isinstance(await bot.get_chat_menu_button(), types.MenuButtonWebApp)
    assert isinstance(await bot.get_chat_menu_button(USER), types.MenuButtonDefault)
    await bot.send_chat_action(USER, "typing")

    shown = await telegram.get(f"chats/{USER}/bot?language_code=ru")
    assert shown["commands"] == [{"command": "my", "description": "Моя подписка"}]
    assert shown["menu_button"]["text"] == "Shop"
    assert shown["description"] == "A shop"
    await telegram.result("deleteMyCommands", language_code="ru")
    shown = await telegram.get(f"chats/{USER}/bot?language_code=ru")
    assert shown["commands"] == [{"command": "my", "description": "My subscription"}]
    assert await telegram.problems() == []


async def test_a_user_who_blocked_the_bot_is_403_until_they_write_again(telegram: Telegram, bot: AsyncTeleBot) -> None:
    await telegram.write()
    await telegram.post(f"chats/{USER}/block", blocked=True)
    with pytest.raises(ApiTelegramException, match="bot was blocked by the user") as refused:
        await bot.send_message(USER, "Hello")
    assert refused.value.error_code == 403

    await telegram.write()
    await bot.send_message(USER, "Hello again")
    statuses = [
        u.my_chat_member.new_chat_member.status for u in await bot.get_updates() if u.my_chat_member is not None
    ]
    assert statuses == ["kicked", "member"]
    assert await telegram.problems() == []


async def test_too_many_messages_to_one_chat_are_429_with_a_pause(telegram: Telegram, bot: AsyncTeleBot) -> None:
    await telegram.write()
    await telegram.write(user=USER + 1)
    for number in range(20):
        await bot.send_message(USER, str(number))
    with pytest.raises(ApiTelegramException) as refused:
        await bot.send_message(USER, "one too many")
    assert refused.value.error_code == 429
    assert refused.value.result_json["parameters"] == {"retry_after": 1}
    await bot.send_message(USER + 1, "another chat is not affected")
    assert await telegram.problems() == []


async def test_more_than_thirty_messages_a_second_in_all_are_429(telegram: Telegram, bot: AsyncTeleBot) -> None:
    users = [USER + number for number in range(40)]
    for user in users:
        await telegram.write(user=user)
    results = await asyncio.gather(*(bot.send_message(user, "news") for user in users), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ApiTelegramException)]
    assert {refusal.error_code for refusal in refused} == {429}
    assert 30 <= len(users) - len(refused) < 40
    assert await telegram.problems() == []


async def test_the_older_of_two_pollers_is_ended(telegram: Telegram, bot: AsyncTeleBot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=10))
    await asyncio.sleep(0.05)
    newer = asyncio.create_task(bot.get_updates(timeout=10))
    with pytest.raises(ApiTelegramException, match="terminated by other getUpdates request") as refused:
        await asyncio.wait_for(older, 2)
    assert refused.value.error_code == 409
    await telegram.write()
    assert [u.message.text for u in await newer if u.message] == ["/start"]
    assert await telegram.problems() == []


async def test_a_wrong_token_is_401(telegram: Telegram, bot: AsyncTeleBot) -> None:
    stranger = AsyncTeleBot(TOKEN + "x")
    with pytest.raises(ApiTelegramException, match="Unauthorized"):
        await stranger.get_me()
    assert (await telegram.get("calls"))[-1]["status"] == 401
