"""The whole bot against the stand-in of Telegram: every call of it is held against the specification."""

import asyncio
from typing import Any

from telebot import types

from node_a.adapters.telegram import close_bot
from node_a.application.statistics import ShowServers
from node_a.domain.customer import Language
from node_a.domain.node import NodeCode, NodeObservation, NodeState
from tests.builders import ANNA, NOW, a_node
from tests.fakes.shop import ShopUnderTest
from tests.node_a.bot.conftest import APP_URL, OPERATOR, PATIENCE, Chat, a_shop_bot, listening
from tests.sandbox.telegram.conftest import Telegram


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [button for row in message["reply_markup"]["inline_keyboard"] for button in row]


def an_update(chat: dict[str, Any], text: str = "/start", kind: str = "message") -> types.Update:
    user = {"id": ANNA.id, "is_bot": False, "first_name": "Anna", "language_code": "ru"}
    message = {"message_id": 1, "date": 1, "chat": chat, "from": user, "text": text}
    if text.startswith("/"):
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
    update: types.Update = types.Update.de_json({"update_id": 1, kind: message})  # type: ignore[no-untyped-call]
    return update


async def test_start_greets_and_opens_the_mini_app(chat: Chat) -> None:
    await chat.says("/start")

    [message] = await chat.answers(1)

    assert "Здравствуйте, это QentVPN" in message["text"]
    assert buttons(message) == [{"text": "Выбрать тариф", "web_app": {"url": APP_URL}}]


async def test_start_twice_or_with_a_gift_in_it_is_one_customer(chat: Chat) -> None:
    await chat.says("/start")
    await chat.says("/start gift")
    first, second = await chat.answers(2)
    assert first["text"] == second["text"]


async def test_the_language_of_the_app_is_the_language_of_the_answer(chat: Chat) -> None:
    await chat.says("/start", language="de")
    [message] = await chat.answers(1)
    assert "Hello, this is QentVPN" in message["text"]


async def test_my_without_a_subscription_leads_to_the_plans(chat: Chat) -> None:
    await chat.says("/my")
    [message] = await chat.answers(1)
    assert "У вас пока нет подписки" in message["text"]


async def test_my_shows_picture_keys_and_link(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.buys_and_gets)
    await chat.says("/my")

    picture, keys = await chat.answers(2)

    view = await asyncio.to_thread(chat.shop.show_subscription, ANNA.id, Language.RUSSIAN)
    assert view is not None
    assert picture["photo"]
    assert [button.get("copy_text") for button in buttons(keys)] == [{"text": view.link}, None, None]
    for labelled in view.keys:
        assert labelled.key.link in keys["text"]
    assert {entity["type"] for entity in keys["entities"]} <= {"bold", "code", "bot_command"}


async def test_servers_are_words_for_customers_and_figures_for_operators(chat: Chat) -> None:
    seen = NodeObservation(NOW, True, True, cpu_percent=12.0, users=134)
    with chat.shop.database.open_ledger() as ledger:
        ledger.nodes.observed({NodeCode("de1"): seen})

    await chat.says("/serverstats")
    await chat.says("/serverstats", user=OPERATOR)

    [for_customer], [for_operator] = await chat.answers(1), await chat.answers(1, OPERATOR)
    assert "работает, нагрузка небольшая" in for_customer["text"]
    assert "134" not in for_customer["text"]
    assert "пользователей: 134" in for_operator["text"]


async def test_only_operators_see_servers_that_are_out_of_use(shop: ShopUnderTest, telegram: Telegram) -> None:
    retired = ShowServers(
        read_ledger=shop.database.read_ledger,
        nodes=[a_node("de1"), a_node("old", state=NodeState.RETIRED)],
        clock=lambda: shop.now,
    )
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, show_servers=retired))
    async with listening(chat):
        await chat.says("/serverstats")
        await chat.says("/serverstats", user=OPERATOR)
        [for_customer], [for_operator] = await chat.answers(1), await chat.answers(1, OPERATOR)

    assert "old" not in for_customer["text"]
    assert "(old)" in for_operator["text"]


async def test_help_and_payment_support_name_a_person(chat: Chat) -> None:
    await chat.says("/help")
    await chat.says("/paysupport")
    for message in await chat.answers(2):
        assert "@qent_support" in message["text"]


async def test_anything_else_gets_a_kind_pointer(chat: Chat) -> None:
    await chat.says("где мои ключи??")
    await chat.says("/unknown")
    for message in await chat.answers(2):
        assert "/my" in message["text"]


async def test_a_banned_customer_is_told_so(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.registers)
    await chat.bans(ANNA.id)
    await chat.says("/my")
    [message] = await chat.answers(1)
    assert "Доступ к магазину для вас закрыт" in message["text"]


async def test_the_bot_introduces_itself_in_both_languages(chat: Chat, telegram: Telegram) -> None:
    await chat.until_called("setChatMenuButton")
    for language, help_text in (("ru", "Как подключиться"), ("en", "How to connect"), ("", "Как подключиться")):
        shown = await telegram.get(f"chats/{ANNA.id}/bot?language_code={language}")
        assert {"command": "help", "description": help_text} in shown["commands"]
        assert shown["menu_button"] == {"type": "web_app", "text": "QentVPN", "web_app": {"url": APP_URL}}
    assert await chat.until_called("deleteWebhook")


async def test_groups_edits_and_channels_are_ignored(chat: Chat) -> None:
    await chat.until_called("setChatMenuButton")
    private = {"id": ANNA.id, "type": "private", "first_name": "Anna"}
    group = {"id": -100, "type": "supergroup", "title": "Friends"}
    updates = [an_update(group), an_update(private, kind="edited_message"), an_update(group, kind="channel_post")]

    await chat.bot.bot.process_new_updates(updates)

    assert not [call for call in await chat.telegram.get("calls") if call["method"].startswith("send")]


async def test_many_customers_at_once_all_get_their_answer(chat: Chat) -> None:
    users = range(100, 120)
    await asyncio.gather(*(chat.says("/start", user=user) for user in users))
    for user in users:
        assert len(await chat.answers(1, user)) == 1


async def test_a_telegram_that_is_down_at_the_start_is_waited_for(
    shop: ShopUnderTest, telegram: Telegram, logs: list[Any]
) -> None:
    telegram.troubles.telegram_down = True
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram))
    async with listening(chat):
        await chat.until_called("getMe", times=20)
        telegram.troubles.telegram_down = False
        await chat.says("/start")
        await chat.answers(1)

    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["telegram does not answer"]


async def test_a_telegram_that_goes_away_and_comes_back_is_listened_to_again(chat: Chat, logs: list[Any]) -> None:
    await chat.says("/start")
    await chat.answers(1)
    calls = len(await chat.until_called("getMe"))

    chat.telegram.troubles.telegram_down = True
    await chat.until_called("getMe", times=calls + 20)
    chat.telegram.troubles.telegram_down = False
    await chat.says("/start")

    await chat.answers(2)
    assert len([line for line in logs if line["log_level"] == "warning"]) == 1


async def test_a_second_poller_is_named_in_the_log_and_outlived(chat: Chat, logs: list[Any]) -> None:
    conflict = "another process polls with this token: stop it"

    async def poll_with_our_token() -> None:
        while conflict not in [line["event"] for line in logs]:
            await chat.telegram.call("getUpdates")

    await asyncio.wait_for(poll_with_our_token(), PATIENCE)

    await chat.says("/start")
    await chat.answers(1)


async def test_a_wrong_token_is_named_and_does_not_end_the_process(
    shop: ShopUnderTest, telegram: Telegram, logs: list[Any]
) -> None:
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, token="4242:mistyped"))
    async with listening(chat):
        await chat.until_called("getMe", times=5)
    assert [line["event"] for line in logs] == ["telegram does not know this token: check it"]


async def test_a_menu_that_telegram_refuses_does_not_stop_the_bot(
    shop: ShopUnderTest, telegram: Telegram, logs: list[Any]
) -> None:
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, app_url="http://shop.example.org/app"))
    async with listening(chat):
        await chat.says("/help")
        await chat.answers(1)
    assert "telegram refused the bot's commands or menu" in [line["event"] for line in logs]


async def test_an_answer_in_the_making_goes_out_before_the_bot_ends(shop: ShopUnderTest, telegram: Telegram) -> None:
    asked, may_go_on = asyncio.Event(), asyncio.Event()

    async def slowly(work: Any) -> Any:
        asked.set()
        await may_go_on.wait()
        return await asyncio.to_thread(work)

    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, in_thread=slowly))
    async with listening(chat) as stopping:
        await chat.says("/start")
        await asyncio.wait_for(asked.wait(), PATIENCE)
        stopping.set()
        await asyncio.sleep(0)
        may_go_on.set()
    assert "Здравствуйте" in (await chat.answers(1))[0]["text"]


async def test_an_answer_that_takes_too_long_does_not_hold_up_the_end(
    shop: ShopUnderTest, telegram: Telegram, logs: list[Any]
) -> None:
    asked = asyncio.Event()

    async def never(work: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, in_thread=never, grace=0.05))
    async with listening(chat):
        await chat.says("/start")
        await asyncio.wait_for(asked.wait(), PATIENCE)
    assert logs[-1]["event"] == "bot has finished its answers"
    assert logs[-1]["given_up"] == 1


async def test_a_bot_that_is_cancelled_ends_too(shop: ShopUnderTest, telegram: Telegram) -> None:
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram))
    running = asyncio.create_task(chat.bot.run(asyncio.Event()))
    await chat.until_called("setChatMenuButton")

    running.cancel()
    await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), PATIENCE)

    assert running.cancelled()
    await close_bot(chat.bot.bot)


async def test_no_text_of_a_customer_is_ever_logged(chat: Chat, logs: list[Any]) -> None:
    await chat.says("мой секрет 12345")
    await chat.answers(1)
    assert "12345" not in str(logs)
