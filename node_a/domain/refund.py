"""A refund: money of one payment on its way back, and the days that go with it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from node_a.domain.backoff import pause
from node_a.domain.money import Money
from node_a.domain.payment import FIRST_CHECK, LONGEST_PAUSE, Payment, PaymentId

RefundId = NewType("RefundId", UUID)

# The provider forgets our key after 24 hours and would then pay back a second time.
CREATION_REPEATED_FOR: Final = timedelta(hours=20)


class RefundState(StrEnum):
    """Where a refund stands. OPENING and PENDING are open, the others final."""

    OPENING = "opening"  # stored; the provider has not answered yet
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"  # refused, canceled, or never answered: a person must look


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """What the provider says of a refund. `id`: ours, where it was made by us; `payment_provider_id`: the provider's id
    of the payment; `state`: PENDING, DONE or FAILED; `reason`: the provider's code for a failure."""

    provider_id: str
    payment_provider_id: str
    amount: Money
    state: RefundState
    created_at: datetime
    id: RefundId | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """`id` is also the key under which the provider recognises a repeated creation; `request`: the exact body of that
    creation, empty for one that was made in the provider's own pages; `tries`: without an answer so far."""

    id: RefundId
    payment_id: PaymentId
    amount: Money
    opened_at: datetime
    request: str = field(default="", repr=False)
    state: RefundState = RefundState.OPENING
    provider_id: str | None = None
    reason: str | None = None
    settled_at: datetime | None = None
    tries: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in {RefundState.OPENING, RefundState.PENDING}

    def creation_may_be_repeated(self, now: datetime) -> bool:
        return now < self.opened_at + CREATION_REPEATED_FOR

    def settled(self, outcome: RefundOutcome, now: datetime) -> "Refund":
        """After the provider's word. DONE stays DONE; one that was given up may turn out to be under way, or done,
        after all. A repeated call changes nothing."""
        if self.state is RefundState.DONE:
            return self
        known = replace(self, provider_id=outcome.provider_id, state=outcome.state, reason=outcome.reason)
        if known == self:
            return self
        return replace(known, settled_at=None if known.is_open else now)

    def failed(self, reason: str, now: datetime) -> "Refund":
        return replace(self, state=RefundState.FAILED, reason=reason, settled_at=now)

    def not_answered(self) -> "Refund":
        return replace(self, tries=self.tries + 1)

    def next_try(self, now: datetime, chance: float = 0.5) -> datetime:
        return now + pause(FIRST_CHECK, LONGEST_PAUSE, self.tries, chance)


def refund_of(outcome: RefundOutcome, id: RefundId, payment: Payment) -> Refund:
    """A refund we did not open ourselves: somebody made it in the provider's own pages."""
    return Refund(id, payment.id, outcome.amount, outcome.created_at, provider_id=outcome.provider_id)


def days_to_take(payment: Payment, refunds: Iterable[Refund]) -> int:
    """Whole days of the payment's plan, in proportion to all that was paid back; never more than it gave."""
    plan = payment.plan
    back = sum(refund.amount.minor_units for refund in refunds if refund.state is RefundState.DONE)
    if plan.price.minor_units <= 0:
        return 0
    return min(plan.days * back // plan.price.minor_units, plan.days)


def left_to_refund(payment: Payment, refunds: Iterable[Refund]) -> Money:
    """What was received and neither went back nor is on its way."""
    received = payment.received or payment.plan.price
    gone = sum(refund.amount.minor_units for refund in refunds if refund.state is not RefundState.FAILED)
    return Money(max(received.minor_units - gone, 0), received.currency)
