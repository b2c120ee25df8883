"""Amounts: strings with two decimals outside, whole kopecks inside."""

import re

from sandbox.store import Document
from sandbox.yookassa.problems import invalid

CURRENCY = "RUB"  # what this shop sells in; the original compares with the shop's own currency too


def kopecks(amount: object, parameter: str) -> int:
    """The kopecks of `{"value": "1000.00", "currency": "RUB"}`; a Problem 400 for anything else, and for zero."""
    if not isinstance(amount, dict):
        raise invalid("An amount is an object", parameter)
    value = amount.get("value")
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}\.[0-9]{2}", value, re.ASCII):
        raise invalid("Incorrect amount format: a string with two decimals", f"{parameter}.value")
    if amount.get("currency") != CURRENCY:
        raise invalid("Currency is not that of the shop", f"{parameter}.currency")
    whole = int(value.replace(".", ""))
    if whole == 0:
        raise invalid("The amount must be more than zero", f"{parameter}.value")
    return whole


def amount(whole: int) -> Document:
    return {"value": f"{whole // 100}.{whole % 100:02}", "currency": CURRENCY}
