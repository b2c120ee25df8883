"""Providing: a node is made to hold what the subscription says; safe to repeat."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.expiry import locked_subscription
from node_a.application.ports import AccessClaim, Chance, Clock, InThread, Ledger, NewIds, Nodes
from node_a.domain.access import WantedAccess
from node_a.domain.backoff import pause
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
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
    chance: Chance

    async def __call__(self, claim: AccessClaim) -> bool:
        """False if the access was given up: nobody wants it, and its node is not in the settings any more."""
        wanted = await self.ledger(lambda ledger: self._wanted(ledger, claim))
        if wanted is None:
            return True  # erased since the claim, which waits for the nodes: there is nothing to hold
        gateway = self.nodes.get(claim.id.node)
        if gateway is None and not wanted.present:
            # Nobody can be told, and nobody may wait for that for ever.
            await self.ledger(lambda ledger: ledger.accesses.removed(claim))
            return False
        try:
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
        return True

    def _wanted(self, ledger: Ledger, claim: AccessClaim) -> WantedAccess | None:
        subscription = ledger.subscriptions.find(claim.id.subscription_id)
        if subscription is None:
            return None
        now = self.clock()
        record = ledger.accesses.find(claim.id)
        period = subscription.traffic_period(now)
        return WantedAccess(
            id=claim.id,
            revision=subscription.revision,
            present=record is not None and record.present,
            ends_at=subscription.ends_at or now,
            traffic_limit=record.backstop(period.limit) if record and period else None,
            credential=self.ring.credential(subscription, claim.id.node, claim.id.protocol),
            rotation=subscription.rotation,
        )

    def _record(self, ledger: Ledger, claim: AccessClaim, wanted: WantedAccess) -> None:
        # The customer row first, as everybody takes it: two nodes that answer at once must see each other's answer.
        subscription = locked_subscription(ledger, claim.id.subscription_id)
        ledger.nodes.gate_opened(claim.id.node, claim.id.protocol)
        if not wanted.present:
            ledger.accesses.removed(claim)
        elif subscription is not None:
            ledger.accesses.applied(claim, wanted)
            self._queue_ready(ledger, subscription, wanted.revision)

    def _queue_ready(self, ledger: Ledger, subscription: Subscription, revision: int) -> None:
        if subscription.revision != revision:
            return  # what the node holds is behind again: the next attempt speaks
        now = self.clock()
        complete = ledger.accesses.progress(subscription.id, now).is_complete
        due = now if complete else now + READY_WAITS_FOR
        for grant in subscription.grants:
            if grant.ends_at > now and not grant.is_grace:
                message = Message.keys_ready(self.new_ids.message(), subscription.customer_id, grant.id, due)
                if not ledger.messages.queue(message):
                    ledger.messages.hasten(message.unique_key, due)

    def _close_gate(self, ledger: Ledger, claim: AccessClaim) -> None:
        # One gate for all work of this node and protocol, instead of one pause for each access.
        ledger.nodes.gate_closed(claim.id.node, claim.id.protocol, self.clock(), self.chance())
        ledger.accesses.failed(claim, claim.due_at)

    def _overtake(self, ledger: Ledger, claim: AccessClaim, held: int) -> None:
        # Our database is the older one (a restored backup), and yet what it says is what the customer paid for.
        now = self.clock()
        locked_subscription(ledger, claim.id.subscription_id)
        ledger.subscriptions.revise(claim.id.subscription_id, held + 1)
        ledger.accesses.failed(claim, now)
        ledger.accesses.make_due(claim.id.subscription_id, now)

    def _retry_at(self, claim: AccessClaim) -> datetime:
        return self.clock() + pause(FIRST_PAUSE, LONGEST_PAUSE, claim.attempts, self.chance())
