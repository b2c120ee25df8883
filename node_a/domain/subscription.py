"""A subscription: what a customer may use, and until when."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from node_a.domain.customer import CustomerId
from node_a.domain.grant import Grant, GrantId
from node_a.domain.plan import Plan

SubscriptionId = NewType("SubscriptionId", UUID)

# How long before the end a customer is reminded, the farthest first.
REMINDERS: Final = (timedelta(days=3), timedelta(days=1))


class SubscriptionState(StrEnum):
    """What the customer has right now."""

    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Subscription:
    """`rotation` counts "new keys"; `revision` counts every change that nodes must hear of; `secret_number`: which
    secret of the ring its keys are derived from. `grants` are in order of their start and never overlap."""

    id: SubscriptionId
    customer_id: CustomerId
    secret_number: int
    grants: tuple[Grant, ...] = ()
    rotation: int = 0
    revision: int = 0

    @property
    def ends_at(self) -> datetime | None:
        return max((grant.ends_at for grant in self.grants), default=None)

    def state(self, now: datetime) -> SubscriptionState:
        ends_at = self.ends_at
        running = ends_at is not None and now < ends_at
        return SubscriptionState.ACTIVE if running else SubscriptionState.EXPIRED

    def is_active(self, now: datetime) -> bool:
        return self.state(now) is SubscriptionState.ACTIVE

    def plan_at(self, moment: datetime) -> Plan | None:
        return next((grant.plan for grant in self.grants if grant.covers(moment)), None)

    def days_left(self, now: datetime) -> int:
        """Whole and begun days until the end: a customer with an hour left has one day, not none."""
        ends_at = self.ends_at
        if ends_at is None or ends_at <= now:
            return 0
        return -((now - ends_at) // timedelta(days=1))

    def has_grant_of(self, source: str) -> bool:
        return any(grant.source == source for grant in self.grants)

    def granted(self, grant_id: GrantId, source: str, plan: Plan, now: datetime) -> "Subscription":
        """With the plan's days added, once per source: a repeated call changes nothing."""
        if self.has_grant_of(source):
            return self
        # Renewing early must not eat paid days: the new interval starts where the last one ends.
        start = max([now, *(grant.ends_at for grant in self.grants)])
        grant = Grant(grant_id, source, plan, start, start + plan.period)
        return replace(self, grants=(*self.grants, grant)).revised()

    def refunded(self, source: str, days_taken: int, now: datetime) -> "Subscription":
        """With so many days in all taken back from the grant of `source`; later grants move up, so that no gap opens.
        A repeated call changes nothing, and so does one for a source that has no grant."""
        grants: list[Grant] = []
        gap = timedelta(0)
        for grant in self.grants:
            moved = grant.moved(-gap) if gap else grant
            if grant.source == source:
                moved = grant.shortened(days_taken, now)
                gap = grant.ends_at - moved.ends_at
            grants.append(moved)
        changed = replace(self, grants=tuple(grants))
        return self if changed == self else changed.revised()

    def revised(self) -> "Subscription":
        """Changed in a way that every node must hear of."""
        return replace(self, revision=self.revision + 1)

    def reminder_due(self, now: datetime) -> timedelta | None:
        """How long before the end the reminder is that is due by now; the nearest to the end, if several are."""
        ends_at = self.ends_at
        if ends_at is None or now >= ends_at:
            return None
        return min((before for before in REMINDERS if ends_at - before <= now), default=None)

    def next_reminder(self, now: datetime) -> datetime | None:
        """When the next reminder is due; None when none is left before the end."""
        ends_at = self.ends_at
        if ends_at is None:
            return None
        return min((ends_at - before for before in REMINDERS if ends_at - before > now), default=None)
