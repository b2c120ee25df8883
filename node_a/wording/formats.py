"""How amounts, dates, sizes and periods are written for customers."""

import datetime as calendar
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from babel.dates import format_date
from babel.numbers import format_decimal, get_currency_symbol

from node_a.domain.customer import Language
from node_a.domain.money import Money
from node_a.domain.plan import Plan
from node_a.wording.words import Words

# Customers are in Russia; the zone is named wherever an hour is shown. A fixed offset: Moscow has had no daylight
# saving time since 2014, and slim images have no time zone data.
MOSCOW: Final = timezone(timedelta(hours=3), "MSK")

_NO_BREAK: Final = "\u00a0"
_MONTH: Final = 30  # days: the period that limits are for
_MEGABYTE: Final = 10**6
_GIGABYTE: Final = 10**9
_TERABYTE: Final = 10**12


def money(amount: Money, language: Language) -> str:
    """ "199 ₽"; kopecks only where there are some."""
    pattern = "#,##0.00" if amount.minor_units % 100 else "#,##0"
    number = format_decimal(Decimal(amount.minor_units) / 100, pattern, locale=language.value)
    # In English, too: "RUB" is what banks write, "₽" is what people in Russia see on every price.
    return f"{number}{_NO_BREAK}{get_currency_symbol(amount.currency, Language.RUSSIAN.value)}"


def date(moment: datetime, language: Language) -> str:
    """ "22 ноября 2026": the day in Moscow."""
    return format_date(moment.astimezone(MOSCOW).date(), "d MMMM y", locale=language.value)


def day(of: calendar.date, language: Language) -> str:
    """ "22 ноября": for what lies in these weeks."""
    return format_date(of, "d MMMM", locale=language.value)


def date_and_time(moment: datetime, language: Language) -> str:
    """ "22 ноября 2026, 18:42 МСК": in Moscow's time, and saying so."""
    time = f"{moment.astimezone(MOSCOW):%H:%M}"
    return Words(language).gettext("%(date)s, %(time)s Moscow time", date=date(moment, language), time=time)


def size(amount: int, language: Language) -> str:
    """ "12,3 ГБ" for an amount of bytes. Decimal units, as phones count traffic: a gigabyte is 10⁹ bytes."""
    words = Words(language)
    if amount < _GIGABYTE:
        text = words.gettext("%(amount)s MB", amount=_decimal(amount, _MEGABYTE, "#,##0", language))
    elif amount < _TERABYTE:
        text = words.gettext("%(amount)s GB", amount=_decimal(amount, _GIGABYTE, "#,##0.#", language))
    else:
        text = words.gettext("%(amount)s TB", amount=_decimal(amount, _TERABYTE, "#,##0.#", language))
    return text.replace(" ", _NO_BREAK)


def percent(value: float, language: Language) -> str:
    """ "12 %" of a value from 0 to 100."""
    return f"{format_decimal(Decimal(value), '#,##0', locale=language.value)}{_NO_BREAK}%"


def signed(value: float, language: Language) -> str:
    """ "+0,4" and "-25,0": how far something is off."""
    return format_decimal(Decimal(str(round(value, 1))), "+#,##0.0;-#,##0.0", locale=language.value)


def days_left(days: int, language: Language) -> str:
    """ "осталось 2 дня"."""
    return Words(language).ngettext("%(number)s day left", "%(number)s days left", days)


def plan_title(plan: Plan, language: Language) -> str:
    """ "1 месяц" for 30 days, "1 год" for 365, "10 дней" for what is neither months nor years."""
    words, days = Words(language), plan.days
    if days % 365 == 0:
        return words.ngettext("%(number)s year", "%(number)s years", days // 365)
    if days % 30 == 0:
        return words.ngettext("%(number)s month", "%(number)s months", days // 30)
    return words.ngettext("%(number)s day", "%(number)s days", days)


def traffic(sold: Plan, language: Language) -> str:
    """ "100 ГБ в месяц", "10 ГБ" for a plan that ends before a month does, "без ограничений"."""
    words = Words(language)
    if sold.traffic_limit is None:
        return words.gettext("unlimited traffic")
    amount = size(sold.traffic_limit, language)
    return words.gettext("%(size)s a month", size=amount) if sold.days >= _MONTH else amount


def plan(sold: Plan, language: Language) -> str:
    """ "1 месяц, без ограничений"."""
    return f"{plan_title(sold, language)}, {traffic(sold, language)}"


def _decimal(amount: int, unit: int, pattern: str, language: Language) -> str:
    return format_decimal(Decimal(amount) / unit, pattern, locale=language.value)
