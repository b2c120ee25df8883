"""A subscription adds days once per reason, never eats paid ones, and knows when to speak."""

import itertools
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.grant import GrantId
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription, SubscriptionId, SubscriptionState
from tests.builders import ANNA, DAY, MONTH, NOW, YEAR

EMPTY = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, secret_number=1)


def a_subscription(*plans: Plan) -> Subscription:
    subscription = EMPTY
    for number, plan in enumerate(plans):
        subscription = subscription.granted(GrantId(UUID(int=number)), f"payment:{number}", plan, NOW)
    return subscription


def test_the_first_grant_starts_now() -> None:
    subscription = a_subscription(MONTH)

    assert subscription.ends_at == NOW + 30 * DAY
    assert subscription.revision == 1
    assert subscription.is_active(NOW)


def test_renewing_early_eats_no_paid_days() -> None:
    assert a_subscription(MONTH, YEAR).ends_at == NOW + 390 * DAY


def test_renewing_late_starts_at_the_renewal() -> None:
    later = NOW + 100 * DAY
    renewed = a_subscription(MONTH).granted(GrantId(UUID(int=9)), "payment:9", MONTH, later)

    assert renewed.ends_at == later + 30 * DAY


def test_the_same_reason_grants_once() -> None:
    subscription = a_subscription(MONTH)

    assert subscription.granted(GrantId(UUID(int=9)), "payment:0", MONTH, NOW) is subscription


def test_the_plan_in_force_is_that_of_the_interval_covering_now() -> None:
    subscription = a_subscription(MONTH, YEAR)

    assert subscription.plan_at(NOW) == MONTH
    assert subscription.plan_at(NOW + 30 * DAY) == YEAR
    assert subscription.plan_at(NOW + 390 * DAY) is None


def test_an_hour_left_is_a_day_left_and_nothing_left_is_none() -> None:
    subscription = a_subscription(MONTH)

    assert subscription.days_left(NOW) == 30
    assert subscription.days_left(NOW + timedelta(seconds=1)) == 30
    assert subscription.days_left(NOW + 30 * DAY - timedelta(hours=1)) == 1
    assert subscription.days_left(NOW + 30 * DAY) == 0
    assert EMPTY.days_left(NOW) == 0


def test_the_end_itself_is_not_covered_any_more() -> None:
    subscription = a_subscription(MONTH)

    assert subscription.state(NOW + 30 * DAY) is SubscriptionState.EXPIRED
    assert EMPTY.state(NOW) is SubscriptionState.EXPIRED


def test_reminders_come_three_days_and_one_day_before_the_end() -> None:
    subscription = a_subscription(MONTH)

    assert subscription.next_reminder(NOW) == NOW + 27 * DAY
    assert subscription.next_reminder(NOW + 27 * DAY) == NOW + 29 * DAY
    assert subscription.next_reminder(NOW + 29 * DAY) is None
    assert subscription.reminder_due(NOW) is None
    assert subscription.reminder_due(NOW + 27 * DAY) == 3 * DAY
    assert subscription.reminder_due(NOW + 29 * DAY) == DAY
    assert subscription.reminder_due(NOW + 30 * DAY) is None
    assert EMPTY.reminder_due(NOW) is None
    assert EMPTY.next_reminder(NOW) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 400), st.integers(0, 900)), max_size=12))
def test_intervals_never_overlap_whatever_comes_when(events: list[tuple[int, int, int]]) -> None:
    subscription = EMPTY
    for number, (reason, days, wait) in enumerate(sorted(events, key=lambda event: event[2])):
        plan = Plan("any", days, MONTH.price)
        subscription = subscription.granted(GrantId(UUID(int=number)), f"{reason}", plan, NOW + wait * DAY)

    grants = subscription.grants
    assert len({grant.source for grant in grants}) == len(grants)
    assert all(grant.ends_at - grant.starts_at == grant.plan.period for grant in grants)
    assert all(one.ends_at <= next.starts_at for one, next in itertools.pairwise(grants))


def test_new_keys_are_another_rotation_that_the_nodes_must_hear_of() -> None:
    subscription = a_subscription(MONTH)
    rotated = subscription.rotated()

    assert (rotated.rotation, rotated.secret_number, rotated.revision) == (1, 1, 2)
    assert rotated.grants == subscription.grants


def test_new_keys_may_come_from_another_secret() -> None:
    assert a_subscription(MONTH).rotated(2).secret_number == 2
