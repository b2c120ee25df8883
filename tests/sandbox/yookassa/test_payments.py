"""The life of a payment in the stand-in, every exchange held against the official document."""

import re
import uuid
from collections.abc import Iterator

import pytest
import requests

from tests.sandbox.yookassa.bodies import a_receipt, open_payment, refund
from tests.sandbox.yookassa.checked import checked_yookassa
from tests.sandbox.yookassa.running import SECRET_KEY, SHOP_ID, RunningYooKassa


@pytest.fixture
def yookassa() -> Iterator[RunningYooKassa]:
    with checked_yookassa(wrong_on_purpose=400) as running:
        yield running


def test_a_new_payment_waits_for_its_customer(yookassa: RunningYooKassa) -> None:
    payment = open_payment(yookassa)

    assert payment["http_status"] == 200
    assert re.fullmatch(r"[0-9a-f]{8}-000f-5000-[89ab]000-[0-9a-f]{12}", payment["id"])
    assert (payment["status"], payment["paid"], payment["test"]) == ("pending", False, True)
    assert payment["recipient"]["account_id"] == SHOP_ID
    assert payment["confirmation"]["confirmation_url"] == f"{yookassa.url}/pay/{payment['id']}"
    assert payment["metadata"] == {"payment": "5b3f"}


def test_a_paid_payment_succeeds(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa)["id"]

    assert yookassa.pay(payment_id)["status"] == "succeeded"

    found = yookassa.call("GET", f"/payments/{payment_id}")
    assert (found["status"], found["paid"], found["refundable"]) == ("succeeded", True, True)
    assert found["payment_method"]["card"]["last4"] == "4477"
    assert found["income_amount"]["value"] == "192.04"
    assert found["refunded_amount"]["value"] == "0.00"
    assert "confirmation" not in found


def test_capture_is_off_unless_asked_for(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa, capture=None)["id"]

    assert yookassa.pay(payment_id)["status"] == "waiting_for_capture"
    captured = yookassa.call("POST", f"/payments/{payment_id}/capture", {}, key=str(uuid.uuid4()))

    assert (captured["http_status"], captured["status"]) == (200, "succeeded")


def test_a_part_can_be_captured_and_no_more_than_was_held(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa, capture=False)["id"]
    yookassa.pay(payment_id)
    target = f"/payments/{payment_id}/capture"

    too_much = yookassa.call("POST", target, {"amount": {"value": "199.01", "currency": "RUB"}}, key=str(uuid.uuid4()))
    part = yookassa.call("POST", target, {"amount": {"value": "99.00", "currency": "RUB"}}, key=str(uuid.uuid4()))

    assert too_much["http_status"] == 400
    assert (part["status"], part["amount"]["value"]) == ("succeeded", "99.00")


def test_held_money_can_be_let_go(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa, capture=False)["id"]
    yookassa.pay(payment_id)

    canceled = yookassa.call("POST", f"/payments/{payment_id}/cancel", key=str(uuid.uuid4()))

    assert canceled["cancellation_details"] == {"party": "merchant", "reason": "canceled_by_merchant"}


def test_a_pending_payment_cannot_be_canceled_by_the_shop(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa)["id"]

    refused = yookassa.call("POST", f"/payments/{payment_id}/cancel", key=str(uuid.uuid4()))

    assert refused["http_status"] == 400
    assert yookassa.call("GET", f"/payments/{payment_id}")["status"] == "pending"


def test_a_declined_payment_says_why(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa)["id"]

    yookassa.control(f"/payments/{payment_id}/decline", {})

    found = yookassa.call("GET", f"/payments/{payment_id}")
    assert (found["status"], found["paid"]) == ("canceled", False)
    assert found["cancellation_details"] == {"party": "payment_network", "reason": "insufficient_funds"}


def test_a_payment_expires_after_an_hour_and_not_before(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa)["id"]

    yookassa.advance(3590)
    assert yookassa.call("GET", f"/payments/{payment_id}")["status"] == "pending"
    yookassa.advance(11)

    found = yookassa.call("GET", f"/payments/{payment_id}")
    assert found["cancellation_details"] == {"party": "yoo_money", "reason": "expired_on_confirmation"}
    late = requests.post(f"{yookassa.url}/sandbox/payments/{payment_id}/pay", timeout=5)
    assert late.status_code == 400


def test_uncaptured_money_goes_back_after_a_week(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa, capture=False)["id"]
    yookassa.pay(payment_id)

    yookassa.advance(7 * 24 * 3600 + 1)

    found = yookassa.call("GET", f"/payments/{payment_id}")
    assert found["cancellation_details"]["reason"] == "expired_on_capture"


def test_a_saved_card_pays_without_its_owner(yookassa: RunningYooKassa) -> None:
    first = open_payment(yookassa, save_payment_method=True)["id"]
    method = yookassa.pay(first)["payment_method"]

    again = open_payment(yookassa, confirmation=None, payment_method_id=method["id"])
    unsaved = yookassa.pay(open_payment(yookassa)["id"])["payment_method"]
    refused = open_payment(yookassa, confirmation=None, payment_method_id=unsaved["id"])

    assert method["saved"] is True
    assert (again["status"], again["payment_method"]["id"]) == ("succeeded", method["id"])
    assert (refused["http_status"], refused["parameter"]) == (400, "payment_method_id")


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"amount": None}, "amount"),
        ({"amount": {"value": 199, "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "199.0", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "0.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "-1.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "199.00", "currency": "XXX"}}, "amount.currency"),
        ({"description": "я" * 129}, "description"),
        ({"capture": "true"}, "capture"),
        ({"confirmation": None}, "confirmation"),
        ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
        ({"confirmation": {"type": "redirect", "return_url": "/back"}}, "confirmation.return_url"),
        ({"confirmation": {"type": "redirect", "return_url": "javascript://x/%0a"}}, "confirmation.return_url"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"metadata": {"k" * 33: ""}}, f"metadata.{'k' * 33}"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"payment_method_data": {"type": "sbp"}}, "payment_method_data.type"),
        ({"receipt": a_receipt("198.99")}, "receipt.items"),
        ({"receipt": a_receipt(quantity=-1)}, "receipt.items.0.quantity"),
        ({"receipt": {"items": []}}, "receipt.items"),
        ({"receipt": {**a_receipt(), "customer": {}}}, "receipt.customer"),
    ],
)
def test_a_wrong_field_is_named(yookassa: RunningYooKassa, changes: dict[str, object], parameter: str) -> None:
    refused = open_payment(yookassa, **changes)

    assert (refused["http_status"], refused["code"]) == (400, "invalid_request")
    assert refused["parameter"] == parameter
    assert yookassa.call("GET", "/payments")["items"] == []


def test_the_longest_fields_and_a_matching_receipt_are_taken(yookassa: RunningYooKassa) -> None:
    payment = open_payment(
        yookassa,
        description="я" * 128,
        metadata={str(number) * 16: "v" * 512 for number in range(10, 26)},
        receipt=a_receipt("99.50", quantity=2),
    )

    assert payment["http_status"] == 200


def test_refunds_never_exceed_what_was_paid(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa)["id"]
    yookassa.pay(payment_id)

    first = refund(yookassa, payment_id, "100.00", receipt=a_receipt("100.00"))
    too_much = refund(yookassa, payment_id, "99.01")
    rest = refund(yookassa, payment_id, "99.00")
    more = refund(yookassa, payment_id, "0.01")

    assert [answer["http_status"] for answer in (first, too_much, rest, more)] == [200, 400, 200, 400]
    assert yookassa.call("GET", f"/refunds/{first['id']}")["amount"]["value"] == "100.00"
    found = yookassa.call("GET", f"/payments/{payment_id}")
    assert (found["refunded_amount"]["value"], found["refundable"]) == ("199.00", False)
    listed = yookassa.call("GET", "/refunds", payment_id=payment_id)
    assert [item["id"] for item in listed["items"]] == [rest["id"], first["id"]]


def test_an_unpaid_payment_cannot_be_refunded(yookassa: RunningYooKassa) -> None:
    assert refund(yookassa, open_payment(yookassa)["id"], "1.00")["http_status"] == 400


def test_a_list_comes_in_pages_newest_first(yookassa: RunningYooKassa) -> None:
    ids = [open_payment(yookassa)["id"] for _ in range(5)]

    first = yookassa.call("GET", "/payments", limit="2")
    second = yookassa.call("GET", "/payments", limit="2", cursor=first["next_cursor"])
    third = yookassa.call("GET", "/payments", limit="2", cursor=second["next_cursor"])

    pages = [[item["id"] for item in page["items"]] for page in (first, second, third)]
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert "next_cursor" not in third


def test_a_list_can_be_filtered(yookassa: RunningYooKassa) -> None:
    early = open_payment(yookassa)
    yookassa.advance(60)
    late = open_payment(yookassa)
    yookassa.pay(late["id"])

    def listed(**query: str) -> list[str]:
        return [item["id"] for item in yookassa.call("GET", "/payments", **query)["items"]]

    assert listed(**{"created_at.gte": late["created_at"]}) == [late["id"]]
    assert listed(**{"created_at.gt": late["created_at"]}) == []
    assert listed(**{"created_at.lte": early["created_at"]}) == [early["id"]]
    assert listed(**{"created_at.lt": early["created_at"]}) == []
    assert listed(**{"captured_at.gte": early["created_at"]}) == [late["id"]]
    assert listed(status="pending") == [early["id"]]
    assert yookassa.call("GET", "/payments", limit="101")["http_status"] == 400
    assert yookassa.call("GET", "/payments", **{"created_at.gte": "2026-01-01T00:00:00"})["http_status"] == 400


def test_what_is_not_there_is_404_and_a_wrong_secret_401(yookassa: RunningYooKassa) -> None:
    assert yookassa.call("GET", f"/payments/{uuid.uuid4()}")["code"] == "not_found"
    assert yookassa.call("GET", f"/refunds/{uuid.uuid4()}")["http_status"] == 404
    wrong = requests.get(f"{yookassa.api_url}/me", auth=(SHOP_ID, "test_x"), timeout=5)
    none = requests.get(f"{yookassa.api_url}/me", timeout=5)
    garbage = requests.get(f"{yookassa.api_url}/me", headers={"Authorization": "Basic ü"}, timeout=5)
    assert [answer.status_code for answer in (wrong, none, garbage)] == [401, 401, 401]
    assert wrong.json()["code"] == "invalid_credentials"
    assert yookassa.call("GET", "/me")["account_id"] == SHOP_ID
    assert SECRET_KEY not in str(yookassa.exchanges())
    assert "Basic" not in str(yookassa.exchanges())
