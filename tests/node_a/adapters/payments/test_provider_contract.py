"""What every PaymentProvider promises: the fake that the use cases are tested with, and YooKassa's on the stand-in."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from node_a.application.ports import ListedPayment
from node_a.domain.errors import PaymentRefused, ProviderUnavailable, ReceiptAddressNeeded
from node_a.domain.money import Money
from node_a.domain.payment import Outcome, OutcomeStatus, Payment, PaymentId
from node_a.domain.plan import Plan
from node_a.domain.refund import Refund, RefundId, RefundOutcome, RefundState
from tests.builders import ANNA, MONTH, NOW, YEAR
from tests.node_a.adapters.payments.provider_sides import FakeSide, ProviderSide, StandInSide

LONG_AGO = NOW - timedelta(days=365)
UNKNOWN = "2e8f1c3a-000f-5000-9000-1b68e7b15f3f"


@pytest.fixture(params=["fake", "yookassa"])
def side(request: pytest.FixtureRequest) -> ProviderSide:
    if request.param == "fake":
        return FakeSide()
    return StandInSide(request.getfixturevalue("stand_in"), request.getfixturevalue("connect"))


def asked_for(side: ProviderSide, plan: Plan = MONTH, receipt_to: str | None = None) -> Payment:
    """A payment as the ledger holds it before the provider hears of it."""
    payment = Payment(PaymentId(uuid4()), ANNA.id, plan, side.shop, side.now, receipt_to=receipt_to)
    return replace(payment, request=side.provider.request_for(payment, "VPN"))


def opened(side: ProviderSide, plan: Plan = MONTH) -> Payment:
    payment = asked_for(side, plan)
    return payment.opened(side.provider.create(payment))


def paid(side: ProviderSide, plan: Plan = MONTH) -> Payment:
    payment = opened(side, plan)
    side.is_paid(payment)
    return payment


def a_refund(side: ProviderSide, payment: Payment, kopecks: int) -> Refund:
    refund = Refund(RefundId(uuid4()), payment.id, Money(kopecks), side.now)
    return replace(refund, request=side.provider.refund_request_for(payment, refund, "VPN"))


def refund(side: ProviderSide, payment: Payment, kopecks: int) -> RefundOutcome:
    return side.provider.create_refund(a_refund(side, payment, kopecks))


def payments(side: ProviderSide) -> list[ListedPayment]:
    return list(side.provider.payments_since(LONG_AGO))


def gone_back(outcome: Outcome) -> int:
    return outcome.refunded.minor_units if outcome.refunded else 0


# ── payments ──


def test_a_repeated_creation_is_the_same_payment(side: ProviderSide) -> None:
    payment = asked_for(side)

    first = side.provider.create(payment)

    assert first.link
    assert side.provider.create(payment) == first
    assert [entry.id for entry in payments(side)] == [payment.id]


def test_a_creation_whose_answer_was_lost_is_found_by_its_repeat(side: ProviderSide) -> None:
    payment = asked_for(side)
    with side.failing(after_the_work=True), pytest.raises(ProviderUnavailable):
        side.provider.create(payment)
    (hidden,) = payments(side)

    assert side.provider.create(payment).provider_id == hidden.outcome.provider_id
    assert len(payments(side)) == 1


def test_a_payment_is_found_as_it_stands(side: ProviderSide) -> None:
    waiting, declined, done = opened(side), opened(side), paid(side)
    side.declines(declined)

    outcomes = [side.provider.find(payment) for payment in (waiting, declined, done)]

    pending, canceled, succeeded = OutcomeStatus.PENDING, OutcomeStatus.CANCELED, OutcomeStatus.SUCCEEDED
    assert [outcome.status for outcome in outcomes] == [pending, canceled, succeeded]
    assert [outcome.reason for outcome in outcomes] == [None, "insufficient_funds", None]
    assert [gone_back(outcome) for outcome in outcomes] == [0, 0, 0]
    assert outcomes[2].amount == MONTH.price


def test_a_payment_nobody_made_is_refused(side: ProviderSide) -> None:
    nobody_knows = asked_for(side)

    with pytest.raises(ValueError, match="not known"):
        side.provider.find(nobody_knows)
    with pytest.raises(PaymentRefused):
        side.provider.find(replace(nobody_knows, provider_id=UNKNOWN))


# ── refunds ──


def test_a_repeated_refund_is_the_same_refund(side: ProviderSide) -> None:
    payment = paid(side)
    wanted = a_refund(side, payment, 5_000)

    first = side.provider.create_refund(wanted)

    assert side.provider.create_refund(wanted) == first
    assert (first.id, first.amount, first.state) == (wanted.id, Money(5_000), RefundState.DONE)
    assert first.payment_provider_id == payment.provider_id
    assert list(side.provider.refunds_of(payment)) == [first]
    assert gone_back(side.provider.find(payment)) == 5_000


def test_a_refund_whose_answer_was_lost_is_found_by_its_repeat(side: ProviderSide) -> None:
    payment = paid(side)
    wanted = a_refund(side, payment, 5_000)
    with side.failing(after_the_work=True), pytest.raises(ProviderUnavailable):
        side.provider.create_refund(wanted)
    (hidden,) = side.provider.refunds_of(payment)

    assert side.provider.create_refund(wanted) == hidden
    assert gone_back(side.provider.find(payment)) == 5_000


def test_a_refund_that_failed_before_the_work_was_not_made(side: ProviderSide) -> None:
    payment = paid(side)
    wanted = a_refund(side, payment, 5_000)
    with side.failing(), pytest.raises(ProviderUnavailable):
        side.provider.create_refund(wanted)

    assert list(side.provider.refunds_of(payment)) == []


def test_no_more_is_paid_back_than_is_left(side: ProviderSide) -> None:
    payment = paid(side)
    first = refund(side, payment, 10_000)

    with pytest.raises(PaymentRefused):
        refund(side, payment, 9_901)

    assert list(side.provider.refunds_of(payment)) == [first]
    assert refund(side, payment, 9_900).state is RefundState.DONE
    assert gone_back(side.provider.find(payment)) == 19_900


def test_what_was_not_paid_is_not_paid_back(side: ProviderSide) -> None:
    with pytest.raises(PaymentRefused):
        refund(side, opened(side), 100)


def test_a_refund_by_hand_is_seen_and_is_not_ours(side: ProviderSide) -> None:
    payment, other = paid(side), paid(side)
    ours = refund(side, payment, 100)
    side.a_minute_passes()
    side.refunds_by_hand(payment, Money(5_000))
    side.a_minute_passes()
    side.refunds_by_hand(payment)

    rest, part, known = side.provider.refunds_of(payment)

    assert known == ours
    assert [(found.id, found.amount) for found in (part, rest)] == [(None, Money(5_000)), (None, Money(14_800))]
    assert list(side.provider.refunds_since(LONG_AGO)) == [rest, part, ours]
    assert list(side.provider.refunds_of(other)) == []
    assert gone_back(side.provider.find(payment)) == 19_900


def test_a_refund_may_wait_and_then_be_done(side: ProviderSide) -> None:
    side.lets_refunds_wait()
    payment = paid(side)
    waiting = refund(side, payment, 19_900)
    assert waiting.state is RefundState.PENDING
    assert gone_back(side.provider.find(payment)) == 0
    with pytest.raises(PaymentRefused):
        refund(side, payment, 1)

    side.ends(waiting, RefundState.DONE, "")

    assert list(side.provider.refunds_of(payment)) == [replace(waiting, state=RefundState.DONE)]
    assert gone_back(side.provider.find(payment)) == 19_900


def test_a_refund_may_fail_and_its_money_is_there_again(side: ProviderSide) -> None:
    side.lets_refunds_wait()
    payment = paid(side)
    waiting = refund(side, payment, 19_900)

    side.ends(waiting, RefundState.FAILED, "rejected_by_payee")

    failed = replace(waiting, state=RefundState.FAILED, reason="rejected_by_payee")
    assert list(side.provider.refunds_of(payment)) == [failed]
    assert gone_back(side.provider.find(payment)) == 0
    assert refund(side, payment, 19_900).state is RefundState.PENDING


# ── lists ──


@pytest.mark.parametrize("plan", [MONTH, YEAR], ids=lambda plan: plan.code)
def test_a_listed_payment_says_what_was_asked_for(side: ProviderSide, plan: Plan) -> None:
    payment = paid(side, plan)

    (listed,) = payments(side)

    assert (listed.id, listed.customer_id, listed.plan) == (payment.id, ANNA.id, plan)
    assert (listed.outcome.provider_id, listed.outcome.status) == (payment.provider_id, OutcomeStatus.SUCCEEDED)


def test_lists_begin_at_the_moment_and_have_the_newest_first(side: ProviderSide) -> None:
    made = []
    for _ in range(3):
        payment = paid(side)
        made.append((payment.id, refund(side, payment, 100)))
        side.a_minute_passes()
    (first, first_back), (second, second_back), (third, third_back) = made
    _, listed, _ = payments(side)

    assert [entry.id for entry in payments(side)] == [third, second, first]
    assert [entry.id for entry in side.provider.payments_since(listed.created_at)] == [third, second]
    assert list(side.provider.refunds_since(LONG_AGO)) == [third_back, second_back, first_back]
    assert list(side.provider.refunds_since(second_back.created_at)) == [third_back, second_back]


def test_a_foreign_payment_is_listed_as_such(side: ProviderSide) -> None:
    side.takes_a_foreign_payment()

    (listed,) = payments(side)

    assert (listed.id, listed.customer_id, listed.plan) == (None, None, None)
    assert listed.outcome.amount == Money(100)


def test_no_list_is_shorter_because_the_provider_is_away(side: ProviderSide) -> None:
    payment = paid(side)
    with side.failing():
        since_then = side.provider.payments_since(LONG_AGO)
        with pytest.raises(ProviderUnavailable):
            next(since_then)
        with pytest.raises(ProviderUnavailable):
            next(side.provider.refunds_since(LONG_AGO))
        with pytest.raises(ProviderUnavailable):
            side.provider.refunds_of(payment)


# ── tax receipts ──


def test_without_an_address_no_receipt_and_no_request(side: ProviderSide) -> None:
    before = paid(side)
    side.sends_receipts()

    for nowhere in (None, "", "anna"):
        with pytest.raises(ReceiptAddressNeeded):
            asked_for(side, receipt_to=nowhere)
    with pytest.raises(ReceiptAddressNeeded):
        a_refund(side, before, 100)


def test_with_an_address_it_is_paid_and_paid_back(side: ProviderSide) -> None:
    side.sends_receipts()
    payment = asked_for(side, receipt_to="anna@example.org")
    payment = payment.opened(side.provider.create(payment))
    side.is_paid(payment)

    assert refund(side, payment, 19_900).state is RefundState.DONE
