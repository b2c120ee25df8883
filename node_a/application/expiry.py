"""Expiry: what time alone changes: reminders before the end, the end, and the traffic period; and how keys are given
and withdrawn."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from node_a.application.ports import Clock, Ledger, NewIds, Transact, Urgency
from node_a.application.registration import is_in_good_standing
from node_a.domain.access import AccessId
from node_a.domain.errors import UnknownCustomer
from node_a.domain.message import Message
from node_a.domain.node import Node, NodeState, Protocol, offered
from node_a.domain.subscription import Subscription, SubscriptionId


def locked_subscription(ledger: Ledger, id: SubscriptionId) -> Subscription | None:
    """The subscription, read again under its customer's lock: a renewal may run at this very moment."""
    subscription = ledger.subscriptions.find(id)
    if subscription is None:
        return None
    with suppress(UnknownCustomer):  # erased at this very moment: then there is no subscription either
        ledger.customers.locked(subscription.customer_id)
    return ledger.subscriptions.find(id)


def plan_its_time(ledger: Ledger, subscription: Subscription, now: datetime) -> Subscription:
    """Called inside a transaction: stored in the traffic period of now, with its next reminder and what time alone
    changes next."""
    turned = subscription.turned(now)
    ledger.subscriptions.save(turned, remind_at=turned.next_reminder(now), expire_at=turned.next_change(now))
    return turned


def begin_period(ledger: Ledger, subscription: Subscription, nodes: Sequence[Node], now: datetime) -> Subscription:
    """Called inside a transaction, for one that runs: as `plan_its_time`, and if a new traffic period has begun, the
    nodes hear of it; the keys of whoever was suspended work again."""
    turned = plan_its_time(ledger, subscription, now)
    if turned.revision != subscription.revision:
        give_keys(ledger, turned, nodes, now, Urgency.CUSTOMER if subscription.suspended else Urgency.UPKEEP)
    return turned


def withdraw_keys(ledger: Ledger, subscription: Subscription, now: datetime) -> None:
    """Called inside a transaction: no node shall hold anything of it, and time alone changes nothing more."""
    ledger.subscriptions.save(subscription.revised(), remind_at=None, expire_at=None)
    ledger.accesses.want(ledger.accesses.of_subscription(subscription.id), present=False, due_at=now)


def give_keys(
    ledger: Ledger,
    subscription: Subscription,
    nodes: Sequence[Node],
    now: datetime,
    urgency: Urgency = Urgency.CUSTOMER,
) -> None:
    """Called inside a transaction: a key on every active node through each protocol, and what it has on draining ones
    is kept; all of them hear of the subscription as it is now."""
    draining = {node.code for node in nodes if node.state is NodeState.DRAINING}
    held = [id for id in ledger.accesses.of_subscription(subscription.id) if id.node in draining]
    offered_and_held = [*accesses_offered(subscription.id, nodes), *held]
    ledger.accesses.want(offered_and_held, present=True, due_at=now, urgency=urgency)


def accesses_offered(id: SubscriptionId, nodes: Sequence[Node]) -> list[AccessId]:
    """Every access that a running subscription has, whatever it had before."""
    return [AccessId(id, node.code, protocol) for node in offered(nodes) for protocol in Protocol]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemindCustomer:
    """Queue the reminder that is due, if one still is, and plan the next."""

    write: Transact
    clock: Clock
    new_ids: NewIds

    def __call__(self, id: SubscriptionId) -> None:
        self.write(lambda ledger: self._remind(ledger, id))

    def _remind(self, ledger: Ledger, id: SubscriptionId) -> None:
        subscription = locked_subscription(ledger, id)
        if subscription is None:
            return
        now = self.clock()
        before = subscription.reminder_due(now)
        if before is not None and subscription.paid_until is not None:
            ledger.messages.queue(
                Message.ends_soon(self.new_ids.message(), subscription, subscription.paid_until, before, now)
            )
        ledger.subscriptions.remind_next(id, subscription.next_reminder(now))


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpireSubscription:
    """What time alone changes in a subscription. At the paid end its customer is told; at the end of the keys, with
    grace a little later, its accesses are removed: the nodes refuse it then by themselves, this only cleans up, and a
    renewal brings the very same keys back. With a new traffic period, what was suspended works again."""

    write: Transact
    clock: Clock
    new_ids: NewIds
    nodes: Sequence[Node]

    def __call__(self, id: SubscriptionId) -> None:
        self.write(lambda ledger: self._expire(ledger, id))

    def _expire(self, ledger: Ledger, id: SubscriptionId) -> None:
        subscription = locked_subscription(ledger, id)
        if subscription is None:
            return
        now, paid_until = self.clock(), subscription.paid_until
        if not is_in_good_standing(ledger, subscription.customer_id):  # since it was seen to be due
            withdraw_keys(ledger, subscription, now)
            return
        if paid_until is not None and paid_until <= now:
            ledger.messages.queue(Message.ended(self.new_ids.message(), subscription, paid_until, now))
        if not subscription.runs(now):
            withdraw_keys(ledger, subscription, now)
            return
        begin_period(ledger, subscription, self.nodes, now)
