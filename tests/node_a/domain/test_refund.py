"""A refund: the provider's word, and how many days go with the money."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from node_a.domain.money import Money
from node_a.domain.payment import PaymentState
from node_a.domain.refund import (
    Refund,
    RefundId,
    RefundOutcome,
    RefundState,
    days_to_take,
    left_to_refund,
    refund_of,
)
from tests.builders import MONTH, NOW, a_payment

PAID = a_payment(state=PaymentState.PAID, received=MONTH.price)


def a_refund(kopecks: int = 10_000, state: RefundState = RefundState.OPENING) -> Refund:
    return Refund(RefundId(UUID(int=5)), PAID.id, Money(kopecks), NOW, state=state)


def said(state: RefundState, **changes: object) -> RefundOutcome:
    return replace(RefundOutcome("refund-5", "provider-77", Money(10_000), state, NOW), **changes)  # type: ignore[arg-type]


def test_the_providers_word_is_final_once_it_is_done() -> None:
    done = a_refund().settled(said(RefundState.DONE), NOW)

    assert (done.state, done.provider_id, done.settled_at, done.is_open) == (RefundState.DONE, "refund-5", NOW, False)
    assert done.settled(said(RefundState.FAILED, reason="canceled"), NOW + timedelta(days=1)) is done


def test_a_pending_one_stays_open() -> None:
    pending = a_refund().settled(said(RefundState.PENDING), NOW)
    assert pending.is_open
    assert pending.settled_at is None


def test_one_that_was_given_up_may_turn_out_to_be_done() -> None:
    given_up = a_refund().failed("never answered", NOW)
    assert given_up.reason == "never answered"
    assert given_up.settled(said(RefundState.DONE), NOW).state is RefundState.DONE


def test_the_creation_is_not_repeated_when_the_provider_may_have_forgotten_its_key() -> None:
    assert a_refund().creation_may_be_repeated(NOW + timedelta(hours=19))
    assert not a_refund().creation_may_be_repeated(NOW + timedelta(hours=20))


def test_it_is_asked_about_more_and_more_slowly() -> None:
    refund = a_refund()
    assert refund.next_try(NOW) == NOW + timedelta(seconds=5)
    assert refund.not_answered().not_answered().next_try(NOW) == NOW + timedelta(seconds=20)


def test_one_made_in_the_providers_pages_is_known_by_its_number_there() -> None:
    found = refund_of(said(RefundState.DONE), RefundId(UUID(int=9)), PAID)
    assert (found.provider_id, found.payment_id, found.request) == ("refund-5", PAID.id, "")


@pytest.mark.parametrize(
    ("kopecks", "days"),
    [([0], 0), ([663], 0), ([664], 1), ([10_000], 15), ([5_000, 5_000], 15), ([19_900], 30), ([19_900, 19_900], 30)],
)
def test_whole_days_in_proportion_and_never_more_than_were_given(kopecks: list[int], days: int) -> None:
    refunds = [a_refund(amount, RefundState.DONE) for amount in kopecks]
    assert days_to_take(PAID, refunds) == days


@pytest.mark.parametrize("state", [RefundState.OPENING, RefundState.PENDING, RefundState.FAILED])
def test_only_money_that_went_back_takes_days(state: RefundState) -> None:
    assert days_to_take(PAID, [a_refund(19_900, state)]) == 0


def test_what_cost_nothing_loses_no_days() -> None:
    free = replace(PAID, plan=replace(MONTH, price=Money(0)))
    assert days_to_take(free, [a_refund(100, RefundState.DONE)]) == 0


@pytest.mark.parametrize(
    ("state", "left"), [(RefundState.OPENING, 9_900), (RefundState.DONE, 9_900), (RefundState.FAILED, 19_900)]
)
def test_what_is_on_its_way_back_cannot_go_back_again(state: RefundState, left: int) -> None:
    assert left_to_refund(PAID, [a_refund(state=state)]) == Money(left)


def test_what_was_received_counts_not_what_was_asked_for() -> None:
    assert left_to_refund(replace(PAID, received=Money(100, "USD")), []) == Money(100, "USD")
    assert left_to_refund(replace(PAID, received=None), []) == MONTH.price
