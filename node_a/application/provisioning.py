"""Providing: a node is made to hold what the subscription says; safe to repeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.expiry import locked_subscription
from node_a.application.ports import (
    AccessClaim,
    Chance,
    Clock,
    InThread,
    Ledger,
    NewIds,
    NodeGateway,
    Nodes,
)
from node_a.application.wanting import Wanting
from node_a.domain.access import WantedAccess
from node_a.domain.backoff import pause
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
from node_a.domain.message import Message
from node_a.domain.subscription import Subscription

# The first key that works is good news, but both together are better: so long the message waits for the rest.
READY_WAITS_FOR: Final = timedelta(seconds=1)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)


def news_once_held(
    subscription: Subscription, new_ids: NewIds, now: datetime, due: datetime | None = None
) -> Sequence[Message]:
    """What its customer is told as soon as a node holds the subscription as it is; each message once."""
    keys_ready = [
        Message.keys_ready(new_ids.message(), subscription.customer_id, grant.id, due or now)
        for grant in subscription.grants
        if grant.ends_at > now and not grant.is_grace
    ]
    # The first keys are none that replace others.
    new_keys = [Message.new_keys(new_ids.message(), subscription, due or now)] if subscription.rotation else []
    return [*keys_ready, *new_keys]


def tell_that_it_is_held(ledger: Ledger, subscription: Subscription, new_ids: NewIds, now: datetime) -> None:
    """Called inside a transaction, under the customer's lock: a node holds the subscription as it is."""
    progress, failing = ledger.accesses.progress(subscription.id, now), ledger.nodes.failing()
    # Nobody waits for a node that is known to be down.
    complete = all(id.keeper in failing for id in progress.wanted - progress.applied)
    due = now if complete else now + READY_WAITS_FOR
    for message in news_once_held(subscription, new_ids, now, due):
        if not ledger.messages.queue(message):
            ledger.messages.hasten(message.unique_key, due)


def overtake(ledger: Ledger, claim: AccessClaim, held: int, now: datetime) -> None:
    """Called inside a transaction, under the customer's lock. Our database is the older one (a restored backup), and
    yet what it says is what the customer paid for."""
    ledger.subscriptions.revise(claim.id.subscription_id, held + 1)
    ledger.accesses.failed(claim, now)
    ledger.accesses.make_due(claim.id.subscription_id, now)


def close_gate(ledger: Ledger, claim: AccessClaim, now: datetime, chance: float) -> None:
    """Called inside a transaction: one gate for all work of this node and protocol, not one pause for each access."""
    ledger.nodes.gate_closed(claim.id.node, claim.id.protocol, now, chance)
    ledger.accesses.failed(claim, claim.due_at)


def retry_at(claim: AccessClaim, now: datetime, chance: float) -> datetime:
    return now + pause(FIRST_PAUSE, LONGEST_PAUSE, claim.attempts, chance)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvideAccess:
    """One attempt for one access. NodeUnavailable and NodeRefused are raised again after the next one was planned."""

    read_ledger: InThread
    ledger: InThread
    nodes: Nodes
    wanting: Wanting
    clock: Clock
    new_ids: NewIds
    chance: Chance

    async def __call__(self, claim: AccessClaim) -> bool:
        """False if the access was given up: nobody wants it, and its node is not in the settings any more."""
        wanted = await self.read_ledger(lambda ledger: self._wanted(ledger, claim))
        if wanted is None:
            return True  # removed since the claim, and perhaps erased: there is nothing to hold
        gateway = self.nodes.get(claim.id.node)
        if gateway is None and not wanted.present:
            # Nobody can be told, and nobody may wait for that for ever.
            await self.ledger(lambda ledger: ledger.accesses.removed(claim))
            return False
        await self._apply(gateway, claim, wanted)
        await self.ledger(lambda ledger: self._record(ledger, claim, wanted))
        return True

    async def _apply(self, gateway: NodeGateway | None, claim: AccessClaim, wanted: WantedAccess) -> None:
        now, chance = self.clock, self.chance
        try:
            if gateway is None:
                raise NodeRefused(f"node {claim.id.node} is not in the settings any more")
            await gateway.apply(wanted)  # absolute facts
        except NodeIsAhead as error:
            held = error.revision
            await self.ledger(lambda ledger: self._overtake(ledger, claim, held))
            raise
        except (NodeRefused, NodeUnavailable) as error:
            if isinstance(error, NodeRefused) or error.answered:  # it is there: only this access waits
                await self.ledger(lambda ledger: ledger.accesses.failed(claim, retry_at(claim, now(), chance())))
            else:
                await self.ledger(lambda ledger: close_gate(ledger, claim, now(), chance()))
            raise

    def _wanted(self, ledger: Ledger, claim: AccessClaim) -> WantedAccess | None:
        subscription = ledger.subscriptions.find(claim.id.subscription_id)
        record = ledger.accesses.find(claim.id)
        if subscription is None or record is None:
            return None
        return self.wanting(subscription, record, self.clock())

    def _record(self, ledger: Ledger, claim: AccessClaim, wanted: WantedAccess) -> None:
        # The customer row first, as everybody takes it: two nodes that answer at once must see each other's answer.
        subscription = locked_subscription(ledger, claim.id.subscription_id)
        ledger.nodes.gate_opened(claim.id.node, claim.id.protocol)
        if not wanted.present:
            ledger.accesses.removed(claim)
        elif subscription is not None:
            ledger.accesses.applied(claim, wanted)
            # If what the node holds is behind again, the next attempt speaks.
            if subscription.revision == wanted.revision:
                tell_that_it_is_held(ledger, subscription, self.new_ids, self.clock())

    def _overtake(self, ledger: Ledger, claim: AccessClaim, held: int) -> None:
        locked_subscription(ledger, claim.id.subscription_id)
        overtake(ledger, claim, held, self.clock())
