"""A plan: what is on sale, and as a copy what was sold."""

from dataclasses import dataclass
from datetime import timedelta

from node_a.domain.money import Money


@dataclass(frozen=True, slots=True)
class Plan:
    """`days`: how long; `traffic_limit`: bytes per 30 days, None for unlimited."""

    code: str
    days: int
    price: Money
    traffic_limit: int | None = None

    @property
    def period(self) -> timedelta:
        return timedelta(days=self.days)
