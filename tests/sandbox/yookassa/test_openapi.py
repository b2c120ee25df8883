"""The check of exchanges can fail: each kind of wrong is found by name."""

import copy
from typing import Any

import pytest

from tests.sandbox.yookassa.bodies import a_payment, a_receipt, open_payment, refund
from tests.sandbox.yookassa.openapi import check_exchange, check_notification
from tests.sandbox.yookassa.running import RunningYooKassa


@pytest.fixture
def exchange(yookassa: RunningYooKassa) -> dict[str, Any]:
    """A good one: a payment with a receipt is created."""
    open_payment(yookassa, receipt=a_receipt())
    return yookassa.exchanges()[0]


def changed(exchange: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one thing changed, or removed where the value is None."""
    result = copy.deepcopy(exchange)
    *parents, last = path.split("/")
    node: Any = result
    for name in parents:
        node = node[int(name)] if isinstance(node, list) else node[name]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return result


def test_a_good_exchange_passes(exchange: dict[str, Any]) -> None:
    assert check_exchange(exchange) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("path", "/v3/paiments"),
        ("path", "/payments"),
        ("method", "DELETE"),
        ("headers/Idempotence-Key", None),
        ("headers/Idempotence-Key", "k" * 65),
        ("request/amount", None),
        ("request/amount/value", 199),
        ("request/amount/currency", "RUR"),
        ("request/capture", "yes"),
        ("request/captrue", True),
        ("request/description", "я" * 129),
        ("request/confirmation", {"type": "redirect"}),
        ("request/confirmation/type", "carrier_pigeon"),
        ("request/metadata", {"k": 1}),
        ("request/receipt/items/0/vat_code", 13),
        ("request/receipt/items/0/measure", "pieces"),
        ("response/status", "paid"),
        ("response/status", None),
        ("response/id", "1"),
        ("response/created_at", "yesterday"),
        ("response/confirmation/confirmation_url", None),
        ("response/recipient/gateway_id", None),
        ("status", 302),
    ],
)
def test_a_wrong_exchange_is_named(exchange: dict[str, Any], path: str, value: object) -> None:
    assert check_exchange(changed(exchange, path, value)) != []


def test_wrong_errors_lists_and_limits_are_named(yookassa: RunningYooKassa) -> None:
    yookassa.call("GET", "/payments/none")
    yookassa.call("GET", "/payments", limit="3")
    lost, listed = yookassa.exchanges()

    assert check_exchange(lost) != []  # an id has 36 characters
    assert check_exchange(listed) == []
    assert check_exchange(changed(listed, "query/limit", "101")) != []
    assert check_exchange(changed(listed, "query/limti", "1")) != []
    assert check_exchange(changed(listed, "response/items", None)) != []
    refusal = {**listed, "status": 400, "response": {"type": "error", "code": "not_found"}}
    assert check_exchange(refusal) != []


def test_a_notification_is_checked_by_its_event_and_object(yookassa: RunningYooKassa) -> None:
    payment = yookassa.pay(open_payment(yookassa)["id"])
    refunded = refund(yookassa, payment["id"], "1.00")
    del refunded["http_status"]
    good = {"type": "notification", "event": "payment.succeeded", "object": payment}

    assert check_notification(good) == []
    assert check_notification({**good, "event": "refund.succeeded", "object": refunded}) == []
    assert check_notification({**good, "event": "payment.paid"}) != []
    assert check_notification({**good, "object": {**payment, "paid": "true"}}) != []
    assert check_notification({**good, "event": "refund.succeeded"}) != []
    assert check_notification({**good, "type": "event"}) != []
    assert check_exchange({**yookassa.exchanges()[0], "request": {**a_payment(), "amount": None}}) != []
