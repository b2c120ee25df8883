"""What a plan looks like beside the others: its price, and what that is for a month."""

from dataclasses import dataclass

from node_a.domain.money import Money
from node_a.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class Offer:
    """`per_month`: rounded to whole units, None where the plan is a month or less and the price says it all."""

    plan: Plan
    per_month: Money | None

    @classmethod
    def of(cls, plan: Plan) -> "Offer":
        # A year is twelve months to a customer, though 365 days are more than 12 × 30.
        months = plan.days / 365 * 12 if plan.days % 365 == 0 else plan.days / 30
        if months <= 1:
            return cls(plan, None)
        return cls(plan, Money(round(plan.price.minor_units / months / 100) * 100, plan.price.currency))
