"""A grant: one reason for use, and its interval."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NewType
from uuid import UUID

from node_a.domain.plan import Plan

GrantId = NewType("GrantId", UUID)


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

    def covers(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at

    def shortened(self, days_taken: int, now: datetime) -> "Grant":
        """With so many days taken in all: what has been used up stays used, and no more goes than was given."""
        taken = min(days_taken, self.plan.days)
        if taken <= self.days_taken:
            return self
        earned = self.starts_at + self.plan.period - timedelta(days=taken)
        return replace(self, ends_at=min(self.ends_at, max(earned, now)), days_taken=taken)

    def moved(self, by: timedelta) -> "Grant":
        return replace(self, starts_at=self.starts_at + by, ends_at=self.ends_at + by)
