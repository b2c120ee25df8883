"""Amounts, dates, sizes and periods as people write them."""

from datetime import UTC, datetime

import pytest

from node_a.domain.customer import Language
from node_a.domain.money import Money
from node_a.domain.plan import Plan
from node_a.wording import formats

RU, EN = Language.RUSSIAN, Language.ENGLISH


def spaced(text: str) -> str:
    """With ordinary spaces, so that a test can be read."""
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("minor_units", "russian", "english"),
    [
        (19_900, "199 ₽", "199 ₽"),
        (19_950, "199,50 ₽", "199.50 ₽"),
        (169_000, "1 690 ₽", "1,690 ₽"),
        (5, "0,05 ₽", "0.05 ₽"),
    ],
)
def test_money_shows_kopecks_only_where_there_are_some(minor_units: int, russian: str, english: str) -> None:
    assert spaced(formats.money(Money(minor_units), RU)) == russian
    assert spaced(formats.money(Money(minor_units), EN)) == english


def test_an_amount_is_never_torn_from_its_currency_at_the_end_of_a_line() -> None:
    assert " " not in formats.money(Money(169_000), RU)


def test_a_date_is_the_day_in_moscow() -> None:
    late_evening = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
    assert formats.date(late_evening, RU) == "23 ноября 2026"
    assert formats.date(late_evening, EN) == "23 November 2026"


def test_an_hour_says_whose_hour_it_is() -> None:
    moment = datetime(2026, 11, 22, 15, 42, tzinfo=UTC)
    assert formats.date_and_time(moment, RU) == "22 ноября 2026, 18:42 МСК"
    assert formats.date_and_time(moment, EN) == "22 November 2026, 18:42 Moscow time"


@pytest.mark.parametrize(
    ("amount", "russian", "english"),
    [
        (0, "0 МБ", "0 MB"),
        (350_400_000, "350 МБ", "350 MB"),
        (12_300_000_000, "12,3 ГБ", "12.3 GB"),
        (100 * 10**9, "100 ГБ", "100 GB"),
        (1_500 * 10**9, "1,5 ТБ", "1.5 TB"),
    ],
)
def test_sizes_are_decimal_as_phones_count_traffic(amount: int, russian: str, english: str) -> None:
    assert spaced(formats.size(amount, RU)) == russian
    assert spaced(formats.size(amount, EN)) == english


@pytest.mark.parametrize(
    ("days", "russian", "english"),
    [
        (1, "остался 1 день", "1 day left"),
        (2, "осталось 2 дня", "2 days left"),
        (5, "осталось 5 дней", "5 days left"),
        (11, "осталось 11 дней", "11 days left"),
        (21, "остался 21 день", "21 days left"),
        (112, "осталось 112 дней", "112 days left"),
    ],
)
def test_days_left_agree_with_their_number(days: int, russian: str, english: str) -> None:
    assert formats.days_left(days, RU) == russian
    assert formats.days_left(days, EN) == english


@pytest.mark.parametrize(
    ("days", "russian", "english"),
    [
        (1, "1 день", "1 day"),
        (10, "10 дней", "10 days"),
        (30, "1 месяц", "1 month"),
        (90, "3 месяца", "3 months"),
        (180, "6 месяцев", "6 months"),
        (360, "12 месяцев", "12 months"),
        (365, "1 год", "1 year"),
        (730, "2 года", "2 years"),
        (366, "366 дней", "366 days"),
    ],
)
def test_a_plan_is_called_by_its_period(days: int, russian: str, english: str) -> None:
    plan = Plan("any", days, Money(100))
    assert formats.plan_title(plan, RU) == russian
    assert formats.plan_title(plan, EN) == english


def test_a_traffic_limit_is_named_and_its_absence_too() -> None:
    limited, unlimited = Plan("any", 30, Money(100), 100 * 10**9), Plan("any", 30, Money(100))
    assert spaced(formats.traffic(limited, RU)) == "100 ГБ в месяц"
    assert formats.traffic(unlimited, RU) == "без ограничений"
    assert spaced(formats.traffic(limited, EN)) == "100 GB a month"
    assert formats.traffic(unlimited, EN) == "unlimited traffic"


@pytest.mark.parametrize(("days", "said"), [(3, "10 ГБ"), (29, "10 ГБ"), (30, "10 ГБ в месяц"), (360, "10 ГБ в месяц")])
def test_only_what_lasts_a_month_has_its_traffic_a_month(days: int, said: str) -> None:
    plan = Plan("any", days, Money(0), 10**10)
    assert spaced(formats.traffic(plan, RU)) == said
    assert spaced(formats.plan(plan, RU)).endswith(f", {said}")


def test_a_percentage_is_a_whole_number() -> None:
    assert spaced(formats.percent(12.6, RU)) == "13 %"
