"""A grant: one reason for use, and its interval."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from node_a.domain.plan import Plan

GrantId = NewType("GrantId", UUID)


@dataclass(frozen=True, slots=True)
class Grant:
    """`source` names the reason and is unique over all grants (`payment:<uuid>`): that is what makes "exactly once"
    true. The interval is half open: `starts_at` belongs to it, `ends_at` does not. `plan`: as it was then."""

    id: GrantId
    source: str
    plan: Plan
    starts_at: datetime
    ends_at: datetime

    def covers(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at
