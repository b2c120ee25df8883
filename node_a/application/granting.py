"""Granting: days for a reason, once; and all that follows inside the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node_a.application.expiry import give_keys, plan_its_time
from node_a.application.ports import Ledger, NewIds
from node_a.domain.customer import CustomerId
from node_a.domain.keys import KeyRing
from node_a.domain.node import Node
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantDays:
    """Called inside a transaction that holds the customer's lock. `grace`: what follows the paid days, so that somebody
    can still renew through the VPN; None for nothing. Both as set now: whoever renews has it so from then on."""

    nodes: Sequence[Node]
    ring: KeyRing
    new_ids: NewIds
    grace: Plan | None = None

    def __call__(self, ledger: Ledger, customer_id: CustomerId, source: str, plan: Plan, now: datetime) -> bool:
        """True if the days were added, False if this source had its days before."""
        subscription = ledger.subscriptions.of_customer(customer_id) or Subscription(
            self.new_ids.subscription(), customer_id, self.ring.newest
        )
        granted = subscription.granted(self.new_ids.grant(), source, plan, now)
        if granted is subscription:
            return False
        granted = granted.with_grace(self.new_ids.grant(), self.grace)
        give_keys(ledger, plan_its_time(ledger, granted, now), self.nodes, now)
        return True
