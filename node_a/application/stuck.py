"""Stuck: what does not go on by itself, for operators to look at; and the watch that tells them of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from node_a.application.alerts import TellOperators
from node_a.application.jobs import Job
from node_a.application.ports import Clock, Ledger, NewIds, OpenLedger, Transact
from node_a.domain.access import AccessId
from node_a.domain.message import MessageKind
from node_a.domain.node import NodeCode
from node_a.domain.payment import Payment, PaymentId
from node_a.domain.refund import Refund, RefundId

# Until then retries are the worker's own affair.
STUCK_AFTER: Final = timedelta(days=1)


class ThingKind(StrEnum):
    """What can be stuck."""

    PAYMENT = "payment"
    REFUND = "refund"
    NODE = "node"
    MESSAGES = "messages"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Thing:
    """What a retry is for. `id`: of the payment or refund, the node's code, the kind of the messages, the job's
    name."""

    kind: ThingKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def named(cls, text: str) -> "Thing | None":
        """The thing with this name; None for what never was a name."""
        word, _, id = text.partition(":")
        if word not in set(map(str, ThingKind)) or not id:
            return None
        thing = cls(ThingKind(word), id)
        return thing if thing._is_well_formed() else None

    def _is_well_formed(self) -> bool:
        if self.kind is ThingKind.NODE:
            return len(self.id) <= 16
        if self.kind is ThingKind.MESSAGES:
            return self.id in set(map(str, MessageKind))
        if self.kind is ThingKind.JOB:
            return self.id in set(map(str, Job))
        try:
            return str(UUID(self.id)) == self.id
        except ValueError:
            return False

    @property
    def payment_id(self) -> PaymentId:
        return PaymentId(UUID(self.id))

    @property
    def refund_id(self) -> RefundId:
        return RefundId(UUID(self.id))


@dataclass(frozen=True, slots=True)
class StuckPayment:
    """`since`: when the provider's silence about it began; None where a person must decide instead
    (`payment.attention`)."""

    payment: Payment
    since: datetime | None

    @property
    def thing(self) -> Thing:
        return Thing(ThingKind.PAYMENT, str(self.payment.id))


@dataclass(frozen=True, slots=True)
class StuckRefund:
    refund: Refund

    @property
    def thing(self) -> Thing:
        return Thing(ThingKind.REFUND, str(self.refund.id))


@dataclass(frozen=True, slots=True)
class StuckNode:
    """So many keys that the node should hold, change or forget, the oldest of them since then."""

    node: NodeCode
    keys: int
    since: datetime

    @property
    def thing(self) -> Thing:
        return Thing(ThingKind.NODE, self.node)


@dataclass(frozen=True, slots=True)
class StuckMessages:
    """So many unsent messages of one kind, to people who can be reached."""

    kind: MessageKind
    count: int

    @property
    def thing(self) -> Thing:
        return Thing(ThingKind.MESSAGES, self.kind)


@dataclass(frozen=True, slots=True)
class StuckJob:
    """It has failed every time since then."""

    job: Job
    since: datetime

    @property
    def thing(self) -> Thing:
        return Thing(ThingKind.JOB, self.job)


@dataclass(frozen=True, slots=True)
class StuckThings:
    """`money`: what a person must decide, from the first moment; all others: what has not gone on for a day."""

    money: Sequence[StuckPayment] = ()
    payments: Sequence[StuckPayment] = ()
    refunds: Sequence[StuckRefund] = ()
    nodes: Sequence[StuckNode] = ()
    messages: Sequence[StuckMessages] = ()
    jobs: Sequence[StuckJob] = ()

    @property
    def marks(self) -> frozenset[str]:
        """What operators are told of once. A crowd that grows tenfold is news again: one stuck key must not hide a
        dead node. `money` is not among them: they were told of it when it came."""
        things = [*(one.thing for one in self.payments), *(one.thing for one in self.refunds)]
        single = [str(thing) for thing in (*things, *(one.thing for one in self.jobs))]
        crowds = [(str(node.thing), node.keys) for node in self.nodes]
        crowds += [(str(crowd.thing), crowd.count) for crowd in self.messages]
        return frozenset(single) | {f"{name}:{10**n}" for name, size in crowds for n in range(len(str(size)))}

    def __bool__(self) -> bool:
        return bool(self.money or self.marks)


def stuck_things(ledger: Ledger, now: datetime) -> StuckThings:
    """Called inside a transaction."""
    before = now - STUCK_AFTER
    behind = ledger.accesses.behind_since(before)
    unsent = [one for one in ledger.messages.waiting_since(before) if one.kind is not MessageKind.STUCK]
    failing = [payment for payment in ledger.payments.failing_since(before) if payment.attention is None]
    return StuckThings(
        money=[StuckPayment(payment, None) for payment in ledger.payments.needing_a_person()],
        payments=[StuckPayment(payment, payment.failing_since) for payment in failing],
        refunds=[StuckRefund(refund) for refund in ledger.refunds.open_since(before)],
        nodes=_stuck_nodes(behind),
        jobs=[StuckJob(Job(name), since) for name, since in ledger.jobs.failing_since(before) if name in set(Job)],
        messages=[StuckMessages(*crowd) for crowd in Counter(one.kind for one in unsent).most_common()],
    )


def _stuck_nodes(behind: Sequence[tuple[AccessId, datetime]]) -> list[StuckNode]:
    crowds = Counter(id.node for id, _ in behind).most_common()
    return [StuckNode(node, keys, min(since for id, since in behind if id.node == node)) for node, keys in crowds]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListStuck:
    read_ledger: OpenLedger
    clock: Clock

    def __call__(self) -> StuckThings:
        with self.read_ledger() as ledger:
            return stuck_things(ledger, self.clock())


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchStuck:
    """Tell the operators of what has become stuck since the last look: in one message, and once for as long as it
    stays so. What only lacks a time to be looked at gets one."""

    write: Transact
    tell: TellOperators
    clock: Clock
    new_ids: NewIds

    def __call__(self) -> None:
        self.write(self._watch)

    def _watch(self, ledger: Ledger) -> None:
        now = self.clock()
        ledger.payments.check_forgotten_refunds(now)
        if ledger.told_stuck.replace(stuck_things(ledger, now).marks):
            id = self.new_ids.message()
            self.tell(ledger, MessageKind.STUCK, subject=id, key=str(id), now=now)
