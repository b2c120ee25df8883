"""Requests to the API, right in every field unless a test says otherwise."""

import uuid
from typing import Any

from tests.sandbox.yookassa.running import RunningYooKassa

RETURN_URL = "https://shop.example/return?from=%D0%BF&x=1"


def a_payment(**changes: Any) -> dict[str, Any]:
    """A request to create a payment; a change to None leaves the field out."""
    body = {
        "amount": {"value": "199.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": RETURN_URL},
        "description": "VPN на 30 дней",
        "metadata": {"payment": "5b3f"},
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def a_receipt(value: str = "199.00", quantity: float = 1) -> dict[str, Any]:
    return {
        "customer": {"email": "buyer@example.com"},
        "items": [
            {
                "description": "VPN на 30 дней",
                "quantity": quantity,
                "amount": {"value": value, "currency": "RUB"},
                "vat_code": 11,
                "payment_subject": "service",
                "payment_mode": "full_payment",
                "measure": "piece",
            }
        ],
    }


def open_payment(yookassa: RunningYooKassa, **changes: Any) -> dict[str, Any]:
    return yookassa.call("POST", "/payments", a_payment(**changes), key=str(uuid.uuid4()))


def refund(yookassa: RunningYooKassa, payment_id: str, value: str, **more: Any) -> dict[str, Any]:
    body = {"payment_id": payment_id, "amount": {"value": value, "currency": "RUB"}, **more}
    return yookassa.call("POST", "/refunds", body, key=str(uuid.uuid4()))
