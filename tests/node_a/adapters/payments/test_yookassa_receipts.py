"""Tax receipts: to the buyer and nobody else, for exactly the money, taxed as sold."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from node_a.adapters.payments.yookassa import YooKassa
from node_a.adapters.payments.yookassa_receipts import Receipts, receipts_as_sold
from node_a.domain.errors import ReceiptAddressNeeded
from node_a.domain.money import Money
from node_a.domain.payment import Payment
from node_a.domain.refund import Refund, RefundId, RefundState
from tests.node_a.adapters.payments.conftest import Connect
from tests.sandbox.yookassa.running import RunningYooKassa

ANNA = "anna.k+vpn@mail.example.org"
LONGEST = "a" * 64 + "@" + ".".join(["b" * 61, "c" * 61, "d" * 61, "org"])  # 254 characters


@pytest.fixture
def fiscal(connect: Connect, stand_in: RunningYooKassa) -> YooKassa:
    stand_in.require_receipts()
    return connect(receipts=Receipts(vat_code=11, tax_system_code=2))


@pytest.fixture
def sold(fiscal: YooKassa, payment: Payment, stand_in: RunningYooKassa) -> Payment:
    """Paid with a receipt: 199.05 roubles."""
    asked = replace(payment, receipt_to=ANNA)
    asked = replace(asked, request=fiscal.request_for(asked, "VPN на 30 дней"))
    known = asked.opened(fiscal.create(asked))
    stand_in.pay(str(known.provider_id))
    return known


def a_refund(payment: Payment, kopecks: int) -> Refund:
    return Refund(RefundId(uuid4()), payment.id, Money(kopecks), datetime(2026, 11, 22, tzinfo=UTC))


def receipt_in(request: str) -> Any:
    return json.loads(request)["receipt"]


def an_item(value: str, description: str = "VPN на 30 дней") -> dict[str, Any]:
    return {
        "description": description,
        "quantity": 1,
        "amount": {"value": value, "currency": "RUB"},
        "vat_code": 11,
        "payment_subject": "service",
        "payment_mode": "full_payment",
        "measure": "piece",
    }


def test_a_payment_brings_its_receipt(sold: Payment) -> None:
    assert receipt_in(sold.request) == {
        "customer": {"email": ANNA},
        "items": [an_item("199.05")],
        "tax_system_code": 2,
    }


def test_a_refund_brings_a_receipt_for_what_goes_back(
    fiscal: YooKassa, sold: Payment, stand_in: RunningYooKassa
) -> None:
    refund = a_refund(sold, 6_635)
    refund = replace(refund, request=fiscal.refund_request_for(sold, refund, "Возврат"))

    assert receipt_in(refund.request) == {
        "customer": {"email": ANNA},
        "items": [an_item("66.35", "Возврат")],
        "tax_system_code": 2,
    }
    assert fiscal.create_refund(refund).state is RefundState.DONE
    assert stand_in.exchanges()[-1]["response"]["receipt_registration"] == "succeeded"


@pytest.mark.parametrize("today", [None, Receipts(vat_code=1)])
def test_a_refund_is_taxed_like_its_sale(connect: Connect, sold: Payment, today: Receipts | None) -> None:
    request = connect(receipts=today).refund_request_for(sold, a_refund(sold, 6_635), "Возврат")

    receipt = receipt_in(request)
    assert (receipt["items"][0]["vat_code"], receipt["tax_system_code"]) == (11, 2)


def test_without_receipts_nothing_is_said_of_them(provider: YooKassa, payment: Payment) -> None:
    known = replace(payment, receipt_to=ANNA, provider_id="x")

    assert "receipt" not in json.loads(provider.request_for(known, "VPN"))
    assert "receipt" not in json.loads(provider.refund_request_for(known, a_refund(known, 1), "VPN"))


def test_a_buyer_who_was_erased_gets_no_receipt_sent_elsewhere(fiscal: YooKassa, sold: Payment) -> None:
    with pytest.raises(ReceiptAddressNeeded):
        fiscal.refund_request_for(replace(sold, receipt_to=None), a_refund(sold, 1), "Возврат")


def test_an_item_has_at_most_128_characters(fiscal: YooKassa, payment: Payment, sold: Payment) -> None:
    request = fiscal.request_for(replace(payment, receipt_to=ANNA), "я" * 200)
    refund = fiscal.refund_request_for(sold, a_refund(sold, 1), "я" * 300)

    assert [receipt_in(body)["items"][0]["description"] for body in (request, refund)] == ["я" * 128] * 2


def test_no_tax_system_unless_there_is_one(connect: Connect, payment: Payment) -> None:
    request = connect(receipts=Receipts(vat_code=1)).request_for(replace(payment, receipt_to=ANNA), "VPN")

    assert "tax_system_code" not in receipt_in(request)


@pytest.mark.parametrize("codes", [(0, None), (13, None), (1, 0), (1, 7)])
def test_codes_that_do_not_exist_are_refused(codes: tuple[int, int | None]) -> None:
    with pytest.raises(ValueError, match="number from 1 to"):
        Receipts(*codes)


def test_every_code_there_is_is_taken() -> None:
    assert len({Receipts(vat, tax) for vat in range(1, 13) for tax in (None, *range(1, 7))}) == 84


@pytest.mark.parametrize(
    "sale",
    [
        "",
        "VPN",
        "[]",
        "{}",
        "17",
        '{"receipt": null}',
        '{"receipt": {"items": []}}',
        '{"receipt": {"items": [{}]}}',
        '{"receipt": {"items": [{"vat_code": 99}]}}',
        '{"receipt": {"items": [{"vat_code": "11"}]}}',
    ],
)
def test_a_sale_without_a_receipt_was_not_taxed_through_one(sale: str) -> None:
    assert receipts_as_sold(sale) is None


@pytest.mark.parametrize("bad", ["", "anna", "anna@example.org, boris@example.org", " anna@example.org"])
def test_what_is_no_address_gets_no_receipt(fiscal: YooKassa, payment: Payment, bad: str) -> None:
    with pytest.raises(ReceiptAddressNeeded) as caught:
        fiscal.request_for(replace(payment, receipt_to=bad), "VPN")

    assert not bad or bad not in str(caught.value)
