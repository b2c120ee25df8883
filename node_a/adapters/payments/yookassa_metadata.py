"""What we write into our payments and refunds at YooKassa, and read again when our own database has forgotten them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from node_a.domain.customer import CustomerId
from node_a.domain.money import Money
from node_a.domain.payment import Payment, PaymentId
from node_a.domain.plan import Plan
from node_a.domain.refund import Refund, RefundId

_UNLIMITED: Final = "unlimited"

# No wider than what our own tables can hold.
_CUSTOMER: Final = re.compile(r"[1-9][0-9]{0,15}")
_PLAN_CODE: Final = re.compile(r"[a-z0-9_]{1,32}")
_DAYS: Final = re.compile(r"[1-9][0-9]{0,3}")
_BYTES: Final = re.compile(r"[1-9][0-9]{0,17}")
_PRICE: Final = re.compile(r"([0-9.]+) ([A-Z]{3})")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a payment's metadata says; None where it says nothing, or nothing that we would have written."""

    payment_id: PaymentId | None
    customer_id: CustomerId | None
    plan: Plan | None


def metadata_of(payment: Payment) -> dict[str, str]:
    """At most 16 keys of 32 characters, with values of 512. With them alone a lost payment can be settled."""
    plan = payment.plan
    return {
        "payment_id": str(payment.id),
        "customer_id": str(payment.customer_id),
        "plan_code": plan.code,
        "days": str(plan.days),
        "traffic": _UNLIMITED if plan.traffic_limit is None else str(plan.traffic_limit),  # bytes per 30 days
        "price": f"{plan.price} {plan.price.currency}",
    }


def metadata_of_refund(refund: Refund) -> dict[str, str]:
    return {"refund_id": str(refund.id), "payment_id": str(refund.payment_id)}


def remembered(metadata: object, amount: Money) -> Remembered:
    """Never an error: the account may hold payments that somebody made by hand, or with another program. `amount`: the
    price of a payment from before prices were written."""
    told = _texts(metadata)
    customer = _CUSTOMER.fullmatch(told.get("customer_id", ""))
    return Remembered(
        payment_id=remembered_payment(metadata),
        customer_id=CustomerId(int(customer[0])) if customer else None,
        plan=_plan(told, amount),
    )


def remembered_payment(metadata: object) -> PaymentId | None:
    id = _uuid(_texts(metadata).get("payment_id"))
    return None if id is None else PaymentId(id)


def remembered_refund(metadata: object) -> RefundId | None:
    id = _uuid(_texts(metadata).get("refund_id"))
    return None if id is None else RefundId(id)


def _texts(metadata: object) -> Mapping[str, str]:
    told: Mapping[Any, Any] = metadata if isinstance(metadata, Mapping) else {}
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _uuid(text: str | None) -> UUID | None:
    try:
        id = UUID(text or "")
    except ValueError:
        return None
    return id if str(id) == text else None


def _plan(told: Mapping[str, str], amount: Money) -> Plan | None:
    code, days = _PLAN_CODE.fullmatch(told.get("plan_code", "")), _DAYS.fullmatch(told.get("days", ""))
    traffic = told.get("traffic", "")
    price = _price(told["price"]) if "price" in told else amount
    limited = _BYTES.fullmatch(traffic)
    if not (code and days and price) or not (limited or traffic == _UNLIMITED):
        return None
    return Plan(code[0], int(days[0]), price, int(limited[0]) if limited else None)


def _price(text: str) -> Money | None:
    match = _PRICE.fullmatch(text)
    try:
        return Money.parse(match[1], match[2]) if match else None
    except ValueError:
        return None
