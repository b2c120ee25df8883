"""A grant: one reason for use, and its interval."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NewType
from uuid import UUID

from node_a.domain.plan import Plan

GrantId = NewType("GrantId", UUID)

# A plan's traffic limit is for so long, counted from the start of the grant.
TRAFFIC_PERIOD: Final = timedelta(days=30)
_GRACE: Final = "grace:"
_TRIAL: Final = "trial:"


@dataclass(frozen=True, slots=True)
class Grant:
    """`source` names the reason and is unique over all grants (`payment:<uuid>`): that is what makes "exactly once"
    true. The interval is half open: `starts_at` belongs to it, `ends_at` does not. `plan`: as it was then.
    `days_taken`: how many of its days were taken back for refunds."""

    id: GrantId
    source: str
    plan: Plan
    starts_at: datetime
    ends_at: datetime
    days_taken: int = 0

    @property
    def is_grace(self) -> bool:
        """Days after the paid ones, so that an expired customer can renew through the VPN."""
        return self.source.startswith(_GRACE)

    @property
    def is_trial(self) -> bool:
        return self.source.startswith(_TRIAL)

    @classmethod
    def grace(cls, id: GrantId, subscription_id: UUID, plan: Plan, starts_at: datetime) -> "Grant":
        """One for each subscription: it moves with the end."""
        return cls(id, f"{_GRACE}{subscription_id}", plan, starts_at, starts_at + plan.period)

    def covers(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at

    def traffic_period(self, moment: datetime) -> tuple[datetime, datetime]:
        """The start and the end of the 30 days, counted from the grant's start, in which `moment` falls."""
        whole = (moment - self.starts_at) // TRAFFIC_PERIOD
        start = self.starts_at + whole * TRAFFIC_PERIOD
        return start, min(start + TRAFFIC_PERIOD, self.ends_at)

    def shortened(self, days_taken: int, now: datetime) -> "Grant":
        """With so many days taken in all: what has been used up stays used, and no more goes than was given."""
        taken = min(days_taken, self.plan.days)
        if taken <= self.days_taken:
            return self
        earned = self.starts_at + self.plan.period - timedelta(days=taken)
        return replace(self, ends_at=min(self.ends_at, max(earned, now)), days_taken=taken)

    def lasting(self, period: timedelta) -> "Grant":
        return replace(self, ends_at=self.starts_at + period)

    def moved(self, by: timedelta) -> "Grant":
        return replace(self, starts_at=self.starts_at + by, ends_at=self.ends_at + by)
