"""Operators at work in the chat, and strangers who must not even notice that there is anything."""

import asyncio
from typing import Any

import pytest
from telebot import types

from node_a.domain.customer import CustomerId, Language, Standing
from node_a.domain.money import Money
from node_a.domain.payment import Payment
from tests.builders import ANNA, DAY, NOW
from tests.node_a.bot.conftest import OPERATOR, WORDING, Chat, a_shop_bot, listening
from tests.sandbox.telegram.conftest import Telegram

COMMANDS = [name for name, _ in WORDING.operators_commands(Language.RUSSIAN)]


async def answer_to(chat: Chat, text: str, user: int = OPERATOR) -> dict[str, Any]:
    """The bot's answer to a command, the only one so far or the next."""
    before = [one for one in await chat.telegram.messages(user) if one["from"]["is_bot"]]
    await chat.says(text, user)
    return (await chat.answers(len(before) + 1, user))[-1]


def actions(message: dict[str, Any]) -> list[str]:
    keyboard = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["callback_data"] for row in keyboard for button in row if "callback_data" in button]


async def in_question(chat: Chat) -> Payment:
    """Money that a person must decide on."""

    def pay() -> Payment:
        payment = chat.shop.chooses()
        chat.shop.provider.pays(payment, amount=Money(100))
        chat.shop.nudge(payment.id, None)
        chat.shop.settles()
        return chat.shop.payment(payment)

    return await asyncio.to_thread(pay)


def standing_of(chat: Chat, id: CustomerId) -> Standing | None:
    with chat.shop.ledger() as ledger:
        customer = ledger.customers.find(id)
        return customer.standing if customer else None


def acts(chat: Chat) -> list[Any]:
    with chat.shop.ledger() as ledger:
        return list(ledger.operator_acts.about([str(ANNA.id)]))


# ── strangers ──


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_stranger_gets_what_every_unknown_command_gets(chat: Chat, logs: list[Any], command: str) -> None:
    await asyncio.to_thread(chat.shop.buys_and_gets)
    unknown = await answer_to(chat, "/no_such_command", ANNA.id)
    answer = await answer_to(chat, f"/{command} {ANNA.id} 30 please", ANNA.id)

    for one in (unknown, answer):
        del one["message_id"], one["date"]
    assert answer == unknown
    assert acts(chat) == []
    handled = [(line["kind"], line["outcome"]) for line in logs if line["event"] == "update handled"]
    assert handled == [("other", "answered")] * 2  # not even the log tells them apart
    menu = await chat.telegram.get(f"chats/{ANNA.id}/bot?language_code=ru")
    assert command not in [one["command"] for one in menu["commands"]]


async def test_a_strangers_forged_press_does_nothing_and_says_nothing(chat: Chat) -> None:
    payment = await in_question(chat)
    await answer_to(chat, "/start", ANNA.id)
    before = await chat.telegram.messages(ANNA.id)

    for action in (f"handled:{payment.id}", f"retry:payment:{payment.id}", "retry:node:de1", "no such thing"):
        assert await chat.presses(action, ANNA.id) == ""

    assert await chat.telegram.messages(ANNA.id) == before
    assert chat.shop.payment(payment).attention is not None


async def test_an_operators_press_of_what_was_never_a_button_does_nothing(chat: Chat) -> None:
    await answer_to(chat, "/stuck")
    before = await chat.telegram.messages(OPERATOR)
    for action in ("retry:", "retry:node:", "handled:", "handled:77", "handled:payment:77", "x", "delete:everything"):
        assert await chat.presses(action, OPERATOR) == ""
    assert await chat.telegram.messages(OPERATOR) == before


async def test_in_a_group_nobody_is_an_operator(chat: Chat) -> None:
    await chat.until_called("setChatMenuButton")
    user = {"id": OPERATOR, "is_bot": False, "first_name": "Olga"}
    group = {"id": -100, "type": "supergroup", "title": "Friends"}
    text = f"/ban {ANNA.id} reason"
    command = {"message_id": 1, "date": 1, "chat": group, "from": user, "text": text}
    command["entities"] = [{"type": "bot_command", "offset": 0, "length": 4}]
    press = {
        "id": "5",
        "from": user,
        "message": {**command, "text": "x"},
        "chat_instance": "1",
        "data": "retry:node:de1",
    }
    await asyncio.to_thread(chat.shop.registers)

    for update in ({"update_id": 1, "message": command}, {"update_id": 2, "callback_query": press}):
        await chat.bot.bot.process_new_updates([types.Update.de_json(update)])  # type: ignore[no-untyped-call]

    assert await chat.until_called("answerCallbackQuery")
    assert standing_of(chat, ANNA.id) is Standing.GOOD
    assert not [call for call in await chat.telegram.get("calls") if call["method"].startswith("send")]


# ── commands ──


async def test_operators_have_a_menu_of_their_own_once_they_have_started_the_bot(shop: Any, telegram: Telegram) -> None:
    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, operators=frozenset({OPERATOR, 12})))
    await chat.says("/help", OPERATOR)  # the other one never wrote: Telegram refuses their menu
    async with listening(chat):
        await chat.until_called("setMyCommands", times=7)
        await chat.answers(1, OPERATOR)
    for language in ("ru", "en", ""):
        menu = await telegram.get(f"chats/{OPERATOR}/bot?language_code={language}")
        assert [one["command"] for one in menu["commands"]][-6:] == COMMANDS


async def test_days_are_given_in_the_chat(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.registers)
    message = await answer_to(chat, f"/grant {ANNA.id} 10 извините за простой")
    assert "Начислено. Подписка действует до 2 декабря 2026, 15:00 МСК." in message["text"].replace("\u00a0", " ")
    [act] = acts(chat)
    assert (act.operator_id, act.reason) == (OPERATOR, "извините за простой")


async def test_a_command_that_telegram_delivers_again_is_done_once(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.registers)
    await chat.until_called("setChatMenuButton")
    user = {"id": OPERATOR, "is_bot": False, "first_name": "Olga", "language_code": "ru"}
    await chat.telegram.write("/help", OPERATOR)
    await chat.answers(1, OPERATOR)
    text = f"/grant {ANNA.id} 10 sorry"
    message = {"message_id": 9, "date": 1, "chat": {"id": OPERATOR, "type": "private"}, "from": user, "text": text}
    message["entities"] = [{"type": "bot_command", "offset": 0, "length": 6}]
    for _ in range(2):
        update = types.Update.de_json({"update_id": 4711, "message": message})  # type: ignore[no-untyped-call]
        await chat.bot.bot.process_new_updates([update])

    _, first, second = await chat.answers(3, OPERATOR)

    assert first["text"] == second["text"]
    assert (await asyncio.to_thread(chat.shop.subscription)).ends_at == NOW + 10 * DAY


async def test_money_is_paid_back_in_the_chat(chat: Chat) -> None:
    payment = await asyncio.to_thread(chat.shop.buys_and_gets)
    message = await answer_to(chat, f"/refund {payment.id} 50,50 не понравилось")
    assert "Возвращаем 50,50 ₽" in message["text"].replace("\u00a0", " ")
    message = await answer_to(chat, f"/refund {payment.id} всё ушёл")
    assert "Возвращаем 148,50 ₽" in message["text"].replace("\u00a0", " ")
    message = await answer_to(chat, f"/refund {payment.id} 1 ещё")
    assert "можно вернуть 0 ₽" in message["text"].replace("\u00a0", " ")


async def test_a_ban_and_its_end_in_the_chat(chat: Chat) -> None:
    await asyncio.to_thread(chat.shop.registers)
    await answer_to(chat, f"/ban {ANNA.id} спам")
    assert standing_of(chat, ANNA.id) is Standing.BANNED
    chat.shop.passes(DAY)
    await answer_to(chat, f"/unban {ANNA.id} ошибка")
    assert standing_of(chat, ANNA.id) is Standing.GOOD
    assert [act.reason for act in acts(chat)] == ["ошибка", "спам"]


@pytest.mark.parametrize(
    "text",
    [
        *("/grant", f"/grant {ANNA.id}", f"/grant {ANNA.id} 10", f"/grant {ANNA.id} 0 why", f"/grant {ANNA.id} -5 why"),
        *(f"/grant {ANNA.id} 3651 why", f"/grant {ANNA.id} 10days why", "/grant @anna 10 why", "/grant 10 why"),
        *(f"/grant {ANNA.id} ١٠ why", "/refund", "/refund PAYMENT", "/refund PAYMENT 50", "/refund PAYMENT all"),
        *("/refund PAYMENT 0 why", "/refund PAYMENT -5 why", "/refund PAYMENT 5.5 why", "/refund PAYMENT 1e3 why"),
        *("/refund PAYMENT everything why", "/ban", f"/ban {ANNA.id}", "/ban anna why", "/unban", f"/unban {ANNA.id}"),
        "/find",
    ],
)
async def test_a_command_without_its_reason_or_with_a_mistyped_figure_does_nothing(chat: Chat, text: str) -> None:
    payment = await asyncio.to_thread(chat.shop.buys_and_gets)
    ends_at = chat.shop.subscription().ends_at

    message = await answer_to(chat, text.replace("PAYMENT", str(payment.id)))

    assert message["text"].startswith("Ничего не сделано. Пишется так:")
    assert text.split(maxsplit=1)[0] in message["text"]
    assert chat.shop.subscription().ends_at == ends_at
    assert standing_of(chat, ANNA.id) is Standing.GOOD
    with chat.shop.ledger() as ledger:
        assert ledger.refunds.of_payment(payment.id) == []
    assert acts(chat) == []


async def test_a_customer_is_found_and_numbers_can_be_copied(chat: Chat) -> None:
    payment = await asyncio.to_thread(chat.shop.buys_and_gets)
    link = (await asyncio.to_thread(chat.shop.show_subscription, ANNA.id, Language.RUSSIAN)).link  # type: ignore[union-attr]
    for asked in (str(ANNA.id), str(payment.id), link):
        message = await answer_to(chat, f"/find {asked}")
        copied = [
            message["text"][one["offset"] : one["offset"] + one["length"]]
            for one in message["entities"]
            if one["type"] == "code"
        ]
        assert copied[:1] == [str(ANNA.id)]
        assert str(payment.id) in copied
        assert "Ключей на месте: 2 из 2" in message["text"]
        assert "vless" not in message["text"]
        assert link not in message["text"]
    assert "Никого не нашлось" in (await answer_to(chat, "/find nobody"))["text"]


# ── what is stuck ──


async def test_a_healthy_shop_has_nothing_for_operators(chat: Chat) -> None:
    assert (await answer_to(chat, "/stuck"))["text"] == "Ничего не застряло: всё идёт само."


async def test_money_is_dealt_with_by_a_button_and_leaves_the_list(chat: Chat) -> None:
    payment = await in_question(chat)
    message = await answer_to(chat, "/stuck")
    said = message["text"].replace("\u00a0", " ")
    assert "Не сходится: сумма. Пришло 1 ₽, дни не начислены. Решать вам: /refund или /grant." in said
    assert actions(message) == [f"retry:payment:{payment.id}", f"handled:{payment.id}"]

    assert await chat.presses(f"handled:{payment.id}", OPERATOR) == "Записано: улажено."

    shown = await chat.newest(OPERATOR)
    assert shown["message_id"] == message["message_id"]
    assert shown["text"] == "Ничего не застряло: всё идёт само."
    assert chat.shop.payment(payment).attention is None


async def test_a_retry_leaves_the_list_as_it_is_until_it_helps(chat: Chat) -> None:
    payment = await in_question(chat)
    message = await answer_to(chat, "/stuck")
    assert await chat.presses(f"retry:payment:{payment.id}", OPERATOR) == "Пробуем ещё раз прямо сейчас."
    assert (await chat.newest(OPERATOR))["text"] == message["text"]


async def test_a_list_that_cannot_be_changed_any_more_is_sent_anew(chat: Chat) -> None:
    payment = await in_question(chat)
    message = await answer_to(chat, "/stuck")
    query = {
        "id": "5",
        "from": {"id": OPERATOR, "is_bot": False, "first_name": "Olga", "language_code": "ru"},
        "message": {"message_id": 999, "date": 0, "chat": {"id": OPERATOR, "type": "private"}},
        "chat_instance": "1",
        "data": f"handled:{payment.id}",
    }
    update = types.Update.de_json({"update_id": 4712, "callback_query": query})  # type: ignore[no-untyped-call]
    await chat.bot.bot.process_new_updates([update])

    _, anew = await chat.answers(2, OPERATOR)
    assert anew["message_id"] != message["message_id"]
    assert anew["text"] == "Ничего не застряло: всё идёт само."


async def test_a_press_is_answered_even_when_everything_behind_it_fails(
    shop: Any, telegram: Telegram, logs: list[Any]
) -> None:
    async def broken(work: Any) -> Any:
        raise RuntimeError("a bug of ours")

    chat = Chat(telegram, shop, a_shop_bot(shop, telegram, in_thread=broken))
    async with listening(chat):
        await answer_to(chat, "/stuck")
        assert await chat.presses("retry:node:de1", OPERATOR) == ""
    assert "update failed" in [line["event"] for line in logs]


async def test_presses_too_many_are_let_go_without_being_done(chat: Chat) -> None:
    payment = await in_question(chat)
    message = await answer_to(chat, "/stuck")
    for _ in range(29):
        await chat.presses("retry:node:de1", OPERATOR, message["message_id"])
    assert await chat.presses(f"handled:{payment.id}", OPERATOR, message["message_id"]) == ""
    assert chat.shop.payment(payment).attention is not None
