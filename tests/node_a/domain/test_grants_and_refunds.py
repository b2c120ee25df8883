"""Whatever is bought and paid back, in whatever order and however often it is told: days are added and taken once."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.grant import Grant, GrantId
from node_a.domain.money import Money
from node_a.domain.payment import Payment, PaymentId, PaymentState
from node_a.domain.plan import Plan
from node_a.domain.refund import Refund, RefundId, RefundOutcome, RefundState, days_to_take, left_to_refund, refund_of
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, DAY, NOW, a_payment

EMPTY: Final = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, secret_number=1)


@dataclass(frozen=True)
class Granted:
    """The days of a payment are added."""

    payment: Payment


@dataclass(frozen=True)
class Refunded:
    """So much of a payment, in all, has gone back."""

    payment: Payment
    minor_units: int


Event = Granted | Refunded


def payment_number(number: int, days: int, price: int) -> Payment:
    return a_payment(
        id=PaymentId(UUID(int=number)), plan=Plan("any", days, Money(price)), state=PaymentState.PAID, settled_at=NOW
    )


payments_of_anna = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 200_000)), min_size=1, max_size=5).map(
    lambda sold: [payment_number(number, *plan) for number, plan in enumerate(sold)]
)


def after(subscription: Subscription, event: Event, now: datetime) -> Subscription:
    payment = event.payment
    if isinstance(event, Granted):
        return subscription.granted(GrantId(payment.id), payment.source, payment.plan, now)
    refund = Refund(RefundId(payment.id), payment.id, Money(event.minor_units), NOW, state=RefundState.DONE)
    return subscription.refunded(payment.source, days_to_take(payment, [refund]), now)


def all_after(events: Iterable[Event], now: datetime = NOW) -> Subscription:
    subscription = EMPTY
    for event in events:
        subscription = after(subscription, event, now)
    return subscription


def grant_of(subscription: Subscription, payment: Payment) -> Grant | None:
    return next((grant for grant in subscription.grants if grant.source == payment.source), None)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Every payment is granted; parts of some go back, in growing sums, perhaps before the days were given."""
    events: list[Event] = []
    for payment in draw(payments_of_anna):
        events.append(Granted(payment))
        sums = draw(st.lists(st.integers(1, payment.plan.price.minor_units), max_size=3, unique=True))
        events += [Refunded(payment, back) for back in sorted(sums)]
    return events


def told_again(history: Sequence[Event], order: Sequence[Event]) -> list[Event]:
    """As it arrived, and then all once more: what came before its payment was granted is asked for again."""
    return [*order, *history]


# ── Within one moment ────────────────────────────────────────────────────────────────────────────────────────────────


@given(histories(), st.data())
def test_in_any_order_and_however_often_the_end_is_the_same(history: list[Event], data: st.DataObject) -> None:
    order = data.draw(st.permutations(history))
    again = data.draw(st.lists(st.sampled_from(history), max_size=10))

    told = all_after([*told_again(history, order), *again])

    assert told.ends_at == all_after(history).ends_at
    assert told.revision == all_after(told_again(history, order)).revision


@given(histories(), st.data())
def test_while_nothing_is_used_up_the_days_are_those_given_less_those_taken(
    history: list[Event], data: st.DataObject
) -> None:
    subscription = all_after(told_again(history, data.draw(st.permutations(history))))

    taken = sum(grant.days_taken for grant in subscription.grants)
    given_days = sum(grant.plan.days for grant in subscription.grants)
    assert subscription.ends_at == NOW + (given_days - taken) * DAY
    for grant in subscription.grants:
        assert grant.ends_at - grant.starts_at == grant.plan.period - grant.days_taken * DAY


# ── While time passes ────────────────────────────────────────────────────────────────────────────────────────────────


def assert_in_order(subscription: Subscription) -> None:
    assert all(grant.starts_at <= grant.ends_at for grant in subscription.grants)
    assert all(one.ends_at <= next.starts_at for one, next in itertools.pairwise(subscription.grants))


def assert_one_step(before: Subscription, now: datetime, event: Event) -> Subscription:
    """What holds of every single step, whatever came before."""
    changed = after(before, event, now)
    assert_in_order(changed)
    same = replace(changed, revision=before.revision) == before
    assert changed.revision == before.revision + (0 if same else 1)
    if same:
        assert changed is before
    assert after(changed, event, now) is changed  # once more is nothing more
    assert after(changed, event, now + DAY) is changed
    if isinstance(event, Granted):
        assert_added(before, changed, event.payment, now)
    else:
        assert_taken(before, changed, event.payment, now)
    return changed


def assert_added(before: Subscription, changed: Subscription, payment: Payment, now: datetime) -> None:
    if changed is before:
        return
    assert changed.grants[:-1] == before.grants
    assert changed.grants[-1].starts_at == max(now, before.ends_at or now)  # no gap that need not be, no day eaten
    assert changed.grants[-1].ends_at == changed.grants[-1].starts_at + payment.plan.period


def assert_taken(before: Subscription, changed: Subscription, payment: Payment, now: datetime) -> None:
    if before.ends_at is None or changed.ends_at is None:
        assert changed is before
        return
    lost = before.ends_at - changed.ends_at
    assert timedelta(0) <= lost <= payment.plan.period
    assert changed.ends_at >= min(now, before.ends_at)
    for one, other in zip(before.grants, changed.grants, strict=True):
        assert one.source == other.source
        assert other.days_taken <= other.plan.days
        # What was used before now stays as it was.
        assert one.starts_at >= now or other.starts_at == one.starts_at
        assert one.ends_at >= now or other.ends_at == one.ends_at
        assert one.ends_at < now or other.ends_at >= now
        if one.source != payment.source:
            assert other.ends_at - other.starts_at == one.ends_at - one.starts_at  # others lose nothing


waits = st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), timedelta(days=200)))


@given(histories(), st.data())
def test_as_time_passes_intervals_follow_each_other_and_nothing_used_is_taken(
    history: list[Event], data: st.DataObject
) -> None:
    subscription, now = EMPTY, NOW
    for event in data.draw(st.permutations(history)):
        now += data.draw(waits)
        subscription = assert_one_step(subscription, now, event)


@given(payments_of_anna, st.data())
def test_of_a_payment_that_all_went_back_nothing_is_left_after_now(
    payments: list[Payment], data: st.DataObject
) -> None:
    subscription, now = EMPTY, NOW
    for payment in payments:
        subscription = after(subscription, Granted(payment), now)
        now += data.draw(waits)
    payment = data.draw(st.sampled_from(payments))

    subscription = after(subscription, Refunded(payment, payment.plan.price.minor_units), now)

    grant = grant_of(subscription, payment)
    assert grant is not None
    assert grant.ends_at <= max(now, grant.starts_at)
    assert not grant.covers(now)
    assert grant.starts_at == grant.ends_at or grant.ends_at <= now


@given(payments_of_anna, st.data())
def test_when_everything_went_back_nothing_is_left_after_now(payments: list[Payment], data: st.DataObject) -> None:
    now = NOW + data.draw(waits)
    subscription = all_after(Granted(payment) for payment in payments)
    for payment in data.draw(st.permutations(payments)):
        subscription = after(subscription, Refunded(payment, payment.plan.price.minor_units), now)

    ends_at = subscription.ends_at
    assert ends_at is not None
    assert ends_at <= now
    assert not subscription.is_active(now)


# ── The money of it ──────────────────────────────────────────────────────────────────────────────────────────────────


def some_refunds(payment: Payment, amounts: Sequence[int], states: Sequence[RefundState]) -> list[Refund]:
    return [
        Refund(RefundId(UUID(int=number)), payment.id, Money(amount), NOW, state=state)
        for number, (amount, state) in enumerate(zip(amounts, states, strict=False))
    ]


amounts_of = st.lists(st.integers(1, 300_000), max_size=6)
states_of = st.lists(st.sampled_from(RefundState), min_size=6, max_size=6)


@given(payments_of_anna, amounts_of, states_of)
def test_days_go_with_money_that_went_back_and_never_more_than_were_given(
    payments: list[Payment], amounts: list[int], states: list[RefundState]
) -> None:
    payment = payments[0]
    refunds = some_refunds(payment, amounts, states)
    price, days = payment.plan.price.minor_units, payment.plan.days

    taken = days_to_take(payment, refunds)

    back = sum(refund.amount.minor_units for refund in refunds if refund.state is RefundState.DONE)
    assert 0 <= taken <= days
    assert taken * price <= days * back  # whole days, rounded in the customer's favour
    assert (taken == days) == (back >= price)
    for number in range(len(refunds)):  # one more never gives days back
        assert days_to_take(payment, refunds[:number]) <= taken


@given(payments_of_anna, amounts_of, states_of)
def test_what_can_still_go_back_and_what_did_is_never_more_than_came(
    payments: list[Payment], amounts: list[int], states: list[RefundState]
) -> None:
    payment = payments[0]
    refunds: list[Refund] = []
    for refund in some_refunds(payment, amounts, states):
        left = left_to_refund(payment, refunds)
        if refund.amount.minor_units <= left.minor_units:
            refunds.append(refund)

    gone = sum(refund.amount.minor_units for refund in refunds if refund.state is not RefundState.FAILED)
    assert left_to_refund(payment, refunds).minor_units + gone == payment.plan.price.minor_units


def heard_of(state: RefundState) -> RefundOutcome:
    return RefundOutcome("r", "p", Money(100), state, NOW)


UNDER_WAY: Final = refund_of(
    heard_of(RefundState.PENDING), RefundId(UUID(int=1)), payment_number(1, 30, 19_900)
).settled(heard_of(RefundState.PENDING), NOW)


@given(st.lists(st.sampled_from([RefundState.PENDING, RefundState.DONE, RefundState.FAILED]), max_size=6))
def test_what_went_back_stays_gone_whatever_is_heard_later(heard: list[RefundState]) -> None:
    refund = UNDER_WAY
    for state in heard:
        refund = refund.settled(heard_of(state), NOW)
        assert refund.settled(heard_of(state), NOW + DAY) is refund
        assert refund.is_open == (refund.settled_at is None)

    assert (refund.state is RefundState.DONE) == (RefundState.DONE in heard)


def test_given_up_and_then_under_way_after_all_a_refund_is_open_again() -> None:
    """Or nobody would ever see it among those that are."""
    given_up = UNDER_WAY.failed("never answered", NOW)

    again = given_up.settled(heard_of(RefundState.PENDING), NOW + DAY)

    assert again.is_open
    assert again.settled_at is None


def test_the_same_refusal_again_changes_nothing() -> None:
    refused = UNDER_WAY.settled(heard_of(RefundState.FAILED), NOW)

    assert refused.settled(heard_of(RefundState.FAILED), NOW + DAY) is refused
    assert refused.settled_at == NOW
