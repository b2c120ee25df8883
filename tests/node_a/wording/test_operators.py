"""What operators read: short enough for a phone, and nothing to type that can be tapped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from node_a.application.acts import Answered, Result
from node_a.application.jobs import Job
from node_a.application.lookup import CustomerFile, PaymentFile
from node_a.application.notices import MoneyNeedsYou, SomethingStuck
from node_a.application.operations import gift
from node_a.application.ports import AccessProgress, ActionButton, Letter, OperatorAct
from node_a.application.stuck import StuckJob, StuckMessages, StuckNode, StuckPayment, StuckRefund, StuckThings
from node_a.domain.access import AccessId
from node_a.domain.customer import NOBODY, Customer, CustomerId, Language, Standing
from node_a.domain.grant import GrantId
from node_a.domain.message import MessageKind
from node_a.domain.money import Money
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.payment import Attention, Payment, PaymentId, PaymentState
from node_a.domain.plan import Plan
from node_a.domain.refund import RefundState
from node_a.domain.subscription import Subscription, SubscriptionId
from node_a.wording.markup import length
from node_a.wording.wording import Wording
from tests.builders import ANNA, DAY, MONTH, NOW, OLGA, a_payment
from tests.node_a.wording.reading import assert_telegram_takes, copied, text
from tests.node_a.wording.views import a_refund

RU, EN = Language.RUSSIAN, Language.ENGLISH
WORDING = Wording("QentVPN", "@qent_support")
ATTENTIONS = {
    "differs: amount, currency, shop, test": "сумма, валюта, магазин, тестовые или настоящие деньги. Пришло 1 ₽",
    "late: the customer is banned": "уже заблокирован или удалялся. Решать вам: /refund или /unban.",
    "refund failed: insufficient_funds": "Возврат не прошёл (insufficient_funds)",
    Attention.NOT_PAID_THERE: "не считает платёж оплаченным",
    Attention.NO_DAYS_GIVEN: "«Перепроверить» их начислит",
    Attention.PAID_TWICE: "Оплачено дважды",
    Attention.ANOTHER_SHOPS: "другого магазина ЮKassa",
    "of <next> year": "of <next> year",
}
DETAILS = {
    Result.GRANTED: NOW.isoformat(),
    Result.REFUND_OPENED: "50.50 RUB",
    Result.REFUND_REFUSED: "0.00 RUB",
    Result.UNBANNED: "2",
    Result.RETRIED: "1000",
}


def a_questioned(attention: str = "differs: amount", number: int = 77) -> Payment:
    id = PaymentId(UUID(int=number))
    return a_payment(id=id, state=PaymentState.DISPUTED, attention=attention, received=Money(100))


def many_things(each: int = 20) -> StuckThings:
    return StuckThings(
        money=[StuckPayment(a_questioned(number=n), None) for n in range(each)],
        payments=[StuckPayment(a_payment(), NOW)] * each,
        refunds=[StuckRefund(a_refund())] * each,
        nodes=[StuckNode(NodeCode(f"de{n}"), 1000, NOW) for n in range(each)],
        messages=[StuckMessages(kind, 12) for kind in list(MessageKind)[:each]],
        jobs=[StuckJob(job, NOW) for job in Job],
    )


def a_file(**changes: Any) -> CustomerFile:
    subscription = Subscription(SubscriptionId(UUID(int=5)), ANNA.id, 1)
    for n in range(9):
        plan, source = (gift(10), "admin") if n % 2 else (MONTH, "payment")
        subscription = subscription.granted(GrantId(UUID(int=n)), f"{source}:{n}", plan, NOW)
    keys = [AccessId(subscription.id, NodeCode("de1"), protocol) for protocol in Protocol]
    refunds = [a_refund(state=state, reason="<why>") for state in RefundState] * 3
    acts = [
        OperatorAct(n, OLGA, NOW, act, "", "<because> " * 50, str(Answered(Result.GRANTED, NOW.isoformat())))
        for n, act in enumerate(["grant", "refund", "ban", "unban", "retry", "handled"] * 3)
    ]
    states = [PaymentFile(a_questioned(number=n), refunds) for n in range(20)]
    progress = AccessProgress(frozenset(keys), frozenset(keys[:1]), frozenset(keys))
    return replace(CustomerFile(ANNA, subscription, progress, states, acts, NOW), **changes)


def widest_payment(number: int) -> PaymentFile:
    """Every column as full as it can be, of what grows longest in HTML."""
    payment = a_payment(
        id=PaymentId(UUID(int=number)),
        plan=Plan("any", 366, Money(999_999_999)),
        state=PaymentState.DECLINED,
        provider_id="<" * 64,
        reason="<" * 64,
        attention="refund failed: " + "<" * 113,
    )
    return PaymentFile(payment, [a_refund(state=RefundState.FAILED, reason="<" * 64)] * 3)


def widest_file() -> CustomerFile:
    file = a_file(customer=replace(ANNA, id=CustomerId(10**15), standing=Standing.BANNED, reachable=False))
    acts = [OperatorAct(n, CustomerId(10**15), NOW, "handled", "", "<" * 500, "handled") for n in range(20)]
    return replace(file, payments=[widest_payment(n) for n in range(20)], acts=acts)


def widest_money(attention: str) -> StuckThings:
    payments = [replace(widest_payment(n).payment, attention=attention) for n in range(20)]
    return StuckThings(money=[StuckPayment(payment, None) for payment in payments])


def empty_file(customer: Customer) -> CustomerFile:
    return CustomerFile(customer, None, None, [], [], NOW)


LETTERS: dict[str, Callable[[Language], Letter]] = {
    **{
        f"money: {said}": lambda language, said=said: WORDING.compose(MoneyNeedsYou(a_questioned(said)), language)  # type: ignore[misc]
        for said in ATTENTIONS
    },
    **{
        f"done: {result}": lambda language, result=result: WORDING.done(  # type: ignore[misc]
            Answered(result, DETAILS.get(result, "")), language
        )
        for result in Result
    },
    **{
        f"usage: {name}": lambda language, name=name: WORDING.usage(name, language)  # type: ignore[misc]
        for name in ("find", "grant", "refund", "ban", "unban")
    },
    "everything stuck": lambda language: WORDING.compose(SomethingStuck(many_things()), language),
    "nothing stuck": lambda language: WORDING.stuck(StuckThings(), language),
    "a file": lambda language: WORDING.customer_file(a_file(), language),
    "a file of a newcomer": lambda language: WORDING.customer_file(empty_file(ANNA), language),
    "no file": lambda language: WORDING.customer_file(None, language),
}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", LETTERS)
def test_telegram_takes_the_letter(name: str, language: Language) -> None:
    assert_telegram_takes(LETTERS[name](language))


@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_is_in_the_language_asked_for(name: str) -> None:
    letter = LETTERS[name](EN)
    english = text(letter) + "".join(button.label for button in letter.buttons)
    assert not any("а" <= character <= "я" for character in english.lower())
    assert name == "money: of <next> year" or any("а" <= one <= "я" for one in text(LETTERS[name](RU)).lower())


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_money_says_why_it_needs_a_person(attention: str) -> None:
    letter = WORDING.compose(MoneyNeedsYou(a_questioned(attention)), RU)
    assert ATTENTIONS[attention] in text(letter)
    assert copied(letter) == [str(a_questioned().id), str(ANNA.id)]
    assert [button.action for button in letter.buttons if isinstance(button, ActionButton)] == [
        f"retry:payment:{a_questioned().id}",
        f"handled:{a_questioned().id}",
    ]


@pytest.mark.parametrize("attention", ["differs: amount", "late: the customer is erased"])
def test_money_of_somebody_erased_names_nobody_and_can_only_go_back(attention: str) -> None:
    letter = WORDING.compose(MoneyNeedsYou(replace(a_questioned(attention), customer_id=NOBODY)), RU)
    assert "Удалённый клиент" in text(letter)
    assert copied(letter) == [str(a_questioned().id)]
    assert "Решать вам: /refund." in text(letter)
    assert not any(command in text(letter) for command in ("/grant", "/unban"))


def test_a_dead_node_with_a_thousand_customers_is_one_line_and_one_button() -> None:
    letter = WORDING.stuck(StuckThings(nodes=[StuckNode(NodeCode("de1"), 1000, NOW - DAY)]), RU)
    assert "1. Сервер de1: ждёт 1000 ключей, с 21 ноября 2026, 15:00 МСК" in text(letter)
    assert letter.buttons == (ActionButton("1. Попробовать сейчас", "retry:node:de1"),)


def test_of_very_many_things_some_are_shown_money_first_and_the_others_counted() -> None:
    things = many_things()
    kinds = (things.money, things.payments, things.refunds, things.nodes, things.messages, things.jobs)
    letter = WORDING.stuck(things, RU)
    assert "8. Платёж" in text(letter)
    assert f"И ещё {sum(map(len, kinds)) - 8}." in text(letter)
    assert len(letter.buttons) == 16


def test_a_file_shows_the_newest_and_counts_the_rest() -> None:
    shown = text(WORDING.customer_file(a_file(), RU))
    assert "всё в порядке" in shown
    assert "Ключей на месте: 1 из 2." in shown
    assert shown.count("• 199 ₽") == 5
    for hidden in ("И ещё 4.", "И ещё 15.", "И ещё 13."):  # grants, payments, acts
        assert hidden in shown
    assert "возврат 50,50 ₽, не прошёл (<why>)" in shown


@pytest.mark.parametrize("language", Language)
def test_of_the_longest_file_as_much_is_shown_as_a_letter_takes_and_the_rest_is_counted(language: Language) -> None:
    letter = WORDING.customer_file(widest_file(), language)
    assert length(letter.html) <= 4000
    shown = text(letter).count("9 999 999,99 ₽" if language is RU else "9,999,999.99 ₽")
    assert 1 <= shown < 5
    assert (f"И ещё {20 - shown}." if language is RU else f"And {20 - shown} more.") in text(letter)


def test_a_file_with_reasons_of_a_machine_still_shows_five_payments() -> None:
    refunds = [a_refund(state=RefundState.FAILED, reason="r" * 64)] * 3
    failed = [PaymentFile(a_questioned("refund failed: " + "r" * 64, number), refunds) for number in range(5)]
    letter = WORDING.customer_file(a_file(payments=failed, acts=[]), RU)
    assert length(letter.html) <= 4000
    assert text(letter).count("• 199 ₽") == 5
    assert text(letter).count("r" * 29 + "…)") == 20  # each payment's own, and its three refunds'
    assert "r" * 30 not in text(letter)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("attention", ["<" * 128, "differs: amount, shop, test", "refund failed: " + "<" * 113])
def test_of_the_longest_list_as_much_is_shown_as_a_letter_takes(attention: str, language: Language) -> None:
    letter = WORDING.stuck(widest_money(attention), language)
    assert length(letter.html) <= 4000
    shown = len(letter.buttons) // 2
    assert 1 <= shown <= 8
    assert (f"И ещё {20 - shown}." if language is RU else f"And {20 - shown} more.") in text(letter)


def test_an_act_of_a_later_release_is_shown_as_it_was_recorded() -> None:
    act = OperatorAct(1, OLGA, NOW, "teleport", str(ANNA.id), "why not", "teleported: to the moon")
    assert "✗ teleport · " in text(WORDING.customer_file(a_file(acts=[act]), RU))


@pytest.mark.parametrize(
    ("customer", "sentence"),
    [
        (replace(ANNA, standing=Standing.BANNED, reachable=False), "заблокирован, бот отключён клиентом"),
        (replace(ANNA, standing=Standing.DELETED), "удаляется"),
        (ANNA, "Подписки нет."),
        (replace(ANNA, id=NOBODY), "Удалённый клиент"),
    ],
)
def test_a_file_says_how_the_customer_stands(customer: Customer, sentence: str) -> None:
    assert sentence in text(WORDING.customer_file(empty_file(customer), RU))


def test_what_needs_an_operator_is_said_as_what_it_is() -> None:
    assert dict(WORDING.operators_commands(RU))["stuck"] == "Что требует внимания"
    assert text(WORDING.stuck(many_things(), RU)).startswith("Что требует внимания\n")
    assert text(WORDING.customer_file(None, RU)).startswith("Никого не нашлось.")


def test_a_lifted_ban_gives_back_what_is_left_and_no_more() -> None:
    assert WORDING.done_in_a_line(Answered(Result.UNBANNED, "0"), RU) == (
        "Блокировка снята. Прежние ключи заработают на оставшиеся дни."
    )


@pytest.mark.parametrize("result", Result)
def test_every_result_has_its_words_and_none_is_said_twice(result: Result) -> None:
    said = {other: WORDING.done_in_a_line(Answered(other, DETAILS.get(other, "")), RU) for other in Result}
    assert list(said.values()).count(said[result]) == 1
    assert len(said[result]) <= 200  # it may be shown over a pressed button


@pytest.mark.parametrize("language", Language)
def test_telegram_takes_the_operators_menu(language: Language) -> None:
    commands = WORDING.operators_commands(language)
    assert [name for name, _ in commands] == ["stuck", "find", "grant", "refund", "ban", "unban"]
    assert all(1 <= len(what) <= 256 for _, what in commands)
