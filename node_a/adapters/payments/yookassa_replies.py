"""What YooKassa answers, read strictly: the few fields we rely on, of exactly their types; all others are ignored."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from node_a.adapters.payments.yookassa_metadata import remembered, remembered_refund
from node_a.application.ports import ListedPayment
from node_a.domain.money import Money
from node_a.domain.payment import Outcome, OutcomeStatus, Shop
from node_a.domain.refund import RefundOutcome, RefundState

_STATUSES: Final = {
    "pending": OutcomeStatus.PENDING,
    # We always ask for capture, so this money is held by mistake: not ours yet, and it goes back by itself.
    "waiting_for_capture": OutcomeStatus.PENDING,
    "succeeded": OutcomeStatus.SUCCEEDED,
    "canceled": OutcomeStatus.CANCELED,
}
_REFUND_STATES: Final = {
    "pending": RefundState.PENDING,
    "succeeded": RefundState.DONE,
    "canceled": RefundState.FAILED,
}


# Of the reasons known today none has half of that; the list is open (FACTS: YooKassa).
LONGEST_REASON: Final = 64


class _Reply(BaseModel):
    # An error must not show the input: it holds the pay link.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class _Amount(_Reply):
    value: str
    currency: str

    def money(self) -> Money:
        """ValueError for an amount we cannot read exactly."""
        return Money.parse(self.value, self.currency)


class _Recipient(_Reply):
    account_id: str


class _Confirmation(_Reply):
    confirmation_url: str | None = None


class _Cancellation(_Reply):
    reason: str


class PaymentReply(_Reply):
    """A Payment object: https://yookassa.ru/developers/api#payment_object."""

    id: str = Field(min_length=1, max_length=64)
    status: Literal["pending", "waiting_for_capture", "succeeded", "canceled"]
    paid: bool
    test: bool
    amount: _Amount
    recipient: _Recipient
    refunded_amount: _Amount | None = None
    confirmation: _Confirmation | None = None
    cancellation_details: _Cancellation | None = None
    # Read only in a list.
    created_at: Any = None
    metadata: Any = None

    def outcome(self) -> Outcome:
        """ValueError for an amount we cannot read exactly, and for a success that is not paid."""
        if self.status == "succeeded" and not self.paid:
            raise ValueError("a payment succeeded and is not paid")
        return Outcome(
            provider_id=self.id,
            status=_STATUSES[self.status],
            amount=self.amount.money(),
            shop=Shop(self.recipient.account_id, self.test),
            link=self.confirmation.confirmation_url if self.confirmation else None,
            reason=self.cancellation_details.reason[:LONGEST_REASON] if self.cancellation_details else None,
            refunded=self.refunded_amount.money() if self.refunded_amount else None,
        )

    def listed(self) -> ListedPayment:
        """ValueError like `outcome`, and for a time that is none; whatever the metadata holds is none."""
        outcome = self.outcome()
        ours = remembered(self.metadata, outcome.amount)
        return ListedPayment(outcome, _moment(self.created_at), ours.payment_id, ours.customer_id, ours.plan)


class RefundReply(_Reply):
    """A Refund object: https://yookassa.ru/developers/api#refund_object."""

    id: str = Field(min_length=1, max_length=64)
    payment_id: str = Field(min_length=1, max_length=64)
    status: Literal["pending", "succeeded", "canceled"]
    amount: _Amount
    created_at: str
    cancellation_details: _Cancellation | None = None
    metadata: Any = None

    def outcome(self) -> RefundOutcome:
        """ValueError for an amount or a time we cannot read exactly."""
        return RefundOutcome(
            provider_id=self.id,
            payment_provider_id=self.payment_id,
            amount=self.amount.money(),
            state=_REFUND_STATES[self.status],
            created_at=_moment(self.created_at),
            id=remembered_refund(self.metadata),
            reason=self.cancellation_details.reason[:LONGEST_REASON] if self.cancellation_details else None,
        )


class PageReply(_Reply):
    """A part of a list: https://yookassa.ru/developers/using-api/lists. What its items are is for others to read."""

    type: Literal["list"]
    items: list[dict[str, Any]]
    next_cursor: str | None = Field(default=None, min_length=1)


def _moment(written: object) -> datetime:
    if not isinstance(written, str):
        raise ValueError("not a time")
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.astimezone(UTC)
