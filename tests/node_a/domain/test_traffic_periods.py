"""Traffic is counted in periods of thirty days from the start of a grant; at the limit the keys rest until the next."""

import itertools
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.grant import GrantId
from node_a.domain.money import Money
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription, SubscriptionId, SubscriptionState, TrafficPeriod
from tests.builders import ANNA, DAY, NOW

EMPTY = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, secret_number=1)
LIMITED = Plan("month", 30, Money(19_900), traffic_limit=100)
BIGGER = Plan("big", 30, Money(29_900), traffic_limit=300)
UNLIMITED = Plan("unlimited", 30, Money(49_900))
HALF_A_YEAR = Plan("half a year", 180, Money(99_000), traffic_limit=100)
GRACE = Plan("grace", 2, Money(0), 10)
A_MOMENT = timedelta(seconds=1)


def a_subscription(*plans: Plan, at: datetime = NOW) -> Subscription:
    subscription = EMPTY
    for number, plan in enumerate(plans):
        subscription = subscription.granted(GrantId(UUID(int=number)), f"payment:{number}", plan, at)
    return subscription.turned(at)


def renewed(subscription: Subscription, plan: Plan, at: datetime) -> Subscription:
    return subscription.granted(GrantId(UUID(int=99)), "payment:99", plan, at).turned(at)


def period(subscription: Subscription, at: datetime) -> TrafficPeriod:
    found = subscription.traffic_period(at)
    assert found is not None
    return found


def test_a_period_is_thirty_days_from_the_start_of_the_grant() -> None:
    subscription = a_subscription(HALF_A_YEAR)

    assert period(subscription, NOW) == TrafficPeriod(NOW, NOW + 30 * DAY, 100)
    assert period(subscription, NOW + 30 * DAY - A_MOMENT).starts_at == NOW
    assert period(subscription, NOW + 30 * DAY) == TrafficPeriod(NOW + 30 * DAY, NOW + 60 * DAY, 100)


def test_the_last_period_ends_with_its_grant() -> None:
    subscription = a_subscription(Plan("odd", 40, Money(1), 100), BIGGER)

    assert period(subscription, NOW + 35 * DAY) == TrafficPeriod(NOW + 30 * DAY, NOW + 40 * DAY, 100)
    assert period(subscription, NOW + 40 * DAY) == TrafficPeriod(NOW + 40 * DAY, NOW + 70 * DAY, 300)


def test_outside_of_all_grants_there_is_no_period_and_nothing_to_use_up() -> None:
    subscription = a_subscription(LIMITED)
    after = NOW + 30 * DAY

    assert subscription.traffic_period(after) is None
    assert subscription.turned(after) is subscription
    assert not subscription.has_used_up(10**12, after)
    assert not subscription.has_little_left(10**12, after)


def test_at_the_limit_all_is_used_up_and_shortly_before_little_is_left() -> None:
    subscription = a_subscription(LIMITED)

    assert [subscription.has_used_up(used, NOW) for used in (0, 99, 100, 101)] == [False, False, True, True]
    assert [subscription.has_little_left(used, NOW) for used in (0, 79, 80, 100)] == [False, False, True, True]


def test_unlimited_is_never_used_up() -> None:
    subscription = a_subscription(UNLIMITED)

    assert not subscription.has_used_up(10**15, NOW)
    assert not subscription.has_little_left(10**15, NOW)


def test_suspended_the_time_goes_on_and_no_key_works() -> None:
    suspended = a_subscription(HALF_A_YEAR).suspended_now()

    assert suspended.state(NOW) is SubscriptionState.SUSPENDED
    assert suspended.runs(NOW)
    assert not suspended.is_active(NOW)
    assert suspended.days_left(NOW) == 180
    assert suspended.next_change(NOW) == NOW + 30 * DAY
    assert suspended.revision == 2
    assert suspended.suspended_now() is suspended
    assert suspended.turned(NOW + 29 * DAY) is suspended


def test_a_new_period_ends_the_suspension_and_the_nodes_hear_of_it() -> None:
    suspended = a_subscription(HALF_A_YEAR).suspended_now()
    turned = suspended.turned(NOW + 30 * DAY)

    assert turned.state(NOW + 30 * DAY) is SubscriptionState.ACTIVE
    assert turned.counted_from == NOW + 30 * DAY
    assert turned.revision == suspended.revision + 1
    assert turned.turned(NOW + 31 * DAY) is turned


def test_the_next_grant_ends_the_suspension() -> None:
    suspended = a_subscription(LIMITED, LIMITED).suspended_now()
    assert not suspended.turned(NOW + 30 * DAY).suspended


def test_whoever_comes_back_after_the_end_of_a_suspended_subscription_is_not_suspended() -> None:
    suspended = a_subscription(LIMITED).suspended_now()
    later = NOW + 100 * DAY

    assert suspended.state(later) is SubscriptionState.EXPIRED
    back = renewed(suspended, LIMITED, later)
    assert back.state(later) is SubscriptionState.ACTIVE
    assert back.counted_from == later


@pytest.mark.parametrize(
    ("plans", "news"),
    [
        ((LIMITED, LIMITED), True),  # the limit on the nodes is counted from another start
        ((LIMITED, UNLIMITED), True),  # the old limit must not stay there
        ((UNLIMITED, LIMITED), True),
        ((UNLIMITED, UNLIMITED), False),
    ],
)
def test_nodes_hear_of_a_new_period_unless_nothing_was_limited(plans: tuple[Plan, ...], news: bool) -> None:
    subscription = a_subscription(*plans)
    turned = subscription.turned(NOW + 30 * DAY)

    assert turned.counted_from == NOW + 30 * DAY
    assert (turned.revision > subscription.revision) is news


def test_a_new_grant_is_no_second_piece_of_news() -> None:
    assert a_subscription(LIMITED).revision == 1


def test_a_renewal_at_the_limit_gives_fresh_traffic_at_once() -> None:
    now = NOW + 20 * DAY
    fresh = renewed(a_subscription(LIMITED).suspended_now(), LIMITED, now)

    assert fresh.state(now) is SubscriptionState.ACTIVE
    assert fresh.paid_until == NOW + 60 * DAY
    assert period(fresh, now) == TrafficPeriod(now, NOW + 30 * DAY, 100)
    assert fresh.next_change(now) == NOW + 30 * DAY
    assert fresh.turned(now + DAY) is fresh
    next_one = fresh.turned(NOW + 30 * DAY)
    assert period(next_one, NOW + 30 * DAY) == TrafficPeriod(NOW + 30 * DAY, NOW + 60 * DAY, 100)
    assert next_one.revision > fresh.revision


@pytest.mark.parametrize(
    ("had", "bought", "limit"), [(LIMITED, BIGGER, 300), (BIGGER, LIMITED, 300), (LIMITED, UNLIMITED, None)]
)
def test_a_renewal_at_the_limit_gives_the_better_of_both_plans(had: Plan, bought: Plan, limit: int | None) -> None:
    now = NOW + 20 * DAY
    assert period(renewed(a_subscription(had).suspended_now(), bought, now), now).limit == limit


def test_what_is_over_and_what_is_grace_has_no_say_in_the_limit_of_a_renewal() -> None:
    over = a_subscription(BIGGER, LIMITED).with_grace(GrantId(UUID(int=50)), Plan("grace", 2, Money(0), 10**6))
    now = NOW + 40 * DAY
    fresh = renewed(over.turned(now).suspended_now(), LIMITED, now)

    assert period(fresh, now).limit == 100


def test_a_renewal_before_the_limit_changes_nothing_in_the_running_period() -> None:
    now = NOW + 20 * DAY
    longer = renewed(a_subscription(LIMITED), BIGGER, now)

    assert period(longer, now) == TrafficPeriod(NOW, NOW + 30 * DAY, 100)


def test_money_back_for_the_running_grant_brings_the_next_one_and_its_traffic() -> None:
    now = NOW + 10 * DAY
    suspended = a_subscription(LIMITED, LIMITED).suspended_now()
    next_one = suspended.refunded("payment:0", 30, now).turned(now)

    assert next_one.state(now) is SubscriptionState.ACTIVE
    assert period(next_one, now) == TrafficPeriod(now, now + 30 * DAY, 100)


def test_money_back_for_the_renewal_leaves_the_traffic_that_it_gave() -> None:
    now = NOW + 20 * DAY
    fresh = renewed(a_subscription(LIMITED).suspended_now(), BIGGER, now)
    refunded = fresh.refunded("payment:99", 30, now + DAY).turned(now + DAY)

    assert refunded.state(now + DAY) is SubscriptionState.ACTIVE
    assert period(refunded, now + DAY) == TrafficPeriod(now, NOW + 30 * DAY, 100)


def test_what_has_ended_is_due_at_its_end_and_nothing_is_due_of_nothing() -> None:
    assert a_subscription(LIMITED).next_change(NOW + 40 * DAY) == NOW + 30 * DAY
    assert EMPTY.next_change(NOW) is None


events = st.lists(
    st.tuples(
        st.sampled_from(["granted", "refunded", "used up", "nothing"]),
        st.sampled_from([LIMITED, BIGGER, UNLIMITED, HALF_A_YEAR, Plan("odd", 40, Money(1), 50)]),
        st.integers(0, 40),
        st.integers(0, 5),
    ),
    max_size=20,
)


@given(events, st.sampled_from([None, GRACE]))
def test_whatever_happens_periods_follow_one_another_and_a_suspension_ends(
    events: list[tuple[str, Plan, int, int]], grace: Plan | None
) -> None:
    now, subscription = NOW, a_subscription(HALF_A_YEAR)
    for number, (event, plan, days, which) in enumerate(events):
        now += timedelta(days=days, hours=number)
        before = subscription
        if event == "granted":
            subscription = subscription.granted(GrantId(UUID(int=1000 + number)), f"payment:{number + 1}", plan, now)
            subscription = subscription.with_grace(GrantId(UUID(int=2000)), grace)
            assert subscription.state(now) is SubscriptionState.ACTIVE or not subscription.turned(now).suspended
        elif event == "refunded":
            subscription = subscription.refunded(f"payment:{which}", days, now)
        elif event == "used up" and subscription.has_used_up(10**6, now):
            subscription = subscription.suspended_now()
        subscription = subscription.turned(now)
        _holds_together(before, subscription, now)


def _holds_together(before: Subscription, subscription: Subscription, now: datetime) -> None:
    assert subscription.turned(now) is subscription
    assert subscription.revision >= before.revision
    grants = subscription.grants
    assert all(one.ends_at <= next.starts_at for one, next in itertools.pairwise(grants))
    assert not any(grant.is_grace for grant in grants[:-1])
    if not subscription.runs(now):
        assert subscription.traffic_period(now) is None
        return
    running, next_change = subscription.traffic_period(now), subscription.next_change(now)
    assert running is not None
    assert running.starts_at <= now < running.ends_at
    assert running.starts_at == subscription.counted_from
    # Time alone always comes to the end of the period, and with it to the end of a suspension.
    assert next_change is not None
    assert now < next_change <= running.ends_at
    assert not subscription.turned(running.ends_at).suspended or not subscription.runs(running.ends_at)
    assert subscription.revision > before.revision or subscription.suspended == before.suspended


def test_a_period_that_a_wrong_clock_began_is_left_again_once_the_clock_is_right() -> None:
    ahead = a_subscription(HALF_A_YEAR).turned(NOW + 40 * DAY).suspended_now()

    right = ahead.turned(NOW + DAY)

    assert period(right, NOW + DAY) == TrafficPeriod(NOW, NOW + 30 * DAY, HALF_A_YEAR.traffic_limit)
    assert not right.suspended
    assert right.turned(NOW + 2 * DAY) is right
