"""Refunds in the stand-in: at once, later, never, and made by hand in the shop's account."""

import queue
from collections.abc import Iterator

import pytest
import requests

from tests.sandbox.yookassa.bodies import open_payment, refund
from tests.sandbox.yookassa.checked import checked_yookassa
from tests.sandbox.yookassa.openapi import check_notification
from tests.sandbox.yookassa.running import RunningYooKassa


@pytest.fixture
def yookassa() -> Iterator[RunningYooKassa]:
    with checked_yookassa(wrong_on_purpose=400) as running:
        yield running


@pytest.fixture
def paid(yookassa: RunningYooKassa) -> str:
    """The id of a payment of 199.00 whose success has been told."""
    payment_id: str = yookassa.pay(open_payment(yookassa)["id"])["id"]
    assert yookassa.receiver.next()["event"] == "payment.succeeded"
    return payment_id


def refunded(yookassa: RunningYooKassa, payment_id: str) -> tuple[str, bool]:
    payment = yookassa.call("GET", f"/payments/{payment_id}")
    return payment["refunded_amount"]["value"], payment["refundable"]


def test_a_pending_refund_holds_its_money_and_succeeds_later(yookassa: RunningYooKassa, paid: str) -> None:
    yookassa.let_refunds_become("pending")
    made = refund(yookassa, paid, "150.00")
    too_much = refund(yookassa, paid, "50.00")

    assert (made["status"], too_much["http_status"]) == ("pending", 400)
    assert refunded(yookassa, paid) == ("0.00", True)
    with pytest.raises(queue.Empty):
        yookassa.receiver.received.get(timeout=0.1)

    yookassa.finish_refund(made["id"], "succeeded")

    told = yookassa.receiver.next()
    assert (told["event"], told["object"]["id"]) == ("refund.succeeded", made["id"])
    assert check_notification(told) == []
    assert refunded(yookassa, paid) == ("150.00", True)
    assert yookassa.call("GET", f"/refunds/{made['id']}")["status"] == "succeeded"


def test_a_canceled_refund_gives_its_money_free_and_is_told_to_nobody(yookassa: RunningYooKassa, paid: str) -> None:
    yookassa.let_refunds_become("pending")
    made = refund(yookassa, paid, "199.00")
    assert refunded(yookassa, paid) == ("0.00", False)

    yookassa.finish_refund(made["id"], "canceled", "rejected_by_payee")

    found = yookassa.call("GET", f"/refunds/{made['id']}")
    assert found["cancellation_details"] == {"party": "refund_network", "reason": "rejected_by_payee"}
    assert refunded(yookassa, paid) == ("0.00", True)
    with pytest.raises(queue.Empty):
        yookassa.receiver.received.get(timeout=0.1)
    yookassa.let_refunds_become("succeeded")
    assert refund(yookassa, paid, "199.00")["status"] == "succeeded"


def test_a_refund_can_be_canceled_at_once(yookassa: RunningYooKassa, paid: str) -> None:
    yookassa.let_refunds_become("canceled")

    assert refund(yookassa, paid, "199.00")["cancellation_details"]["reason"] == "general_decline"
    assert refunded(yookassa, paid) == ("0.00", True)


def test_a_refund_by_hand_is_listed_and_told_and_carries_nothing_of_the_shop(
    yookassa: RunningYooKassa, paid: str
) -> None:
    part = yookassa.refund_by_hand(paid, "50.00")
    rest = yookassa.refund_by_hand(paid)

    assert (part["amount"]["value"], rest["amount"]["value"]) == ("50.00", "149.00")
    assert "metadata" not in part
    assert [yookassa.receiver.next()["object"]["id"] for _ in range(2)] == [part["id"], rest["id"]]
    listed = yookassa.call("GET", "/refunds", payment_id=paid)["items"]
    assert [item["id"] for item in listed] == [rest["id"], part["id"]]
    assert refunded(yookassa, paid) == ("199.00", False)


def test_what_cannot_be_is_refused_behind_the_stage_too(yookassa: RunningYooKassa, paid: str) -> None:
    unpaid = open_payment(yookassa)["id"]
    done = yookassa.refund_by_hand(paid)["id"]
    wrong: list[tuple[str, dict[str, object]]] = [
        (f"/payments/{paid}/refund", {}),
        (f"/payments/{unpaid}/refund", {}),
        ("/payments/nobody/refund", {}),
        (f"/refunds/{done}/finish", {"status": "canceled"}),
        (f"/refunds/{done}/finish", {"status": "pending"}),
        ("/refunds", {"become": "lost"}),
        ("/receipts", {"required": "yes"}),
    ]
    for path, body in wrong:
        with pytest.raises(requests.HTTPError, match="400"):
            yookassa.control(path, body)

    assert len(yookassa.call("GET", "/refunds")["items"]) == 1
