"""Ids in the original's shape, and the card every customer of the stand-in pays with."""

import secrets
from datetime import UTC, datetime

from sandbox.store import Document

_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)  # what the first group of the original's ids counts seconds from


def new_id(now: datetime) -> str:
    """Like `2e8f1c3a-000f-5000-9000-1b68e7b15f3f`: UUID-shaped, beginning with the time."""
    seconds = int((now - _EPOCH).total_seconds())
    return f"{seconds:08x}-000f-5000-{secrets.choice('89ab')}000-{secrets.token_hex(6)}"


def test_card(method_id: str, *, saved: bool) -> Document:
    """The payment method of a payment made with YooKassa's published test card 5555 5555 5555 4477."""
    return {
        "type": "bank_card",
        "id": method_id,
        "saved": saved,
        "status": "active" if saved else "inactive",
        "title": "Bank card *4477",
        "card": {
            "first6": "555555",
            "last4": "4477",
            "expiry_year": "2030",
            "expiry_month": "12",
            "card_type": "MasterCard",
            "issuer_country": "US",
        },
    }


def authorization() -> Document:
    return {
        "rrn": "".join(secrets.choice("0123456789") for _ in range(12)),
        "auth_code": "".join(secrets.choice("0123456789") for _ in range(6)),
        "three_d_secure": {"applied": False},
    }
