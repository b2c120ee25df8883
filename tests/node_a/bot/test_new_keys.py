"""New keys, and "it does not work?", in the chat."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from telebot import types

from node_a.domain.customer import CustomerId, Standing
from tests.builders import ANNA, MONTH
from tests.fakes.shop import ShopUnderTest
from tests.node_a.bot.conftest import OPERATOR, WORDING, Chat, a_shop_bot, listening
from tests.sandbox.telegram.conftest import Telegram

BORIS = CustomerId(7_000_000_002)


def buttons(message: dict[str, Any]) -> dict[str, Any]:
    """By what is written on them."""
    rows = message.get("reply_markup", {"inline_keyboard": []})["inline_keyboard"]
    return {button["text"]: button for row in rows for button in row}


def link(chat: Chat) -> str:
    view = chat.shop.show_subscription(ANNA.id, ANNA.language)
    assert view is not None
    return view.link


async def buys(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.buys_and_gets)


async def asks(chat: Chat) -> dict[str, Any]:
    """The question, which came from the button under /my."""
    await chat.says("/my")
    _picture, my = await chat.answers(2)
    await chat.presses(buttons(my)["Новые ключи"]["callback_data"], message=my["message_id"])
    return (await chat.answers(3))[-1]


async def delivers_again(chat: Chat, question: dict[str, Any], action: str, date: int | None = None) -> None:
    """The same press once more, as Telegram does it; `date`: of the letter with the button."""
    user = {"id": ANNA.id, "is_bot": False, "first_name": "Anna", "language_code": "ru"}
    shown = {**question, "date": date or question["date"]}
    query = {"id": "5", "from": user, "message": shown, "chat_instance": "1", "data": action}
    update = types.Update.de_json({"update_id": 1, "callback_query": query})  # type: ignore[no-untyped-call]
    await chat.bot.bot.process_new_updates([update])


async def test_new_keys_are_asked_about_and_the_new_link_is_the_answer(chat: Chat) -> None:
    await buys(chat)
    old = link(chat)
    question = await asks(chat)
    assert question["text"].startswith("Выпустить новые ключи?")
    assert list(buttons(question)) == ["Да, новые ключи", "Нет, оставить прежние"]
    assert chat.shop.subscription().rotation == 0

    await chat.presses("rotate:yes:0")

    answer = (await chat.answers(3))[-1]
    assert answer["message_id"] == question["message_id"], "it takes the question's place"
    assert link(chat) in answer["text"]
    assert old not in answer["text"]
    assert buttons(answer)["Скопировать ссылку"]["copy_text"]["text"] == link(chat)
    assert chat.shop.subscription().rotation == 1
    await asyncio.to_thread(chat.shop.works)
    assert chat.shop.letters() == ["KeysReady", "NewKeys"]


async def test_no_keeps_the_keys(chat: Chat) -> None:
    await buys(chat)
    await asks(chat)
    await chat.presses("rotate:no")
    kept = (await chat.answers(3))[-1]
    assert kept["text"].startswith("Ключи остаются прежними")
    assert buttons(kept) == {}
    assert chat.shop.subscription().rotation == 0


async def test_a_press_that_comes_twice_rotates_once_and_shows_the_same_link(chat: Chat) -> None:
    await buys(chat)
    question = await asks(chat)
    await asyncio.gather(chat.presses("rotate:yes:0"), chat.presses("rotate:yes:0"))
    await delivers_again(chat, question, "rotate:yes:0")
    await chat.until_called("answerCallbackQuery", 4)
    assert chat.shop.subscription().rotation == 1
    assert link(chat) in (await chat.newest())["text"]


async def test_an_old_question_rotates_nothing(chat: Chat) -> None:
    await buys(chat)
    question = await asks(chat)
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    await delivers_again(chat, question, "rotate:yes:0", int(two_hours_ago.timestamp()))
    await chat.until_called("answerCallbackQuery", 2)
    assert (await chat.newest())["text"].startswith("Этот вопрос слишком старый, ключи остаются прежними")
    assert chat.shop.subscription().rotation == 0


@pytest.mark.parametrize(
    "action", ["rotate:yes:", "rotate:yes:-1", "rotate:yes:0x0", "rotate:yes:" + "9" * 40, "rotate:"]
)
async def test_what_no_button_of_ours_says_is_answered_with_nothing(chat: Chat, action: str) -> None:
    await buys(chat)
    question = await asks(chat)
    await chat.presses(action)
    assert (await chat.newest()) == question
    assert chat.shop.subscription().rotation == 0


async def test_a_press_from_another_chat_or_by_another_customer_leaves_her_keys_alone(chat: Chat) -> None:
    await buys(chat)
    question = await asks(chat)
    elsewhere = {**question, "chat": {"id": OPERATOR, "type": "private"}}
    await delivers_again(chat, elsewhere, "rotate:yes:0")
    await chat.until_called("answerCallbackQuery", 2)

    await chat.says("/help", user=BORIS)
    await chat.answers(1, user=BORIS)
    await chat.presses("rotate:yes:0", user=BORIS)

    assert (await chat.newest(BORIS))["text"].startswith("Новые ключи можно получить только при действующей подписке")
    assert chat.shop.subscription().rotation == 0


async def test_too_many_are_refused_before_the_question_and_after_it(chat: Chat) -> None:
    await buys(chat)
    question = await asks(chat)
    for number in range(3):
        await asyncio.to_thread(chat.shop.rotate_keys, ANNA.id, number)
    await chat.presses("rotate:yes:3")
    assert "так часто, как это возможно за 24 часа" in (await chat.newest())["text"]
    await chat.presses("rotate:ask", message=question["message_id"])
    assert "так часто, как это возможно за 24 часа" in (await chat.answers(4))[-1]["text"]
    assert chat.shop.subscription().rotation == 3


async def test_a_shop_that_gives_none_has_no_button_for_them(shop: ShopUnderTest, telegram: Telegram) -> None:
    none_a_day = replace(shop.offer_rotation, per_day=0)
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, offer_rotation=none_a_day))
    async with listening(chat):
        await buys(chat)
        await chat.says("/my")
        _, my = await chat.answers(2)
        assert "Новые ключи" not in buttons(my)


# ── it does not work ──


async def looks(chat: Chat) -> dict[str, Any]:
    """What was found, from the button under /help."""
    await chat.says("/help")
    help = (await chat.answers(1))[-1]
    await chat.presses(buttons(help)["Не работает?"]["callback_data"])
    return (await chat.answers(2))[-1]


async def test_help_leads_to_what_was_found_with_a_button_for_it(chat: Chat) -> None:
    await buys(chat)
    found = await looks(chat)
    assert "Ключами ещё не пользовались" in found["text"]
    assert "часы телефона" in found["text"]
    assert buttons(found)["Открыть инструкцию"]["url"] == link(chat)
    assert buttons(found)["Проверить ещё раз"]["callback_data"] == "trouble:look"


async def test_somebody_without_a_subscription_is_led_to_the_plans(chat: Chat) -> None:
    found = await looks(chat)
    assert "Подписки пока нет" in found["text"]
    assert "web_app" in buttons(found)["Выбрать тариф"]


async def test_a_repair_is_told_in_place_and_sends_the_keys_once(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.buys)
    await asyncio.to_thread(chat.shop.settles)
    found = await looks(chat)
    assert buttons(found)["Отправить ключи заново"]["callback_data"] == "trouble:repair"

    await chat.presses("trouble:repair")
    assert "Отправляем ваши ключи на все серверы заново" in (await chat.newest())["text"]
    await chat.presses("trouble:repair")

    newest = await chat.newest()
    assert newest["message_id"] == found["message_id"]
    assert "отправлены заново только что" in newest["text"]
    await asyncio.to_thread(chat.shop.works)
    assert len(chat.shop.node.holds) == 2


async def test_the_support_gets_the_facts_and_no_secret(chat: Chat) -> None:
    await buys(chat)
    found = await looks(chat)
    url = buttons(found)["Написать нам"]["url"]
    assert url.startswith("https://t.me/qent_support?text=")
    text = parse_qs(urlsplit(url).query)["text"][0]
    subscription = chat.shop.subscription()
    for fact in (f"customer {ANNA.id}", f"subscription {subscription.id}", "state active", "keys ready: de1/vless"):
        assert fact in text
    secrets = [link(chat).rpartition("/")[2], *(one.credential for one in chat.shop.node.holds.values())]
    assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize("contact", ["help@shop.example.org", "the room next door"])
async def test_a_contact_that_no_button_can_open_comes_with_facts_to_copy(
    shop: ShopUnderTest, telegram: Telegram, contact: str
) -> None:
    wording = replace(WORDING, support_contact=contact)
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, wording=wording))
    async with listening(chat):
        await buys(chat)
        found = await looks(chat)
        assert contact in found["text"]
        assert f"customer {ANNA.id}" in found["text"]
        assert "Написать нам" not in buttons(found)


async def test_the_banned_may_ask_what_is_wrong_and_are_told(chat: Chat) -> None:
    await buys(chat)
    await chat.bans(ANNA.id)
    found = await looks(chat)
    assert "Доступ закрыт" in found["text"]
    assert list(buttons(found)) == ["Написать нам"]
    with chat.shop.ledger() as ledger:
        assert ledger.customers.find(ANNA.id).standing is Standing.BANNED


async def test_the_ended_can_renew_from_there(chat: Chat) -> None:
    await buys(chat)
    chat.shop.passes(MONTH.period)
    found = await looks(chat)
    assert "Подписка закончилась" in found["text"]
    assert "web_app" in buttons(found)["Продлить"]
