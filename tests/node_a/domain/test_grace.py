"""Days of grace: the keys live on after the paid end, and nobody is told that they have been paid for."""

from datetime import timedelta
from uuid import UUID

import pytest

from node_a.domain.grant import GrantId
from node_a.domain.money import Money
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription, SubscriptionId, SubscriptionState
from tests.builders import ANNA, DAY, MONTH, NOW, TRIAL, YEAR

EMPTY = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, secret_number=1)
GRACE = Plan("grace", 2, Money(0), 10**9)
END = NOW + 30 * DAY


def a_grant_id(number: int) -> GrantId:
    return GrantId(UUID(int=number))


def with_a_month(grace: Plan | None = GRACE) -> Subscription:
    return EMPTY.granted(a_grant_id(1), "payment:1", MONTH, NOW).with_grace(a_grant_id(2), grace)


def test_the_keys_live_on_after_the_paid_end() -> None:
    subscription = with_a_month()

    assert subscription.paid_until == END
    assert subscription.ends_at == END + 2 * DAY
    assert subscription.state(END - timedelta(seconds=1)) is SubscriptionState.ACTIVE
    assert subscription.state(END) is SubscriptionState.GRACE
    assert subscription.is_active(END + 2 * DAY - timedelta(seconds=1))
    assert subscription.state(END + 2 * DAY) is SubscriptionState.EXPIRED
    assert not subscription.is_in_grace(END + 2 * DAY)


def test_what_the_customer_is_told_is_about_the_paid_end() -> None:
    subscription = with_a_month()

    assert subscription.days_left(END - timedelta(hours=1)) == 1
    assert subscription.days_left(END) == 0
    assert subscription.next_reminder(NOW) == END - 3 * DAY
    assert subscription.reminder_due(END) is None
    assert subscription.next_change(END - timedelta(hours=1)) == END
    assert subscription.next_change(END) == END + 2 * DAY
    assert subscription.next_change(END + 2 * DAY) == END + 2 * DAY


def test_a_renewal_in_grace_starts_now_and_moves_the_grace_to_the_new_end() -> None:
    now = END + DAY
    renewed = with_a_month().granted(a_grant_id(3), "payment:3", MONTH, now)

    assert renewed.paid_until == now + 30 * DAY
    assert renewed.ends_at == now + 32 * DAY
    assert renewed.state(now) is SubscriptionState.ACTIVE
    assert [grant.is_grace for grant in renewed.grants] == [False, False, True]


def test_a_renewal_before_the_end_moves_the_grace_to_the_new_end() -> None:
    renewed = with_a_month().granted(a_grant_id(3), "payment:3", YEAR, NOW + DAY).with_grace(a_grant_id(4), GRACE)

    assert renewed.paid_until == END + 360 * DAY
    assert renewed.ends_at == END + 362 * DAY
    assert sum(grant.is_grace for grant in renewed.grants) == 1


def test_a_refund_moves_the_grace_to_the_earlier_end() -> None:
    refunded = with_a_month().refunded("payment:1", 30, NOW + 10 * DAY)

    assert refunded.paid_until == NOW + 10 * DAY
    assert refunded.ends_at == NOW + 12 * DAY
    assert refunded.is_in_grace(NOW + 10 * DAY)


def test_a_refund_of_days_that_are_over_moves_nothing() -> None:
    refunded = with_a_month().refunded("payment:1", 30, END + DAY)

    assert refunded.paid_until == END
    assert refunded.ends_at == END + 2 * DAY


def test_a_trial_alone_has_no_grace_and_one_that_was_bought_after_has() -> None:
    trial = EMPTY.granted(a_grant_id(1), "trial:x", TRIAL, NOW).with_grace(a_grant_id(2), GRACE)
    assert trial.ends_at == NOW + 3 * DAY

    bought = trial.granted(a_grant_id(3), "payment:3", MONTH, NOW).with_grace(a_grant_id(4), GRACE)
    assert bought.paid_until == NOW + 33 * DAY
    assert bought.ends_at == NOW + 35 * DAY


def test_who_has_no_days_has_no_grace() -> None:
    assert EMPTY.with_grace(a_grant_id(1), GRACE) is EMPTY


def test_giving_the_same_grace_again_changes_nothing() -> None:
    subscription = with_a_month()

    assert subscription.with_grace(a_grant_id(9), GRACE) is subscription
    assert with_a_month(None).revision == 1
    assert subscription.revision == 2  # the nodes must hear of the later end


def test_grace_that_was_changed_in_the_settings_is_changed_with_the_next_renewal() -> None:
    longer = with_a_month().with_grace(a_grant_id(9), Plan("grace", 5, Money(0), 10**9))
    assert longer.ends_at == END + 5 * DAY

    off = longer.with_grace(a_grant_id(9), None)
    assert off.ends_at == off.paid_until == END
    assert off.state(END) is SubscriptionState.EXPIRED

    renewed = off.granted(a_grant_id(3), "payment:3", MONTH, NOW).with_grace(a_grant_id(9), GRACE)
    assert renewed.ends_at == END + 32 * DAY
    assert renewed.grants[-1].id == a_grant_id(2)


@pytest.mark.parametrize("suspended", [False, True])
def test_grace_has_traffic_of_its_own_so_that_anybody_can_renew(suspended: bool) -> None:
    month = with_a_month().turned(NOW)
    in_grace = (month.suspended_now() if suspended else month).turned(END)

    period = in_grace.traffic_period(END)
    assert period is not None
    assert (period.starts_at, period.ends_at, period.limit) == (END, END + 2 * DAY, 10**9)
    assert in_grace.state(END) is SubscriptionState.GRACE


def test_who_has_used_up_even_that_has_nothing_left_and_is_told_so() -> None:
    in_grace = with_a_month().turned(NOW).turned(END).suspended_now()

    assert in_grace.state(END) is SubscriptionState.EXPIRED
    assert in_grace.runs(END)
    assert not in_grace.is_active(END)
    renewed = in_grace.granted(a_grant_id(3), "payment:3", MONTH, END + DAY)
    assert renewed.state(END + DAY) is SubscriptionState.ACTIVE
