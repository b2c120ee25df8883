"""What operators write after a command, read strictly: a mistyped figure must do nothing."""

import re
from typing import Final

from node_a.application.operations import MOST_DAYS
from node_a.domain.customer import CustomerId
from node_a.domain.money import Money

_CUSTOMER: Final = re.compile(r"[1-9][0-9]{0,15}")
_DAYS: Final = re.compile(r"[1-9][0-9]{0,3}")
_AMOUNT: Final = re.compile(r"([0-9]{1,7})(?:[.,]([0-9]{2}))?")
_ALL: Final = frozenset({"all", "всё", "все"})


def customer_in(word: str) -> CustomerId | None:
    """A Telegram id."""
    return CustomerId(int(word)) if _CUSTOMER.fullmatch(word) else None


def days_in(word: str) -> int | None:
    return int(word) if _DAYS.fullmatch(word) and int(word) <= MOST_DAYS else None


def amount_in(word: str) -> tuple[bool, Money | None]:
    """Whether it is an amount, and which: roubles ("150", "99,50"); None for "all", which is all that is left."""
    if word.lower() in _ALL:
        return True, None
    match = _AMOUNT.fullmatch(word)
    amount = Money(int(match[1]) * 100 + int(match[2] or 0)) if match else Money(0)
    return amount.minor_units > 0, amount
