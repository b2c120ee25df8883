"""What we write into a payment is read again as it was; anything else is nobody's."""

from dataclasses import replace
from uuid import UUID

import pytest

from node_a.adapters.payments.yookassa_metadata import (
    Remembered,
    metadata_of,
    metadata_of_refund,
    remembered,
    remembered_refund,
)
from node_a.domain.customer import CustomerId
from node_a.domain.money import Money
from node_a.domain.payment import PaymentId
from node_a.domain.plan import Plan
from node_a.domain.refund import Refund, RefundId
from tests.builders import MONTH, NOW, YEAR, a_payment

PARTLY_CAPTURED = Money(100)


@pytest.mark.parametrize(
    "plan", [MONTH, YEAR, Plan("w_1", 1, Money(1, "EUR"), 1), Plan("x" * 32, 3660, Money(10**13), 10**15)]
)
@pytest.mark.parametrize("customer", [1, 2**52])
def test_a_payment_is_remembered_with_the_price_that_was_asked_for(plan: Plan, customer: int) -> None:
    payment = a_payment(plan=plan, customer_id=CustomerId(customer))

    assert remembered(metadata_of(payment), PARTLY_CAPTURED) == Remembered(payment.id, payment.customer_id, plan)


def test_there_is_room_for_it() -> None:
    metadata = metadata_of(a_payment(plan=Plan("x" * 32, 3660, Money(10**13), 10**15)))

    assert len(metadata) < 16  # the SDK may add one
    assert max(map(len, metadata)) <= 32
    assert max(map(len, metadata.values())) <= 512


def test_a_payment_from_before_prices_were_written_cost_what_came() -> None:
    metadata = metadata_of(a_payment(plan=YEAR))
    del metadata["price"]

    assert remembered(metadata, PARTLY_CAPTURED).plan == replace(YEAR, price=PARTLY_CAPTURED)


@pytest.mark.parametrize(
    "change",
    [
        {"plan_code": ""},
        {"plan_code": "Month"},
        {"plan_code": "x" * 33},
        {"plan_code": None},
        {"days": "0"},
        {"days": "-30"},
        {"days": "30.0"},
        {"days": "99999"},
        {"days": "٣٠"},
        {"days": 30},
        {"traffic": ""},
        {"traffic": "0"},
        {"traffic": "Unlimited"},
        {"traffic": "9" * 19},
        {"price": ""},
        {"price": "199"},
        {"price": "199.00"},
        {"price": "199.00 rub"},
        {"price": "199.0 RUB"},
        {"price": "1.99.00 RUB"},
        {"price": "199.00 RUB\n"},
    ],
    ids=str,
)
def test_a_plan_that_is_not_whole_is_none_and_the_rest_is_kept(change: dict[str, object]) -> None:
    payment = a_payment()

    assert remembered({**metadata_of(payment), **change}, MONTH.price) == Remembered(
        payment.id, payment.customer_id, None
    )


@pytest.mark.parametrize("customer", ["0", "", "-1", "anna", "1" * 17, "1.0", None, 17])
def test_a_customer_nobody_could_be_is_none(customer: object) -> None:
    metadata = {**metadata_of(a_payment()), "customer_id": customer}

    assert remembered(metadata, MONTH.price).customer_id is None


@pytest.mark.parametrize("id", ["", "17", "77", "{%s}", "urn:uuid:%s", None, 17])
def test_an_id_that_we_would_not_have_written_is_none(id: str | None) -> None:
    ours = str(a_payment().id)
    written = id.replace("%s", ours) if isinstance(id, str) else id
    metadata = {"payment_id": written, "refund_id": written}

    assert remembered(metadata, MONTH.price).payment_id is None
    assert remembered_refund(metadata) is None


def test_a_refund_is_remembered() -> None:
    refund = Refund(RefundId(UUID(int=5)), PaymentId(UUID(int=77)), Money(1), NOW)

    assert metadata_of_refund(refund)["payment_id"] == str(UUID(int=77))
    assert remembered_refund(metadata_of_refund(refund)) == refund.id
    assert remembered_refund(None) is None
