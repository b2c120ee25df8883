"""What operators read: short enough for a phone, and nothing to type that can be tapped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from node_a.application.acts import Answered, Result
from node_a.application.lookup import CustomerFile, PaymentFile
from node_a.application.notices import MoneyNeedsYou, SomethingStuck
from node_a.application.operations import gift
from node_a.application.ports import AccessProgress, ActionButton, Letter, OperatorAct
from node_a.application.reconciliation import NO_DAYS_GIVEN, NOT_PAID_THERE, PAID_TWICE
from node_a.application.stuck import StuckMessages, StuckNode, StuckPayment, StuckRefund, StuckThings
from node_a.domain.access import AccessId
from node_a.domain.customer import NOBODY, Customer, Language, Standing
from node_a.domain.grant import GrantId
from node_a.domain.message import MessageKind
from node_a.domain.money import Money
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.payment import Payment, PaymentId, PaymentState
from node_a.domain.refund import RefundState
from node_a.domain.subscription import Subscription, SubscriptionId
from node_a.wording.wording import Wording
from tests.builders import ANNA, DAY, MONTH, NOW, OLGA, a_payment
from tests.node_a.wording.reading import assert_telegram_takes, copied, text
from tests.node_a.wording.views import a_refund

RU, EN = Language.RUSSIAN, Language.ENGLISH
WORDING = Wording("QentVPN", "@qent_support")
ATTENTIONS = {
    "differs: amount, currency, shop, test": "сумма, валюта, магазин, тестовые или настоящие деньги. Пришло 1 ₽",
    "late: the customer is banned": "уже заблокирован или удалялся",
    "refund failed: insufficient_funds": "Возврат не прошёл (insufficient_funds)",
    NOT_PAID_THERE: "не считает платёж оплаченным",
    NO_DAYS_GIVEN: "«Перепроверить» их начислит",
    PAID_TWICE: "Оплачено дважды",
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


def test_money_of_somebody_erased_names_nobody() -> None:
    letter = WORDING.compose(MoneyNeedsYou(replace(a_questioned(), customer_id=NOBODY)), RU)
    assert "Удалённый клиент" in text(letter)
    assert copied(letter) == [str(a_questioned().id)]


def test_a_dead_node_with_a_thousand_customers_is_one_line_and_one_button() -> None:
    letter = WORDING.stuck(StuckThings(nodes=[StuckNode(NodeCode("de1"), 1000, NOW - DAY)]), RU)
    assert "1. Сервер de1: ждёт 1000 ключей, с 21 ноября 2026, 15:00 МСК" in text(letter)
    assert letter.buttons == (ActionButton("1. Попробовать сейчас", "retry:node:de1"),)


def test_of_very_many_things_some_are_shown_money_first_and_the_others_counted() -> None:
    letter = WORDING.stuck(many_things(), RU)
    assert "8. Платёж" in text(letter)
    assert "И ещё 80." in text(letter)  # of 88: there are only eight kinds of messages
    assert len(letter.buttons) == 16


def test_a_file_shows_the_newest_and_counts_the_rest() -> None:
    shown = text(WORDING.customer_file(a_file(), RU))
    assert "всё в порядке" in shown
    assert "Ключей на месте: 1 из 2." in shown
    assert shown.count("• 199 ₽") == 5
    for hidden in ("И ещё 4.", "И ещё 15.", "И ещё 13."):  # grants, payments, acts
        assert hidden in shown
    assert "возврат 50,50 ₽, не прошёл (<why>)" in shown


def test_an_act_of_a_later_release_is_shown_as_it_was_recorded() -> None:
    act = OperatorAct(1, OLGA, NOW, "teleport", str(ANNA.id), "why not", "teleported: to the moon")
    assert "✗ teleport · " in text(WORDING.customer_file(a_file(acts=[act]), RU))


@pytest.mark.parametrize(
    ("customer", "sentence"),
    [
        (replace(ANNA, standing=Standing.BANNED, reachable=False), "заблокирован, бот у него заблокирован"),
        (replace(ANNA, standing=Standing.DELETED), "удаляется"),
        (ANNA, "Подписки нет."),
        (replace(ANNA, id=NOBODY), "Удалённый клиент"),
    ],
)
def test_a_file_says_how_the_customer_stands(customer: Customer, sentence: str) -> None:
    assert sentence in text(WORDING.customer_file(empty_file(customer), RU))


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
