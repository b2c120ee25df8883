"""A shop whose tax receipts YooKassa sends: nothing is taken without one."""

from typing import Any

import pytest

from tests.sandbox.yookassa.bodies import a_receipt, open_payment, refund
from tests.sandbox.yookassa.running import RunningYooKassa


@pytest.fixture
def fiscal(yookassa: RunningYooKassa) -> RunningYooKassa:
    yookassa.require_receipts()
    return yookassa


def test_payments_and_refunds_need_a_receipt(fiscal: RunningYooKassa) -> None:
    without = open_payment(fiscal)
    with_one = open_payment(fiscal, receipt=a_receipt())
    fiscal.pay(with_one["id"])
    bare = refund(fiscal, with_one["id"], "100.00")
    good = refund(fiscal, with_one["id"], "100.00", receipt=a_receipt("100.00"))

    assert (without["http_status"], without["parameter"]) == (400, "receipt")
    assert (bare["http_status"], bare["parameter"]) == (400, "receipt")
    assert (good["http_status"], good["receipt_registration"]) == (200, "succeeded")
    assert fiscal.call("GET", "/me")["fiscalization_enabled"] is True


def test_a_refund_by_hand_gets_its_receipt_from_whoever_makes_it(fiscal: RunningYooKassa) -> None:
    payment = open_payment(fiscal, receipt=a_receipt())
    fiscal.pay(payment["id"])

    assert fiscal.refund_by_hand(payment["id"])["status"] == "succeeded"


@pytest.mark.parametrize("missing", ["payment_subject", "payment_mode", "measure"])
def test_an_item_says_what_it_is(fiscal: RunningYooKassa, missing: str) -> None:
    receipt: dict[str, Any] = a_receipt()
    del receipt["items"][0][missing]

    assert open_payment(fiscal, receipt=receipt)["parameter"] == f"receipt.items.0.{missing}"


def test_receipts_go_by_mail_only(fiscal: RunningYooKassa) -> None:
    by_phone = {**a_receipt(), "customer": {"phone": "79000000000"}}

    assert open_payment(fiscal, receipt=by_phone)["parameter"] == "receipt.customer.email"
