"""A payment believes the provider, once, and only if the money is what was asked for."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.money import Money
from node_a.domain.payment import OutcomeStatus, PaymentState, Shop
from tests.builders import DAY, NOW, a_payment, an_outcome


def test_a_succeeded_outcome_with_the_right_money_is_paid() -> None:
    paid = a_payment(state=PaymentState.PENDING).settled(an_outcome(), NOW)

    assert paid.is_paid
    assert paid.settled_at == NOW
    assert paid.provider_id == "provider-77"


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Money(1_990)},
        {"amount": Money(19_900, "USD")},
        {"shop": Shop("another", test=True)},
        {"shop": Shop("100500", test=False)},
    ],
)
def test_money_that_differs_in_anything_is_disputed(wrong: dict[str, Any]) -> None:
    disputed = a_payment().settled(an_outcome(**wrong), NOW)

    assert disputed.state is PaymentState.DISPUTED
    assert disputed.reason is not None
    assert disputed.reason.startswith("differs: ")


def test_a_pending_outcome_opens_the_payment_and_keeps_its_link() -> None:
    opened = a_payment().settled(an_outcome(OutcomeStatus.PENDING, link="https://pay.example.org"), NOW)
    again = opened.settled(an_outcome(OutcomeStatus.PENDING, link=None), NOW)

    assert opened.state is PaymentState.PENDING
    assert again.link == "https://pay.example.org"
    assert again.is_open


def test_a_cancellation_keeps_its_reason_even_an_unknown_one() -> None:
    declined = a_payment().settled(an_outcome(OutcomeStatus.CANCELED, reason="solar_flare"), NOW)

    assert declined.state is PaymentState.DECLINED
    assert declined.reason == "solar_flare"


@pytest.mark.parametrize("state", [state for state in PaymentState if state not in {"opening", "pending"}])
@pytest.mark.parametrize("status", list(OutcomeStatus))
def test_a_final_payment_never_changes(state: PaymentState, status: OutcomeStatus) -> None:
    payment = a_payment(state=state)

    assert payment.settled(an_outcome(status), NOW) == payment


def test_checks_grow_from_five_seconds_to_ten_minutes() -> None:
    payment = a_payment(state=PaymentState.PENDING)
    pauses = []
    for _ in range(9):
        pauses.append((payment.next_try(NOW) - NOW).total_seconds())
        payment = payment.checked()

    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600]


def test_after_a_day_a_pending_payment_is_checked_daily_and_after_a_month_no_more() -> None:
    payment = a_payment(state=PaymentState.PENDING)

    assert payment.next_check(NOW + timedelta(hours=27)) == NOW + timedelta(hours=27) + DAY
    assert payment.next_check(NOW + 30 * DAY) is None
    assert payment.next_try(NOW + 90 * DAY) == NOW + 91 * DAY


def test_a_final_payment_is_not_checked() -> None:
    assert a_payment(state=PaymentState.PAID).next_check(NOW) is None


@given(st.integers(min_value=0, max_value=10_000))
def test_however_often_it_failed_the_next_try_comes(checks: int) -> None:
    pause = a_payment(checks=checks).next_try(NOW) - NOW

    assert timedelta(seconds=5) <= pause <= timedelta(minutes=10)


def test_a_creation_may_be_repeated_for_a_quarter_of_an_hour() -> None:
    assert a_payment().creation_may_be_repeated(NOW + timedelta(minutes=14))
    assert not a_payment().creation_may_be_repeated(NOW + timedelta(minutes=15))
    assert a_payment().abandoned(NOW).state is PaymentState.ABANDONED


def test_a_payment_whose_link_somebody_may_hold_is_never_abandoned() -> None:
    opened = a_payment().opened(an_outcome(OutcomeStatus.PENDING, link="https://pay.example.org"))

    assert opened.abandoned(NOW) == opened


@pytest.mark.parametrize("status", list(OutcomeStatus))
def test_opening_believes_no_more_than_that_the_provider_has_made_it(status: OutcomeStatus) -> None:
    assert a_payment().opened(an_outcome(status)).state is PaymentState.PENDING
    assert a_payment(state=PaymentState.PAID).opened(an_outcome(status)).state is PaymentState.PAID


def test_neither_link_nor_request_shows_in_a_representation() -> None:
    shown = repr(a_payment(link="https://pay.example.org/secret", request='{"secret": 1}'))

    assert "secret" not in shown
