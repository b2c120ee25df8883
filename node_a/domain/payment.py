"""A payment: one attempt to pay for one plan, and what the provider says of it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from node_a.domain.backoff import pause
from node_a.domain.customer import CustomerId
from node_a.domain.money import Money
from node_a.domain.plan import Plan

PaymentId = NewType("PaymentId", UUID)

# The provider makes a *new* payment of an old key after 24 hours; a creation is repeated for much less.
CREATION_REPEATED_FOR: Final = timedelta(minutes=15)
# The provider's link lives an hour.
LINK_GIVEN_FOR: Final = timedelta(minutes=45)
FIRST_CHECK: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)
# A link lives an hour; a bank may take a day to say yes.
OFTEN_CHECKED_FOR: Final = timedelta(hours=26)
CHECKED_FOR: Final = timedelta(days=30)


class PaymentState(StrEnum):
    """Where a payment stands. PENDING and OPENING are open, all others final."""

    OPENING = "opening"  # stored; the provider has not answered yet
    PENDING = "pending"  # the customer has the link
    PAID = "paid"
    DECLINED = "declined"
    ABANDONED = "abandoned"  # its creation never answered: nobody has the link
    DISPUTED = "disputed"  # paid, but not what we asked for: a person must look


OPEN_STATES: Final = frozenset({PaymentState.OPENING, PaymentState.PENDING})
# Something of these can be paid back.
STATES_WITH_MONEY: Final = frozenset({PaymentState.PAID, PaymentState.DISPUTED})


class Attention(StrEnum):
    """Why a person must look at a payment; what may follow after a colon stands in brackets."""

    DIFFERS = "differs"  # (in which words of the money)
    LATE = "late"  # (how the customer stands)
    REFUND_FAILED = "refund failed"  # (why)
    NOT_PAID_THERE = "the provider does not call it paid"
    NO_DAYS_GIVEN = "paid, and no days were given"
    PAID_TWICE = "paid a second time under the same number"
    ANOTHER_SHOPS = "of another shop than the settings name"


class OutcomeStatus(StrEnum):
    """The provider's word on a payment."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Shop:
    """Which of the provider's shops the money must reach. `test`: its payments are play money."""

    id: str
    test: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider answers about a payment. `link`: where to pay, while that is possible;
    `reason`: the provider's code for a cancellation, unknown ones included; `refunded`: how much of it went back."""

    provider_id: str
    status: OutcomeStatus
    amount: Money
    shop: Shop
    link: str | None = None
    reason: str | None = None
    refunded: Money | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """`id` is also the key under which the provider recognises a repeated creation; `request`: the exact body
    of that creation; `receipt_to`: the buyer's e-mail, where tax receipts are on; `reason`: the provider's for a
    cancellation, ours for a dispute; `received`: what the provider says has come; `checks`: how often the provider was
    asked since the last nudge; `failing_since`: since when it does not answer about this one; `attention`: why a person
    must look (an Attention, perhaps with a detail), as long as nobody has; `by_link`: opened by whoever held the
    subscription link, which need not be the customer."""

    id: PaymentId
    customer_id: CustomerId
    plan: Plan
    shop: Shop
    opened_at: datetime
    request: str = field(default="", repr=False)
    state: PaymentState = PaymentState.OPENING
    provider_id: str | None = None
    link: str | None = field(default=None, repr=False)
    reason: str | None = None
    settled_at: datetime | None = None
    received: Money | None = None
    receipt_to: str | None = field(default=None, repr=False)
    checks: int = 0
    failing_since: datetime | None = None
    attention: str | None = None
    by_link: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def is_paid(self) -> bool:
        return self.state is PaymentState.PAID

    @property
    def holds_money(self) -> bool:
        """Whether something of it can be paid back."""
        return self.state in STATES_WITH_MONEY

    @property
    def source(self) -> str:
        """The reason that a grant names for the days of this payment."""
        return f"payment:{self.id}"

    def can_be_paid(self, now: datetime) -> bool:
        """Whether its link may be given to somebody who then still looks for a card."""
        return self.state is PaymentState.PENDING and self.link is not None and now < self.opened_at + LINK_GIVEN_FOR

    def creation_may_be_repeated(self, now: datetime) -> bool:
        return now < self.opened_at + CREATION_REPEATED_FOR

    def abandoned(self, now: datetime) -> "Payment":
        """Given up, unless the provider has answered after all: then somebody may hold the link."""
        if self.state is not PaymentState.OPENING or self.provider_id is not None:
            return self
        return replace(self, state=PaymentState.ABANDONED, settled_at=now)

    def opened(self, outcome: Outcome) -> "Payment":
        """The provider has made it. Whether it is paid or declined already is for a check to find."""
        if not self.is_open:
            return self
        link = outcome.link or self.link
        return replace(self, state=PaymentState.PENDING, provider_id=outcome.provider_id, link=link)

    def settled(self, outcome: Outcome, now: datetime) -> "Payment":
        """This payment after the provider's word. A final one stays as it is: repeating is harmless."""
        if not self.is_open:
            return self
        known = self.opened(outcome)
        if outcome.status is OutcomeStatus.PENDING:
            return known
        if outcome.status is OutcomeStatus.CANCELED:
            return replace(known, state=PaymentState.DECLINED, reason=outcome.reason, settled_at=now)
        known = replace(known, settled_at=now, received=outcome.amount)
        differing = self._differing(outcome)
        if differing:
            disputed = known.needs_a_person(Attention.DIFFERS, differing)
            return replace(disputed, state=PaymentState.DISPUTED, reason=disputed.attention)
        return replace(known, state=PaymentState.PAID)

    def reopened(self, outcome: Outcome) -> "Payment":
        """Open again, if it was given up or declined and the provider now says that it is paid: its word counts."""
        given_up = self.state in {PaymentState.ABANDONED, PaymentState.DECLINED}
        if not given_up or outcome.status is not OutcomeStatus.SUCCEEDED:
            return self
        return replace(self, state=PaymentState.PENDING, provider_id=outcome.provider_id, settled_at=None, reason=None)

    def needs_a_person(self, why: Attention, detail: str = "") -> "Payment":
        return replace(self, attention=f"{why}: {detail}" if detail else str(why))

    def handled(self) -> "Payment":
        """A person has looked."""
        return replace(self, attention=None)

    def _differing(self, outcome: Outcome) -> str:
        """In which words the money differs from what was asked for; empty if it is right."""
        price, shop = self.plan.price, self.shop
        pairs = {
            "amount": (outcome.amount.minor_units, price.minor_units),
            "currency": (outcome.amount.currency, price.currency),
            "shop": (outcome.shop.id, shop.id),
            "test": (outcome.shop.test, shop.test),
        }
        return ", ".join(word for word, (got, wanted) in pairs.items() if got != wanted)

    def checked(self) -> "Payment":
        return replace(self, checks=self.checks + 1, failing_since=None)

    def not_answered(self, now: datetime) -> "Payment":
        return replace(self, checks=self.checks + 1, failing_since=self.failing_since or now)

    def next_check(self, now: datetime, chance: float = 0.5) -> datetime | None:
        """When to ask again after an answer; None when the payment is final or too old to change."""
        if not self.is_open or now >= self.opened_at + CHECKED_FOR:
            return None
        return self.next_try(now, chance)

    def next_try(self, now: datetime, chance: float = 0.5) -> datetime:
        """When to ask again after no answer: an error never ends the checks."""
        if self.is_open and now >= self.opened_at + OFTEN_CHECKED_FOR:
            return now + timedelta(days=1)
        return now + pause(FIRST_CHECK, LONGEST_PAUSE, self.checks, chance)
