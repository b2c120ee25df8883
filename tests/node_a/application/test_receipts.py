"""The buyer's e-mail, where tax receipts are on: asked for, kept with the payment, offered again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from node_a.application.checkout import LastReceiptAddress, OpenPayment
from node_a.domain.customer import CustomerId
from node_a.domain.errors import ReceiptAddressNeeded
from tests.builders import ANNA, MONTH, YEAR
from tests.fakes.shop import ShopUnderTest

HERS = "anna@example.com"


@pytest.fixture
def buy(shop: ShopUnderTest) -> OpenPayment:
    shop.registers()
    shop.provider.wants_receipts = True
    return replace(shop.open_payment, receipts=True)


@pytest.fixture
def last(shop: ShopUnderTest) -> LastReceiptAddress:
    return LastReceiptAddress(read_ledger=shop.database.read_ledger)


@pytest.mark.parametrize("given", [None, "", "anna", "anna@localhost"])
def test_without_an_address_nothing_is_sold_and_nothing_stored(
    shop: ShopUnderTest, buy: OpenPayment, given: str | None
) -> None:
    with pytest.raises(ReceiptAddressNeeded):
        buy(ANNA.id, MONTH.code, given)

    with shop.ledger() as ledger:
        assert ledger.payments.of_customer(ANNA.id) == []
    assert shop.provider.creations == []


def test_the_address_is_kept_with_the_payment(shop: ShopUnderTest, buy: OpenPayment) -> None:
    payment = buy(ANNA.id, MONTH.code, f" {HERS} ")

    assert shop.payment(payment).receipt_to == HERS
    assert HERS not in repr(shop.payment(payment))


def test_the_same_address_gives_the_same_link_and_another_one_another_payment(
    shop: ShopUnderTest, buy: OpenPayment
) -> None:
    first = buy(ANNA.id, MONTH.code, HERS)

    assert buy(ANNA.id, MONTH.code, HERS).id == first.id
    assert buy(ANNA.id, MONTH.code, "other@example.com").id != first.id


def test_a_payment_without_an_address_is_not_reused_once_receipts_are_on(shop: ShopUnderTest) -> None:
    before: Any = shop.chooses()

    assert replace(shop.open_payment, receipts=True)(ANNA.id, MONTH.code, HERS).id != before.id


def test_the_last_address_is_offered_again_to_its_own_customer(
    shop: ShopUnderTest, buy: OpenPayment, last: LastReceiptAddress
) -> None:
    assert last(ANNA.id) is None
    for address in ("old@example.com", HERS):
        buy(ANNA.id, YEAR.code, address)
        shop.passes(timedelta(minutes=1))
    shop.provider.wants_receipts = False
    replace(buy, receipts=False)(ANNA.id, MONTH.code)

    assert last(ANNA.id) == HERS
    assert last(CustomerId(2)) is None


def test_where_receipts_are_off_no_address_is_kept(shop: ShopUnderTest) -> None:
    shop.registers()

    payment = shop.open_payment(ANNA.id, MONTH.code, HERS)

    assert shop.payment(payment).receipt_to is None
