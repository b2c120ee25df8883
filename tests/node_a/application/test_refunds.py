"""Refunds: money goes back once, and takes the days that it paid for with it, never those that were used."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from node_a.adapters.database.tables import payments
from node_a.application.acts import Instruction, PerformAct
from node_a.application.retrying import HandleMoney
from node_a.application.stuck import WatchStuck
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import PaymentRefused, ProviderUnavailable, RefundRefused
from node_a.domain.money import Money
from node_a.domain.payment import OutcomeStatus, Payment, PaymentState
from node_a.domain.refund import Refund, RefundState
from tests.builders import ANNA, DAY, MONTH, NOW, OLGA, YEAR
from tests.fakes.shop import ShopUnderTest


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(database_url)
    yield shop
    shop.close()


def refunds_of(shop: ShopUnderTest, payment: Payment) -> list[Refund]:
    with shop.ledger() as ledger:
        return list(ledger.refunds.of_payment(payment.id))


def messages_to(shop: ShopUnderTest, customer_id: CustomerId) -> list[str]:
    with shop.ledger() as ledger:
        waiting = ledger.messages.waiting_since(shop.now + 365 * DAY)
    return [message.kind.value for message in waiting if message.customer_id == customer_id]


def test_a_full_refund_ends_the_subscription_now(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.passes(timedelta(days=3))

    shop.refunds(payment)
    shop.settles()

    assert [refund.state for refund in refunds_of(shop, payment)] == [RefundState.DONE]
    assert shop.subscription().ends_at == shop.now  # what was used stays used
    assert "refunded" in messages_to(shop, ANNA.id)
    shop.works()
    assert not shop.node.holds


def test_a_partial_refund_takes_whole_days_in_proportion(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()

    shop.refunds(payment, Money(10_000))  # of 199.00 for 30 days: 15.07 days
    shop.settles()

    assert shop.subscription().ends_at == NOW + timedelta(days=15)
    shop.works()
    assert {held.ends_at for held in shop.node.holds.values()} == {NOW + timedelta(days=15)}


def test_later_grants_move_up_so_that_no_gap_opens(shop: ShopUnderTest) -> None:
    first = shop.buys_and_gets()
    shop.buys_and_gets(YEAR)

    shop.refunds(first)
    shop.settles()

    subscription = shop.subscription()
    assert [(one.starts_at, one.ends_at) for one in subscription.grants] == [
        (NOW, shop.now),
        (shop.now, shop.now + YEAR.period),
    ]
    assert subscription.plan_at(shop.now) == YEAR


def test_an_answer_that_got_lost_pays_back_once(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.refunds(payment)
    shop.provider.fails_with = ProviderUnavailable("500 after the work")
    shop.provider.fails_after_the_work = True
    assert [type(error) for error in shop.settles()] == [ProviderUnavailable]

    shop.provider.fails_with = None
    shop.passes(timedelta(minutes=10))
    shop.settles()

    assert len(shop.provider.refunds) == 1
    assert shop.provider.refund_creations[0] == shop.provider.refund_creations[-1]
    assert [refund.state for refund in refunds_of(shop, payment)] == [RefundState.DONE]


def test_a_refund_that_never_answered_is_not_made_a_second_time_when_the_provider_has_forgotten_its_key(
    shop: ShopUnderTest,
) -> None:
    payment = shop.buys_and_gets()
    shop.refunds(payment)
    shop.provider.fails_with = ProviderUnavailable("down")
    shop.settles()
    shop.provider.fails_with = None
    shop.passes(timedelta(hours=21))

    shop.settles()

    assert not shop.provider.refunds
    (refund,) = refunds_of(shop, payment)
    assert (refund.state, refund.reason) == (RefundState.FAILED, "never answered")
    assert shop.payment(payment).attention == "refund failed: never answered"
    assert messages_to(shop, OLGA) == ["money needs you"]
    assert shop.subscription().ends_at == NOW + MONTH.period


def test_one_that_never_answered_and_was_made_after_all_counts(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.refunds(payment)
    shop.provider.fails_with = ProviderUnavailable("500 after the work")
    shop.provider.fails_after_the_work = True
    shop.settles()
    shop.provider.fails_with = None
    shop.passes(timedelta(hours=21))

    shop.settles()

    assert [refund.state for refund in refunds_of(shop, payment)] == [RefundState.DONE]
    assert shop.payment(payment).attention is None


def test_a_refund_the_provider_refuses_is_for_a_person(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.provider.refunds_by_hand(payment)  # nobody told us: there is nothing left
    shop.refunds(payment)

    shop.settles()

    states = {refund.state for refund in refunds_of(shop, payment)}
    assert states == {RefundState.DONE, RefundState.FAILED}
    assert shop.subscription().ends_at == shop.now


def test_no_more_goes_back_than_was_paid(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.refunds(payment, Money(15_000))

    with pytest.raises(RefundRefused, match=r"49\.00"):
        shop.refunds(payment, Money(5_000))
    shop.refunds(payment, Money(4_900))
    shop.settles()

    assert sum(refund.amount.minor_units for refund in shop.provider.refunds.values()) == MONTH.price.minor_units


@pytest.mark.parametrize("amount", [Money(0), Money(-100), Money(100, "USD")])
def test_an_amount_that_is_none_is_refused(shop: ShopUnderTest, amount: Money) -> None:
    payment = shop.buys_and_gets()
    with pytest.raises(RefundRefused):
        shop.refunds(payment, amount)


def test_an_unpaid_payment_cannot_be_refunded(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    with pytest.raises(RefundRefused):
        shop.refunds(payment)


def test_a_refund_made_by_hand_is_found_by_a_nudge(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.passes(timedelta(minutes=5))
    shop.provider.refunds_by_hand(payment, Money(10_000))

    assert shop.nudge(None, shop.payment(payment).provider_id, True)
    shop.settles()

    assert shop.subscription().ends_at == NOW + timedelta(days=15)


def test_a_nudge_about_a_payment_does_not_wake_a_paid_one(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    assert not shop.nudge(payment.id, None)


def test_a_payment_that_went_back_before_we_heard_of_it_gives_no_days(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)
    shop.provider.refunds_by_hand(payment)
    shop.nudge(payment.id, None)

    shop.settles()
    shop.passes(timedelta(seconds=3))
    shop.settles()

    assert shop.subscription().ends_at is not None
    assert not shop.subscription().is_active(shop.now)


def test_a_pending_refund_is_asked_about_until_it_is_final(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.provider.refunds_as = RefundState.PENDING
    shop.refunds(payment)
    shop.settles()
    assert [refund.state for refund in refunds_of(shop, payment)] == [RefundState.PENDING]
    assert shop.subscription().ends_at == NOW + MONTH.period
    (made,) = shop.provider.refunds.values()

    shop.provider.finishes(made, RefundState.DONE)
    shop.passes(timedelta(minutes=10))
    shop.settles()

    assert shop.subscription().ends_at == max(shop.now, NOW)


def test_repeating_the_check_changes_nothing(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.refunds(payment, Money(10_000))
    shop.settles()
    before, letters = shop.subscription(), messages_to(shop, ANNA.id)

    for _ in range(3):
        shop.passes(timedelta(minutes=10))
        shop.nudge(payment.id, None, True)
        shop.settles()

    assert shop.subscription() == before
    assert messages_to(shop, ANNA.id) == letters


def test_a_dispute_ends_when_all_the_money_has_gone_back(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment, amount=Money(100))
    shop.nudge(payment.id, None)
    shop.settles()
    assert shop.payment(payment).attention == "differs: amount"
    assert messages_to(shop, OLGA) == ["money needs you"]

    refund = shop.refunds(payment)
    shop.passes(timedelta(seconds=3))
    shop.settles()

    assert refund.amount == Money(100)
    assert shop.payment(payment).attention is None
    assert not shop.has_subscription()


@pytest.mark.parametrize("standing", [Standing.BANNED, Standing.DELETED])
def test_late_money_is_recorded_and_told_and_gives_no_days(shop: ShopUnderTest, standing: Standing) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA.now_in(standing))
    shop.nudge(payment.id, None)

    shop.settles()

    assert shop.payment(payment).state is PaymentState.PAID
    assert shop.payment(payment).attention == f"late: the customer is {standing}"
    assert messages_to(shop, OLGA) == ["money needs you"]
    assert messages_to(shop, ANNA.id) == []
    assert not shop.has_subscription()


def test_days_owed_to_somebody_who_was_banned_come_with_the_next_look(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA.now_in(Standing.BANNED))
    shop.nudge(payment.id, None)
    shop.settles()
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)

    shop.passes(timedelta(seconds=3))
    shop.nudge(payment.id, None, True)
    shop.works()

    assert shop.subscription().ends_at == shop.now + MONTH.period
    assert shop.payment(payment).attention is None


def test_money_for_an_erased_customer_is_still_seen(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)
    with shop.database.open_ledger() as ledger:
        ledger.customers.erase(ANNA.id)
    shop.nudge(payment.id, None)

    shop.settles()

    kept = shop.payment(payment)
    assert kept.state is PaymentState.PAID
    assert (kept.customer_id, kept.request, kept.attention) == (0, "", "late: the customer is deleted")
    shop.refunds(payment)
    shop.passes(timedelta(seconds=3))
    assert shop.settles() == []
    assert shop.payment(payment).attention is None


def test_a_customer_erased_during_a_check_stops_nothing(shop: ShopUnderTest) -> None:
    payment = shop.buys()
    with shop.database.open_ledger() as ledger:
        (claim,) = ledger.payments.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)
        ledger.customers.erase(ANNA.id)

    settled = shop.settle_payment(claim)

    assert settled.state is PaymentState.PAID
    assert shop.payment(payment).attention == "late: the customer is deleted"


def test_a_refused_look_at_refunds_is_repeated_more_and_more_slowly(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.refunds(payment)
    shop.provider.fails_with = PaymentRefused("the key was revoked")
    looked = []
    for second in range(600):
        shop.now = NOW + timedelta(seconds=second)
        if shop.settles():
            looked.append(second)

    assert 4 <= len(looked) <= 9
    assert shop.payment(payment).state is PaymentState.PAID
    assert shop.provider.payments[payment.id].status is OutcomeStatus.SUCCEEDED


def test_a_refund_that_fails_again_is_told_again(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    perform = PerformAct(write=shop.database.write, clock=lambda: shop.now)
    shop.provider.refunds_as = RefundState.FAILED
    for number in (1, 2):
        shop.refunds(payment)
        shop.settles()
        HandleMoney(perform=perform)(Instruction(number, OLGA, "wrote to YooKassa"), payment.id)

    assert messages_to(shop, OLGA) == ["money needs you"] * 2


def test_days_settled_with_the_customer_otherwise_do_not_come_after_all(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA.now_in(Standing.BANNED))
    shop.nudge(payment.id, None)
    shop.settles()
    perform = PerformAct(write=shop.database.write, clock=lambda: shop.now)
    HandleMoney(perform=perform)(Instruction(1, OLGA, "paid back by hand"), payment.id)
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)

    shop.passes(timedelta(minutes=1))
    shop.nudge(payment.id, None, True)
    shop.settles()

    assert not shop.has_subscription()


@pytest.mark.parametrize("seconds", [10.0**9, 10.0**15])
def test_however_long_the_provider_asks_us_to_wait_the_checks_go_on(shop: ShopUnderTest, seconds: float) -> None:
    payment = shop.buys()
    shop.provider.fails_with = ProviderUnavailable("wait", retry_after=seconds)
    shop.settles()
    shop.provider.fails_with = None

    shop.passes(timedelta(minutes=10))
    shop.settles()

    assert shop.payment(payment).is_paid


def test_a_refund_that_nobody_would_look_at_is_found_by_the_watch(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.refunds(payment)
    with shop.engine.begin() as connection:  # as the release before leaves it, which knows nothing of refunds
        connection.execute(update(payments).values(check_at=None))

    tell = shop.record_outcome.tell_operators
    WatchStuck(write=shop.database.write, tell=tell, clock=lambda: shop.now, new_ids=shop.new_ids)()
    shop.settles()

    assert [refund.state for refund in refunds_of(shop, payment)] == [RefundState.DONE]
