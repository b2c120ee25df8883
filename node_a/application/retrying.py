"""Retrying: an operator has something stuck tried again now, or says that a person has dealt with it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from node_a.application.acts import ActKind, Answered, Instruction, PerformAct, Result, about_payment
from node_a.application.ports import Ledger
from node_a.application.settlement import locked_payment
from node_a.application.stuck import STUCK_AFTER, Thing, ThingKind
from node_a.domain.errors import UnknownPayment
from node_a.domain.message import MessageKind
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.payment import OPEN_STATES, STATES_WITH_MONEY, PaymentId

_NOTHING: Final = Answered(Result.NOTHING_THERE)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryStuck:
    """Only asks for the next attempt now instead of later: nothing is done that would not be done anyway."""

    perform: PerformAct

    def __call__(self, instruction: Instruction, thing: Thing) -> Answered:
        def work(ledger: Ledger, now: datetime) -> Answered:
            count = _retried(ledger, thing, now)
            return Answered(Result.RETRIED, str(count)) if count else _NOTHING

        return self.perform(instruction, ActKind.RETRY, str(thing), work)


def _retried(ledger: Ledger, thing: Thing, now: datetime) -> int:
    """How many were there to retry."""
    match thing.kind:
        case ThingKind.PAYMENT:
            return int(_nudged(ledger, thing.payment_id, now))
        case ThingKind.REFUND:
            refund = ledger.refunds.find(thing.refund_id)
            return int(refund is not None and refund.is_open and _nudged(ledger, refund.payment_id, now))
        case ThingKind.NODE:
            return _node_retried(ledger, NodeCode(thing.id), now)
        case ThingKind.MESSAGES:
            return _messages_retried(ledger, MessageKind(thing.id), now)
        case ThingKind.JOB:
            return int(ledger.jobs.make_due(thing.id, now))


def _nudged(ledger: Ledger, id: PaymentId, now: datetime) -> bool:
    # A paid one too: its refund, or the days it is owed, may be what is stuck.
    return ledger.payments.nudge(id, None, now, states=OPEN_STATES | STATES_WITH_MONEY)


def _node_retried(ledger: Ledger, node: NodeCode, now: datetime) -> int:
    behind = [id for id, _ in ledger.accesses.behind_since(now - STUCK_AFTER) if id.node == node]
    for protocol in sorted({id.protocol for id in behind}, key=list(Protocol).index):
        ledger.nodes.gate_opened(node, protocol)
    for subscription in sorted({id.subscription_id for id in behind}):
        ledger.accesses.make_due(subscription, now)
    return len(behind)


def _messages_retried(ledger: Ledger, kind: MessageKind, now: datetime) -> int:
    unsent = [one for one in ledger.messages.waiting_since(now - STUCK_AFTER) if one.kind is kind]
    for message in unsent:
        ledger.messages.make_due(message.id, now)
    return len(unsent)


@dataclass(frozen=True, kw_only=True, slots=True)
class HandleMoney:
    """A person has dealt with the money of a payment: it is not asked about any more."""

    perform: PerformAct

    def __call__(self, instruction: Instruction, id: PaymentId) -> Answered:
        def work(ledger: Ledger, now: datetime) -> Answered:
            try:
                payment, _ = locked_payment(ledger, id)  # a check may be settling it at this moment
            except UnknownPayment:
                return _NOTHING
            if payment.attention is None:
                return _NOTHING
            ledger.payments.save(payment.handled())
            return Answered(Result.HANDLED)

        return self.perform(instruction, ActKind.HANDLED, about_payment(id), work)
