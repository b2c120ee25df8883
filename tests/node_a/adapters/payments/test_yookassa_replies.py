"""Replies are read strictly where we rely on them and tolerantly everywhere else."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from node_a.adapters.payments.yookassa_replies import PaymentReply, RefundReply
from node_a.domain.money import Money
from node_a.domain.payment import OutcomeStatus, Shop
from node_a.domain.refund import RefundId, RefundOutcome, RefundState

GOOD: dict[str, Any] = {
    "id": "2e8f1c3a-000f-5000-9000-1b68e7b15f3f",
    "status": "succeeded",
    "paid": True,
    "test": False,
    "amount": {"value": "19.99", "currency": "RUB"},
    "recipient": {"account_id": "100500", "gateway_id": "100700"},
}


REFUND: dict[str, Any] = {
    "id": "2e8f1c3a-0015-5000-9000-1b68e7b15f3f",
    "payment_id": GOOD["id"],
    "status": "succeeded",
    "amount": {"value": "19.99", "currency": "RUB"},
    "created_at": "2026-11-22T10:00:00.000+03:00",
}


def refund_of(**changes: Any) -> RefundOutcome:
    return RefundReply.model_validate({**REFUND, **changes}).outcome()


def outcome_of(**changes: Any) -> Any:
    return PaymentReply.model_validate({**GOOD, **changes}).outcome()


def test_money_is_exact() -> None:
    # int(float("19.99") * 100) is 1998.
    assert outcome_of().amount == Money(1_999, "RUB")
    assert outcome_of(amount={"value": "1.00", "currency": "USD"}).amount == Money(100, "USD")


def test_fields_and_reasons_nobody_knows_are_tolerated() -> None:
    outcome = outcome_of(
        status="canceled",
        paid=False,
        brand_new={"field": 1},
        cancellation_details={"party": "somebody_new", "reason": "mercury_retrograde", "more": []},
        confirmation={"type": "telepathy", "brain": 1},
    )

    assert (outcome.status, outcome.reason, outcome.link) == (OutcomeStatus.CANCELED, "mercury_retrograde", None)


def test_a_reason_longer_than_any_column_is_cut() -> None:
    details = {"party": "somebody_new", "reason": "r" * 500}
    assert outcome_of(status="canceled", paid=False, cancellation_details=details).reason == "r" * 64


def test_held_money_is_not_paid() -> None:
    assert outcome_of(status="waiting_for_capture").status is OutcomeStatus.PENDING


def test_what_went_back_is_told_where_the_provider_tells_it() -> None:
    assert outcome_of().refunded is None
    assert outcome_of(refunded_amount={"value": "0.00", "currency": "RUB"}).refunded == Money(0)
    assert outcome_of(refunded_amount={"value": "19.98", "currency": "RUB"}).refunded == Money(1_998)


@pytest.mark.parametrize(
    ("status", "state"),
    [("pending", RefundState.PENDING), ("succeeded", RefundState.DONE), ("canceled", RefundState.FAILED)],
)
def test_a_refund_is_read_in_our_words(status: str, state: RefundState) -> None:
    details = {"party": "somebody_new", "reason": "mercury_retrograde"} if status == "canceled" else None
    refund = refund_of(
        status=status, cancellation_details=details, brand_new=1, metadata={"refund_id": str(UUID(int=5))}
    )

    assert refund == RefundOutcome(
        provider_id=REFUND["id"],
        payment_provider_id=GOOD["id"],
        amount=Money(1_999),
        state=state,
        created_at=datetime(2026, 11, 22, 7, 0, tzinfo=UTC),
        id=RefundId(UUID(int=5)),
        reason="mercury_retrograde" if status == "canceled" else None,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"payment_id": None},
        {"status": "waiting_for_capture"},
        {"amount": {"value": "19.9", "currency": "RUB"}},
        {"created_at": None},
        {"created_at": "2026-11-22T10:00:00"},
        {"created_at": 1763805600},
        {"cancellation_details": {"party": "yoo_money"}},
    ],
    ids=str,
)
def test_nothing_about_a_refund_is_guessed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- pydantic's own is one too; the adapter catches the base
        refund_of(**changes)


def test_play_money_is_told_apart() -> None:
    assert outcome_of(test=True).shop == Shop("100500", test=True)
    assert outcome_of().shop == Shop("100500", test=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "paid"},
        {"status": None},
        {"paid": False},
        {"paid": "true"},
        {"paid": 1},
        {"test": "false"},
        {"test": None},
        {"id": ""},
        {"id": 17},
        {"amount": {"value": 10.0, "currency": "RUB"}},
        {"amount": {"value": "10", "currency": "RUB"}},
        {"amount": {"value": "10.0", "currency": "RUB"}},
        {"amount": {"value": "-10.00", "currency": "RUB"}},
        {"amount": {"value": "10.00"}},
        {"amount": None},
        {"recipient": {"account_id": 100500}},
        {"recipient": None},
        {"confirmation": "https://example.com"},
        {"refunded_amount": {"value": "0", "currency": "RUB"}},
    ],
)
def test_what_we_rely_on_is_never_guessed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- pydantic's own is one too; the adapter catches the base
        outcome_of(**changes)


def test_an_error_does_not_show_the_link() -> None:
    link = "https://pay.example/secret-link"

    with pytest.raises(ValueError, match="confirmation_url") as caught:
        outcome_of(confirmation={"confirmation_url": [link]})

    assert link not in str(caught.value)
