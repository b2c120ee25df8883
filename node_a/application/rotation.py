"""Rotation: new keys and a new link for a customer who asks, and for everybody when a secret is taken out of use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.expiry import give_keys, locked_subscription, plan_its_time
from node_a.application.ports import Clock, Ledger, OpenLedger, Transact, Urgency
from node_a.application.registration import is_in_good_standing
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import CustomerBanned, RotationRefused, TooManyRotations
from node_a.domain.keys import KeyRing
from node_a.domain.node import Node
from node_a.domain.subscription import Subscription, SubscriptionId

A_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RotationOffer:
    """`rotation`: the keys that would be replaced; `left`: how often that may still be done in these 24 hours."""

    rotation: int
    left: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferRotation:
    """What the customer is asked before new keys are made; None if there are none to be had. `per_day`: how often in
    any 24 hours, 0 for never."""

    read_ledger: OpenLedger
    per_day: int
    clock: Clock

    def __call__(self, customer_id: CustomerId) -> RotationOffer | None:
        with self.read_ledger() as ledger:
            subscription, now = ledger.subscriptions.of_customer(customer_id), self.clock()
            if not self.per_day or subscription is None or not subscription.runs(now):
                return None
            return RotationOffer(
                subscription.rotation, max(0, rotations_left(ledger, subscription.id, self.per_day, now))
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class RotateKeys:
    """From now on the old link leads nowhere, and each node replaces the key as soon as it answers.

    `shown`: the keys that the customer was asked about. If they have been replaced since, nothing is done: the question
    was answered before, and this is the same tap once more. Raises CustomerBanned, RotationRefused and its
    TooManyRotations.
    """

    write: Transact
    nodes: Sequence[Node]
    per_day: int
    clock: Clock

    def __call__(self, customer_id: CustomerId, shown: int) -> None:
        if not self.per_day:
            raise RotationRefused("this shop gives no new keys")
        self.write(lambda ledger: self._rotate(ledger, customer_id, shown))

    def _rotate(self, ledger: Ledger, customer_id: CustomerId, shown: int) -> None:
        if ledger.customers.locked(customer_id).standing is not Standing.GOOD:
            raise CustomerBanned(customer_id)
        subscription, now = ledger.subscriptions.of_customer(customer_id), self.clock()
        if subscription is None or not subscription.runs(now):
            raise RotationRefused("no days are left")
        if subscription.rotation != shown:
            return
        if rotations_left(ledger, subscription.id, self.per_day, now) <= 0:
            raise TooManyRotations("as many new keys were taken in these 24 hours as may be")
        rotated = plan_its_time(ledger, subscription.rotated(), now)
        ledger.rotations.record(rotated.id, rotated.rotation, now)
        # Wherever there is a key, the old one must go: on a node that is being emptied, too.
        ledger.accesses.make_due(rotated.id, now)
        if rotated.is_active(now):
            give_keys(ledger, rotated, self.nodes, now)


def rotations_left(ledger: Ledger, id: SubscriptionId, per_day: int, now: datetime) -> int:
    """How often the customer may still take new keys in these 24 hours."""
    return per_day - ledger.rotations.since(id, now - A_DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveToNewestSecret:
    """One batch of the subscriptions whose keys come from an older secret gets new ones, from the newest. A transaction
    for each: killed at any moment, the next call goes on. How many were moved; 0 when none is left."""

    read_ledger: OpenLedger
    write: Transact
    ring: KeyRing
    nodes: Sequence[Node]
    clock: Clock

    def __call__(self, batch: int) -> int:
        with self.read_ledger() as ledger:
            ids = ledger.subscriptions.of_secrets_before(self.ring.newest, batch)
        for id in ids:
            self._move_one(id)
        return len(ids)

    def left(self) -> int:
        """How many are still to be moved."""
        with self.read_ledger() as ledger:
            return ledger.subscriptions.count_of_secrets_before(self.ring.newest)

    def _move_one(self, id: SubscriptionId) -> None:
        self.write(lambda ledger: self._move(ledger, id))

    def _move(self, ledger: Ledger, id: SubscriptionId) -> None:
        subscription = locked_subscription(ledger, id)
        if subscription is None or subscription.secret_number >= self.ring.newest:
            return
        moved, now = subscription.rotated(self.ring.newest), self.clock()
        if not is_in_good_standing(ledger, subscription.customer_id):
            ledger.subscriptions.save(moved, remind_at=None, expire_at=None)
            return
        self._take_effect(ledger, plan_its_time(ledger, moved, now), now)

    def _take_effect(self, ledger: Ledger, moved: Subscription, now: datetime) -> None:
        if moved.is_active(now):
            # Nobody waits for it: who buys meanwhile goes first.
            give_keys(ledger, moved, self.nodes, now, Urgency.UPKEEP)
        else:
            ledger.accesses.make_due(moved.id, now)
