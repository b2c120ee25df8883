"""Repair: a customer's keys are sent to every node once more, whatever we believe that it holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from node_a.application.expiry import give_keys
from node_a.application.ports import Clock, Ledger, Transact
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.node import Node

# A node needs a moment for what it was told, and a tired thumb must not keep it busy.
NOT_AGAIN_FOR: Final = timedelta(minutes=3)


class Repaired(StrEnum):
    """What became of it."""

    SENT = "sent"
    SENT_BEFORE = "sent before"  # a moment ago: it is on its way
    NOTHING_TO_SEND = "nothing to send"  # no days, or no traffic, are left


@dataclass(frozen=True, kw_only=True, slots=True)
class RepairKeys:
    """Once in a few minutes for each customer. That is kept in memory: a restart forgives, and each process counts for
    itself."""

    write: Transact
    nodes: Sequence[Node]
    clock: Clock
    _sent: dict[CustomerId, datetime] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, customer_id: CustomerId) -> Repaired:
        now = self.clock()
        if self._was_sent(customer_id, now):
            return Repaired.SENT_BEFORE
        if not self.write(lambda ledger: self._repair(ledger, customer_id, now)):
            return Repaired.NOTHING_TO_SEND
        self._sent[customer_id] = now
        return Repaired.SENT

    def _repair(self, ledger: Ledger, customer_id: CustomerId, now: datetime) -> bool:
        customer = ledger.customers.locked(customer_id)
        subscription = ledger.subscriptions.of_customer(customer_id)
        if customer.standing is not Standing.GOOD or subscription is None or not subscription.is_active(now):
            return False
        ledger.accesses.make_due(subscription.id, now)
        give_keys(ledger, subscription, self.nodes, now)
        return True

    def _was_sent(self, customer_id: CustomerId, now: datetime) -> bool:
        for id, at in list(self._sent.items()):
            if now - at >= NOT_AGAIN_FOR:
                self._sent.pop(id, None)
        return customer_id in self._sent
