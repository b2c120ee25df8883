"""Granting: days for a reason, once; and all that follows inside the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node_a.application.expiry import plan_its_time
from node_a.application.ports import Ledger, NewIds
from node_a.domain.access import AccessId
from node_a.domain.customer import CustomerId
from node_a.domain.keys import KeyRing
from node_a.domain.node import Node, NodeState, Protocol
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription, SubscriptionId


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantDays:
    """Called inside a transaction that holds the customer's lock."""

    nodes: Sequence[Node]
    ring: KeyRing
    new_ids: NewIds

    def __call__(self, ledger: Ledger, customer_id: CustomerId, source: str, plan: Plan, now: datetime) -> bool:
        """True if the days were added, False if this source had its days before."""
        subscription = ledger.subscriptions.of_customer(customer_id) or Subscription(
            self.new_ids.subscription(), customer_id, self.ring.newest
        )
        granted = subscription.granted(self.new_ids.grant(), source, plan, now)
        if granted is subscription:
            return False
        plan_its_time(ledger, granted, now)
        ledger.accesses.want(accesses_offered(granted.id, self.nodes), present=True, due_at=now)
        return True


def accesses_offered(id: SubscriptionId, nodes: Sequence[Node]) -> list[AccessId]:
    """Every access that a running subscription has."""
    offered = [node.code for node in nodes if node.state is not NodeState.RETIRED]
    return [AccessId(id, node, protocol) for node in offered for protocol in Protocol]
