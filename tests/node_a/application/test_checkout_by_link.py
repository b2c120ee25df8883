"""Renewal by the subscription link: for that subscription, and nothing else of its customer."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from node_a.application.checkout import LastReceiptAddress, OpenPayment
from node_a.application.overview import PaymentStage
from node_a.application.renewal import RenewByLink, ShowRenewal
from node_a.domain.customer import Customer, CustomerId, Language, Standing
from node_a.domain.errors import (
    CustomerBanned,
    ProviderUnavailable,
    ReceiptAddressNeeded,
    UnknownPayment,
    UnknownPlan,
    UnknownSubscription,
)
from node_a.domain.payment import PaymentId, PaymentState
from node_a.domain.subscription import Subscription, SubscriptionId, SubscriptionState
from tests.builders import ANNA, DAY, MONTH, RING, TRIAL, YEAR
from tests.fakes.shop import ShopUnderTest

BORIS = CustomerId(ANNA.id + 1)
A_STRANGERS = "stranger@example.com"
HERS = "anna@example.com"


@pytest.fixture
def renew(shop: ShopUnderTest) -> RenewByLink:
    return RenewByLink(read_ledger=shop.database.read_ledger, ring=RING, open_payment=shop.open_payment)


@pytest.fixture
def show(shop: ShopUnderTest) -> ShowRenewal:
    return ShowRenewal(read_ledger=shop.database.read_ledger, ring=RING, show_payment=shop.show_payment)


@pytest.fixture
def token(shop: ShopUnderTest) -> str:
    shop.buys_and_gets()
    return RING.link_token(shop.subscription())


def stands(shop: ShopUnderTest, standing: Standing) -> None:
    shop.database.write(lambda ledger: ledger.customers.save(replace(ANNA, standing=standing)))


def test_an_expired_customer_comes_back_by_the_link_alone_and_the_same_link_goes_on(
    shop: ShopUnderTest, renew: RenewByLink, show: ShowRenewal, token: str
) -> None:
    shop.passes(40 * DAY)
    shop.expires()
    assert shop.open_link(token).state is SubscriptionState.EXPIRED

    payment = renew(token, YEAR.code)

    assert (payment.by_link, payment.state, payment.customer_id) == (True, PaymentState.PENDING, ANNA.id)
    assert show(token, payment.id).stage is PaymentStage.WAITING
    shop.provider.pays(payment)
    shop.nudge(payment.id, None)
    shop.settles()
    assert show(token, payment.id).stage is PaymentStage.PREPARING
    shop.works()
    assert show(token, payment.id).stage is PaymentStage.READY
    again = shop.open_link(token)
    assert (again.state, again.days_left) == (SubscriptionState.ACTIVE, YEAR.days)
    assert again.keys
    assert shop.payment(payment).by_link


def test_renewing_early_by_the_link_adds_to_the_days(shop: ShopUnderTest, renew: RenewByLink, token: str) -> None:
    payment = renew(token, MONTH.code)
    shop.provider.pays(payment)
    shop.nudge(payment.id, None)
    shop.works()

    assert shop.open_link(token).days_left == 60


def test_rotated_malformed_and_unknown_tokens_open_and_show_nothing(
    shop: ShopUnderTest, renew: RenewByLink, show: ShowRenewal, token: str
) -> None:
    payment = renew(token, MONTH.code)
    rotated = shop.subscription().rotated()
    shop.database.write(lambda ledger: ledger.subscriptions.save(rotated, remind_at=None, expire_at=None))
    of_nobody = RING.link_token(Subscription(SubscriptionId(uuid4()), ANNA.id, 1))

    for bad in (token, token[:-1], "x", "", "ключ", of_nobody):
        with pytest.raises(UnknownSubscription):
            renew(bad, MONTH.code)
        with pytest.raises(UnknownSubscription):
            show(bad, payment.id)
    assert len(shop.provider.creations) == 2  # the purchase and the renewal before the rotation


def test_a_payment_of_another_subscription_or_of_the_customer_alone_is_not_shown(
    shop: ShopUnderTest, renew: RenewByLink, show: ShowRenewal, token: str
) -> None:
    shop.buys(customer_id=BORIS)
    shop.works()
    with shop.ledger() as ledger:
        his = RING.link_token(ledger.subscriptions.of_customer(BORIS))
    by_his_link, her_own = renew(his, MONTH.code), shop.chooses(YEAR)

    assert show(his, by_his_link.id).payment.id == by_his_link.id
    for id in (by_his_link.id, her_own.id, PaymentId(uuid4())):
        with pytest.raises(UnknownPayment):
            show(token, id)


def test_neither_is_led_to_the_others_open_payment_but_each_to_their_own(
    shop: ShopUnderTest, renew: RenewByLink, token: str
) -> None:
    by_link, her_own = renew(token, MONTH.code), shop.chooses(MONTH)

    assert by_link.id != her_own.id
    assert renew(token, MONTH.code).id == by_link.id
    assert shop.chooses(MONTH).id == her_own.id
    open_to_pay = shop.show_open_payment(ANNA.id)
    assert open_to_pay is not None
    assert open_to_pay.id == her_own.id


def test_what_somebody_with_the_link_opened_is_not_offered_to_the_customer(
    shop: ShopUnderTest, renew: RenewByLink, token: str
) -> None:
    renew(token, MONTH.code)

    assert shop.show_open_payment(ANNA.id) is None


def test_an_address_typed_by_somebody_with_the_link_never_becomes_the_customers(
    shop: ShopUnderTest, renew: RenewByLink, token: str
) -> None:
    shop.provider.wants_receipts = True
    with_receipts: OpenPayment = replace(shop.open_payment, receipts=True)
    last = LastReceiptAddress(read_ledger=shop.database.read_ledger)

    by_link = replace(renew, open_payment=with_receipts)(token, MONTH.code, A_STRANGERS)
    assert shop.payment(by_link).receipt_to == A_STRANGERS
    assert last(ANNA.id) is None
    with_receipts(ANNA.id, MONTH.code, HERS)
    shop.passes(timedelta(minutes=1))
    replace(renew, open_payment=with_receipts)(token, YEAR.code, A_STRANGERS)
    assert last(ANNA.id) == HERS


def test_where_receipts_are_on_the_link_needs_an_address_too(
    shop: ShopUnderTest, renew: RenewByLink, token: str
) -> None:
    by_link = replace(renew, open_payment=replace(shop.open_payment, receipts=True))
    with pytest.raises(ReceiptAddressNeeded):
        by_link(token, MONTH.code)


@pytest.mark.parametrize("standing", [Standing.BANNED, Standing.DELETED])
def test_a_banned_or_leaving_customers_link_renews_nothing_and_says_so(
    shop: ShopUnderTest, renew: RenewByLink, token: str, standing: Standing
) -> None:
    assert shop.open_link(token).renewable
    stands(shop, standing)

    assert not shop.open_link(token).renewable
    with pytest.raises(CustomerBanned):
        renew(token, MONTH.code)
    assert len(shop.provider.creations) == 1


def test_the_link_buys_what_is_on_sale_and_no_trial(shop: ShopUnderTest, renew: RenewByLink, token: str) -> None:
    for code in (TRIAL.code, "gold", ""):
        with pytest.raises(UnknownPlan):
            renew(token, code)


def test_after_a_silent_provider_the_same_tap_goes_on_with_the_same_payment(
    shop: ShopUnderTest, renew: RenewByLink, token: str
) -> None:
    shop.provider.fails_with = ProviderUnavailable("silent")
    with pytest.raises(ProviderUnavailable):
        renew(token, MONTH.code)
    shop.provider.fails_with = None

    payment = renew(token, MONTH.code)

    with shop.ledger() as ledger:
        kept = [one.id for one in ledger.payments.of_customer(ANNA.id) if one.by_link]
    assert kept == [payment.id]


def test_the_customer_hears_of_money_that_came_by_the_link_and_not_of_strangers_who_thought_better_of_it(
    shop: ShopUnderTest, renew: RenewByLink, token: str
) -> None:
    letters = len(shop.letters())
    shop.passes(DAY)
    given_up, paid = renew(token, MONTH.code), renew(token, YEAR.code)
    shop.provider.cancels(given_up, "expired_on_confirmation")
    shop.nudge(given_up.id, None)
    for _ in range(3):  # one letter to one chat at a time
        shop.works()
        shop.passes(timedelta(minutes=1))
    assert shop.payment(given_up).state is PaymentState.DECLINED
    assert shop.letters()[letters:] == []

    shop.provider.pays(paid)
    shop.nudge(paid.id, None)
    shop.works()

    assert shop.letters()[letters:] == ["KeysReady"]


def test_the_pages_language_is_the_customers(shop: ShopUnderTest, token: str) -> None:
    shop.database.write(lambda ledger: ledger.customers.save(Customer(ANNA.id, Language.ENGLISH)))

    assert shop.open_link(token).language is Language.ENGLISH
