"""Providing: a node is made to hold what the subscription says; safe to repeat."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.ports import AccessClaim, Clock, InThread, Ledger, NewIds, Nodes
from node_a.domain.access import WantedAccess
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable, UnknownSubscription
from node_a.domain.keys import KeyRing
from node_a.domain.message import Message
from node_a.domain.subscription import Subscription

# The first key that works is good news, but both together are better: so long the message waits for the rest.
READY_WAITS_FOR: Final = timedelta(seconds=1)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvideAccess:
    """One attempt for one access. NodeUnavailable and NodeRefused are raised again after the next one was planned."""

    ledger: InThread
    nodes: Nodes
    ring: KeyRing
    clock: Clock
    new_ids: NewIds

    async def __call__(self, claim: AccessClaim) -> None:
        wanted = await self.ledger(lambda ledger: self._wanted(ledger, claim))
        try:
            gateway = self.nodes.get(claim.id.node)
            if gateway is None:
                raise NodeRefused(f"node {claim.id.node} is not in the settings any more")
            await gateway.apply(wanted)  # absolute facts
        except NodeUnavailable as error:
            if error.answered:  # it is there: only this access waits
                await self.ledger(lambda ledger: ledger.accesses.failed(claim, self._retry_at(claim)))
            else:
                await self.ledger(lambda ledger: self._close_gate(ledger, claim))
            raise
        except NodeIsAhead as error:
            held = error.revision
            await self.ledger(lambda ledger: self._overtake(ledger, claim, held))
            raise
        except NodeRefused:
            await self.ledger(lambda ledger: ledger.accesses.failed(claim, self._retry_at(claim)))
            raise
        await self.ledger(lambda ledger: self._record(ledger, claim, wanted))

    def _wanted(self, ledger: Ledger, claim: AccessClaim) -> WantedAccess:
        subscription = _subscription_of(ledger, claim)
        now = self.clock()
        plan = subscription.plan_at(now)
        return WantedAccess(
            id=claim.id,
            revision=subscription.revision,
            present=ledger.accesses.is_wanted(claim.id),
            ends_at=subscription.ends_at or now,
            traffic_limit=plan.traffic_limit if plan else None,
            credential=self.ring.credential(subscription, claim.id.node, claim.id.protocol),
            rotation=subscription.rotation,
        )

    def _record(self, ledger: Ledger, claim: AccessClaim, wanted: WantedAccess) -> None:
        ledger.nodes.gate_opened(claim.id.node, claim.id.protocol)
        if not wanted.present:
            ledger.accesses.removed(claim)
            return
        ledger.accesses.applied(claim, wanted)
        self._queue_ready(ledger, _subscription_of(ledger, claim), wanted.revision)

    def _queue_ready(self, ledger: Ledger, subscription: Subscription, revision: int) -> None:
        if subscription.revision != revision:
            return  # what the node holds is behind again: the next attempt speaks
        now = self.clock()
        complete = ledger.accesses.progress(subscription.id, now).is_complete
        due = now if complete else now + READY_WAITS_FOR
        for grant in subscription.grants:
            if grant.ends_at > now:
                message = Message.keys_ready(self.new_ids.message(), subscription.customer_id, grant.id, due)
                if not ledger.messages.queue(message):
                    ledger.messages.hasten(message.unique_key, due)

    def _close_gate(self, ledger: Ledger, claim: AccessClaim) -> None:
        # One gate for all work of this node and protocol, instead of one pause for each access.
        ledger.nodes.gate_closed(claim.id.node, claim.id.protocol, self.clock())
        ledger.accesses.failed(claim, claim.due_at)

    def _overtake(self, ledger: Ledger, claim: AccessClaim, held: int) -> None:
        # Our database is the older one (a restored backup), and yet what it says is what the customer paid for.
        now = self.clock()
        ledger.subscriptions.revise(claim.id.subscription_id, held + 1)
        ledger.accesses.failed(claim, now)
        ledger.accesses.make_due(claim.id.subscription_id, now)

    def _retry_at(self, claim: AccessClaim) -> datetime:
        return self.clock() + min(FIRST_PAUSE * (1 << min(claim.attempts, 10)), LONGEST_PAUSE)


def _subscription_of(ledger: Ledger, claim: AccessClaim) -> Subscription:
    subscription = ledger.subscriptions.find(claim.id.subscription_id)
    if subscription is None:
        raise UnknownSubscription(str(claim.id.subscription_id))
    return subscription
