"""Expiry: what time alone changes: reminders before the end, and the end."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from node_a.application.ports import Clock, Ledger, NewIds, Transact
from node_a.domain.errors import UnknownCustomer
from node_a.domain.message import Message
from node_a.domain.subscription import Subscription, SubscriptionId


def locked_subscription(ledger: Ledger, id: SubscriptionId) -> Subscription | None:
    """The subscription, read again under its customer's lock: a renewal may run at this very moment."""
    subscription = ledger.subscriptions.find(id)
    if subscription is None:
        return None
    with suppress(UnknownCustomer):  # erased at this very moment: then there is no subscription either
        ledger.customers.locked(subscription.customer_id)
    return ledger.subscriptions.find(id)


def plan_its_time(ledger: Ledger, subscription: Subscription, now: datetime) -> None:
    """Called inside a transaction: stored, with its next reminder and its end to come."""
    ledger.subscriptions.save(subscription, remind_at=subscription.next_reminder(now), expire_at=subscription.ends_at)


def withdraw_keys(ledger: Ledger, subscription: Subscription, now: datetime) -> None:
    """Called inside a transaction: no node shall hold anything of it, and time alone changes nothing more."""
    ledger.subscriptions.save(subscription.revised(), remind_at=None, expire_at=None)
    ledger.accesses.want(ledger.accesses.of_subscription(subscription.id), present=False, due_at=now)


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
        if before is not None and subscription.ends_at is not None:
            ledger.messages.queue(
                Message.ends_soon(self.new_ids.message(), subscription, subscription.ends_at, before, now)
            )
        ledger.subscriptions.remind_next(id, subscription.next_reminder(now))


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpireSubscription:
    """End a subscription whose time is up: its accesses are removed, its customer is told. The nodes refuse it at
    its end by themselves; this only cleans up. A renewal brings the very same keys back."""

    write: Transact
    clock: Clock
    new_ids: NewIds

    def __call__(self, id: SubscriptionId) -> None:
        self.write(lambda ledger: self._expire(ledger, id))

    def _expire(self, ledger: Ledger, id: SubscriptionId) -> None:
        subscription = locked_subscription(ledger, id)
        if subscription is None or subscription.ends_at is None:
            return
        now = self.clock()
        if subscription.is_active(now):
            plan_its_time(ledger, subscription, now)
            return
        withdraw_keys(ledger, subscription, now)
        ledger.messages.queue(Message.ended(self.new_ids.message(), subscription, subscription.ends_at, now))
