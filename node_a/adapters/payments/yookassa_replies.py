"""What YooKassa answers, read strictly: the few fields we rely on, of exactly their types; all others are ignored."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from node_a.domain.money import Money
from node_a.domain.payment import Outcome, OutcomeStatus, Shop

_STATUSES: Final = {
    "pending": OutcomeStatus.PENDING,
    # We always ask for capture, so this money is held by mistake: not ours yet, and it goes back by itself.
    "waiting_for_capture": OutcomeStatus.PENDING,
    "succeeded": OutcomeStatus.SUCCEEDED,
    "canceled": OutcomeStatus.CANCELED,
}


class _Reply(BaseModel):
    # An error must not show the input: it holds the pay link.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class _Amount(_Reply):
    value: str
    currency: str


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
    confirmation: _Confirmation | None = None
    cancellation_details: _Cancellation | None = None

    def outcome(self) -> Outcome:
        """ValueError for an amount we cannot read exactly, and for a success that is not paid."""
        if self.status == "succeeded" and not self.paid:
            raise ValueError("a payment succeeded and is not paid")
        return Outcome(
            provider_id=self.id,
            status=_STATUSES[self.status],
            amount=Money.parse(self.amount.value, self.amount.currency),
            shop=Shop(self.recipient.account_id, self.test),
            link=self.confirmation.confirmation_url if self.confirmation else None,
            reason=self.cancellation_details.reason if self.cancellation_details else None,
        )
