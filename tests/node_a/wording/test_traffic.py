"""What is said about traffic, and about the end: true, and before anybody pays for what they do not get."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from node_a.application.limits import TrafficRunsLow, TrafficUsedUp
from node_a.application.lookup import CustomerFile
from node_a.application.notices import Ended
from node_a.application.overview import SubscriptionView, TrafficView
from node_a.application.ports import AppButton, Letter
from node_a.domain.customer import Language
from node_a.domain.grant import GrantId
from node_a.domain.money import Money
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription, SubscriptionId, SubscriptionState
from node_a.wording.wording import Wording
from tests.builders import ANNA, DAY, NOW, YEAR
from tests.node_a.wording.reading import assert_telegram_takes, text
from tests.node_a.wording.views import a_view

RU, EN = Language.RUSSIAN, Language.ENGLISH
WORDING = Wording("QentVPN", "@qent_support")
LIMIT = 100 * 10**9
SOON = NOW + 4 * DAY
USED_UP = a_view(state=SubscriptionState.SUSPENDED, keys=[], traffic=TrafficView(LIMIT, LIMIT, SOON))
IN_GRACE = a_view(
    state=SubscriptionState.GRACE,
    ends_at=NOW - DAY,
    keys_until=NOW + DAY,
    days_left=0,
    traffic=TrafficView(5, 10**9, NOW + DAY),
)


def answer(view: SubscriptionView, language: Language = RU) -> Letter:
    [letter] = WORDING.subscription(view, language)
    return letter


LETTERS = {
    "used up": WORDING.compose(TrafficUsedUp(SOON, NOW + 30 * DAY), RU),
    "used up, to whoever asks": answer(USED_UP),
    "used up until the end": WORDING.compose(TrafficUsedUp(SOON, SOON), RU),
    "runs low": WORDING.compose(TrafficRunsLow(83_400_000_000, LIMIT, SOON), RU),
    "ended with grace": WORDING.compose(Ended(NOW, SOON), RU),
    "in grace, to whoever asks": answer(IN_GRACE),
}


@pytest.mark.parametrize("name", LETTERS)
def test_telegram_takes_the_letter(name: str) -> None:
    assert_telegram_takes(LETTERS[name])


@pytest.mark.parametrize("name", ["used up", "used up, to whoever asks"])
def test_used_up_says_until_when_and_that_a_renewal_helps_at_once(name: str) -> None:
    letter = text(LETTERS[name])

    assert "Трафик за этот период закончился" in letter
    assert "Ключи приостановлены до 26 ноября 2026, 15:00 МСК, потом они снова заработают сами." in letter
    assert "новый трафик появится сразу" in letter
    assert LETTERS[name].buttons == (AppButton("Продлить"),)


def test_used_up_with_no_period_to_come_promises_none() -> None:
    letter = text(LETTERS["used up until the end"])

    assert "Подписка заканчивается 26 ноября 2026, 15:00 МСК." in letter
    assert "сами" not in letter


def test_whoever_has_little_left_is_not_sold_what_would_not_help() -> None:
    letter = LETTERS["runs low"]

    assert "Израсходовано 83,4 ГБ из 100 ГБ." in text(letter).replace("\u00a0", " ")
    assert "если раньше, добавятся только дни" in text(letter)
    assert letter.buttons == (AppButton("Моя подписка"),)


@pytest.mark.parametrize("name", ["ended with grace", "in grace, to whoever asks"])
def test_the_end_with_grace_says_how_long_the_keys_work(name: str) -> None:
    assert "Ключи ещё работают до" in text(LETTERS[name])
    assert "снова заработают" not in text(LETTERS[name])
    assert LETTERS[name].buttons == (AppButton("Продлить"),)


def test_the_end_without_grace_promises_no_working_keys() -> None:
    letter = text(WORDING.compose(Ended(NOW), RU))

    assert "ещё работают" not in letter
    assert "После продления снова заработают те же ключи" in letter


@pytest.mark.parametrize(
    ("traffic", "line"),
    [
        (TrafficView(1_500_000_000, None, NOW + 30 * DAY), "Трафик: 1,5 ГБ, без ограничений."),
        (TrafficView(0, LIMIT, NOW + 30 * DAY), "Трафик: 0 МБ из 100 ГБ."),
        (TrafficView(LIMIT // 2, LIMIT, SOON), "Трафик: 50 ГБ из 100 ГБ, новый отсчёт — 26 ноября 2026, 15:00 МСК."),
    ],
)
def test_my_shows_the_traffic_of_the_period(traffic: TrafficView, line: str) -> None:
    assert line in text(answer(a_view(traffic=traffic))).replace("\u00a0", " ")


def test_in_english_nothing_is_russian() -> None:
    letters = [answer(view, EN) for view in (USED_UP, replace(IN_GRACE, keys=[]))]
    letters += [WORDING.compose(TrafficRunsLow(1, LIMIT, SOON), EN), WORDING.compose(TrafficUsedUp(SOON, SOON), EN)]
    everything = "".join(text(letter) + "".join(button.label for button in letter.buttons) for letter in letters)
    assert not any("а" <= letter <= "я" for letter in everything.lower())


# ── what an operator reads ──


GRACE = Plan("grace", 2, Money(0), 10**9)
SUBSCRIPTION = (
    Subscription(SubscriptionId(UUID(int=5)), ANNA.id, 1)
    .granted(GrantId(UUID(int=5)), "payment:1", YEAR, NOW)
    .with_grace(GrantId(UUID(int=6)), GRACE)
)


def operator_reads(subscription: Subscription, days: int, traffic: TrafficView | None = None) -> str:
    file = CustomerFile(ANNA, subscription, None, [], [], NOW + timedelta(days=days), traffic)
    return text(WORDING.customer_file(file, RU)).replace("\u00a0", " ")


def test_an_operator_sees_that_the_traffic_is_used_up() -> None:
    read = operator_reads(SUBSCRIPTION.suspended_now(), 5, TrafficView(10**12, 10**12, SOON))

    assert "Действует до" in read
    assert "Приостановлена: трафик за этот период закончился" in read
    assert "Трафик: 1 ТБ из 1 ТБ, новый отсчёт — 26 ноября 2026, 15:00 МСК." in read


def test_an_operator_sees_that_only_the_keys_live_on() -> None:
    read = operator_reads(SUBSCRIPTION, 361)

    assert "Она действовала до 17 ноября 2027, 15:00 МСК." in read
    assert "Ключи ещё работают до 19 ноября 2027, 15:00 МСК." in read
    assert "• 17 ноября 2027 – 19 ноября 2027, время на продление" in read


def test_an_operator_sees_nothing_of_grace_that_was_switched_off() -> None:
    read = operator_reads(SUBSCRIPTION.with_grace(GrantId(UUID(int=6)), None), 361)

    assert "Ключи ещё работают" not in read
    assert "время на продление" not in read
