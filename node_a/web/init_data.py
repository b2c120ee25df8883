"""Telegram's signed launch data: who opened the Mini App, believed only after its proof.

https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from node_a.domain.customer import CustomerId

# Telegram's servers and ours may disagree a little about the time.
CLOCK_SKEW: Final = timedelta(minutes=1)
LARGEST_ID: Final = 2**63 - 1


class InitDataRejected(Exception):
    """Not from Telegram, damaged, or too old; the message says which and holds nothing of the data."""


@dataclass(frozen=True, slots=True)
class TelegramUser:
    """`language_code`: an IETF tag as the user's app has it."""

    id: CustomerId
    language_code: str | None


def verified_user(init_data: str, *, bot_token: str, max_age: timedelta, now: datetime) -> TelegramUser:
    """The user whom Telegram vouches for. Raises InitDataRejected."""
    fields = _fields(init_data)
    proof = fields.pop("hash", "")
    # `signature`, for third parties, is a field like any other here.
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    secret = hmac.digest(b"WebAppData", bot_token.encode(), hashlib.sha256)
    expected = hmac.new(secret, lines.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), proof.encode()):
        raise InitDataRejected("wrong hash")
    age = now.timestamp() - _whole_number(fields.get("auth_date"), "auth_date")
    if age > max_age.total_seconds():
        raise InitDataRejected("too old")
    if age < -CLOCK_SKEW.total_seconds():
        raise InitDataRejected("from the future")
    return _user(fields.get("user"))


def _fields(init_data: str) -> dict[str, str]:
    try:
        # Blank values are signed too; a lenient parser would drop them.
        pairs = parse_qsl(init_data, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=32)
    except ValueError:
        raise InitDataRejected("not a query string") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Otherwise a forged `user` could stand in front of the signed one.
        raise InitDataRejected("a field stands there twice")
    return fields


def _whole_number(text: str | None, name: str) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise InitDataRejected(f"no valid {name}")
    return int(text)


def _user(text: str | None) -> TelegramUser:
    try:
        user = json.loads(text or "")
    except (ValueError, RecursionError):
        raise InitDataRejected("no valid user") from None
    id = user.get("id") if isinstance(user, dict) else None
    # bool is an int in Python, not to Telegram.
    if not isinstance(id, int) or isinstance(id, bool) or not 0 < id <= LARGEST_ID:
        raise InitDataRejected("no valid user id")
    language_code = user.get("language_code")
    if language_code is not None and not isinstance(language_code, str):
        raise InitDataRejected("no valid language code")
    return TelegramUser(CustomerId(id), language_code)
