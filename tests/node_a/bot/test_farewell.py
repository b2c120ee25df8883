"""A customer leaves, by two deliberate taps; and days for nothing."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telebot import types

from node_a.domain.customer import Customer, Standing
from node_a.domain.errors import TrialRefused
from tests.builders import ANNA, DAY
from tests.node_a.bot.conftest import OPERATOR, Chat, a_shop_bot, listening
from tests.sandbox.telegram.conftest import Telegram


def anna(chat: Chat) -> Customer | None:
    with chat.shop.ledger() as ledger:
        found: Customer | None = ledger.customers.find(ANNA.id)
        return found


def labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]


async def test_leaving_says_what_goes_and_asks_first(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.buys_and_gets)
    await chat.says("/delete_me")
    [question] = await chat.answers(1)

    for word in ("подписка", "ключи", "почта в нашей базе", "требует закон", "чуть позже", "Вернуть удалённое нельзя"):
        assert word in question["text"]
    assert labels(question) == ["Да, удалить всё", "Нет, оставить всё"]
    assert anna(chat) == ANNA


async def test_yes_deletes_and_the_question_becomes_the_last_word(chat: Chat) -> None:
    chat.shop.now = datetime.now(UTC) - DAY
    await asyncio.to_thread(chat.shop.buys_and_gets)
    await chat.says("/delete_me")
    await chat.answers(1)

    await chat.presses("delete:yes")

    [last] = await chat.answers(1)
    assert last["text"].startswith("Ваши данные удаляются")
    assert "reply_markup" not in last
    assert anna(chat) == replace(ANNA, standing=Standing.DELETED)
    await asyncio.to_thread(chat.shop.works)
    await asyncio.to_thread(chat.shop.erases)
    assert anna(chat) is None


async def test_no_keeps_everything(chat: Chat) -> None:
    await chat.says("/delete_me")
    await chat.answers(1)
    await chat.presses("delete:no")
    [kept] = await chat.answers(1)
    assert kept["text"].startswith("Ничего не удалено")
    assert "reply_markup" not in kept
    assert anna(chat) == ANNA


async def test_whoever_writes_while_being_deleted_is_asked_for_some_minutes(chat: Chat) -> None:
    await chat.says("/delete_me")
    await chat.answers(1)
    await chat.presses("delete:yes")
    await chat.says("/start")
    assert (await chat.answers(2))[-1]["text"].startswith("Ваши данные удаляются. Если хотите начать заново")


async def test_a_second_yes_is_harmless(chat: Chat) -> None:
    await chat.says("/delete_me")
    [question] = await chat.answers(1)
    await chat.presses("delete:yes")
    await chat.presses("delete:yes", message=question["message_id"])
    assert anna(chat) == replace(ANNA, standing=Standing.DELETED)


async def test_an_old_question_deletes_nothing(chat: Chat) -> None:
    """Found again by a thumb that scrolls, weeks later."""
    await asyncio.to_thread(chat.shop.buys_and_gets)
    await chat.says("/delete_me")
    [question] = await chat.answers(1)
    await says_yes(chat, question, 1)
    await chat.until_called("answerCallbackQuery")

    assert (await chat.newest())["text"].startswith("Этот вопрос слишком старый, ничего не удалено")
    assert anna(chat) == ANNA


async def test_a_yes_that_telegram_delivers_again_deletes_no_later_purchase(chat: Chat) -> None:
    await chat.says("/delete_me")
    [question] = await chat.answers(1)
    asked_at = int((datetime.now(UTC) - timedelta(minutes=10)).timestamp())
    await says_yes(chat, question, asked_at)
    await chat.until_called("answerCallbackQuery")
    assert anna(chat) == replace(ANNA, standing=Standing.DELETED)
    await asyncio.to_thread(chat.shop.works)
    assert anna(chat) is None
    chat.shop.now = datetime.fromtimestamp(asked_at, UTC) + timedelta(minutes=1)
    await asyncio.to_thread(chat.shop.buys_and_gets)

    await says_yes(chat, question, asked_at)
    await chat.until_called("answerCallbackQuery", 2)

    assert (await chat.newest())["text"].startswith("Этот вопрос слишком старый, ничего не удалено")
    assert anna(chat) == ANNA
    assert len(chat.shop.node.holds) == 2


async def says_yes(chat: Chat, question: dict[str, Any], date: int) -> None:
    """The same update each time, as Telegram delivers it again."""
    user = {"id": ANNA.id, "is_bot": False, "first_name": "Anna", "language_code": "ru"}
    shown = {**question, "date": date}
    query = {"id": "5", "from": user, "message": shown, "chat_instance": "1", "data": "delete:yes"}
    update = types.Update.de_json({"update_id": 1, "callback_query": query})  # type: ignore[no-untyped-call]
    await chat.bot.bot.process_new_updates([update])


async def test_a_yes_from_somebody_elses_chat_is_nobodys(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.registers)
    await chat.until_called("setChatMenuButton")
    user = {"id": ANNA.id, "is_bot": False, "first_name": "Anna"}
    elsewhere = {"message_id": 1, "date": 2_000_000_000, "chat": {"id": OPERATOR, "type": "private"}}
    query = {"id": "5", "from": user, "message": elsewhere, "chat_instance": "1", "data": "delete:yes"}
    update = types.Update.de_json({"update_id": 1, "callback_query": query})  # type: ignore[no-untyped-call]
    await chat.bot.bot.process_new_updates([update])
    await chat.until_called("answerCallbackQuery")
    assert anna(chat) == ANNA


async def test_help_names_the_way_out(chat: Chat) -> None:
    await chat.says("/help")
    assert "/delete_me" in (await chat.answers(1))[0]["text"]


# ── a trial ──


async def test_a_trial_is_offered_at_the_start_and_taken_by_a_word(chat: Chat) -> None:
    await chat.says("/start")
    assert "Сначала можно попробовать бесплатно" in (await chat.answers(1))[0]["text"]

    await chat.says("/trial")

    assert "Пробный период начался" in (await chat.answers(2))[1]["text"]
    await asyncio.to_thread(chat.shop.works)
    assert chat.shop.letters() == ["KeysReady"]
    await chat.says("/start")
    assert "бесплатно" not in (await chat.answers(3))[2]["text"]


async def test_a_second_trial_is_kindly_refused(chat: Chat) -> None:
    await chat.says("/trial")
    await chat.answers(1)
    ends_at = chat.shop.subscription().ends_at
    await chat.says("/trial")
    assert "даётся один раз, до первой покупки" in (await chat.answers(2))[1]["text"]
    assert chat.shop.subscription().ends_at == ends_at


async def test_a_day_without_trials_left_is_told_kindly(shop: Any, telegram: Telegram) -> None:
    nothing_left = replace(shop.take_trial, offer=replace(shop.take_trial.offer, per_day=0))
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, take_trial=nothing_left))
    with pytest.raises(TrialRefused):
        await asyncio.to_thread(lambda: (shop.registers(), nothing_left(ANNA.id)))
    async with listening(chat):
        await chat.says("/trial")
        assert "Сегодня пробного периода для вас нет" in (await chat.answers(1))[0]["text"]


async def test_a_shop_without_trials_does_not_know_the_word(shop: Any, telegram: Telegram) -> None:
    no_trials = replace(shop.take_trial, offer=None)
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, take_trial=no_trials))
    async with listening(chat):
        await chat.says("/trial")
        await chat.says("/no_such_command")
        trial, unknown = await chat.answers(2)
        assert trial["text"] == unknown["text"]
