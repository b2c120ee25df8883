"""Notices: what a message has to tell, looked up at the moment of sending; the wording makes a letter of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from node_a.application.limits import TrafficRunsLow, TrafficUsedUp, find_limit
from node_a.application.outages import NodeOutage, find_outage
from node_a.application.overview import SubscriptionView, ViewSubscription
from node_a.application.ports import Clock, Ledger, Letter
from node_a.application.stuck import StuckThings, stuck_things
from node_a.domain.customer import Customer, Language
from node_a.domain.grant import GrantId
from node_a.domain.message import Message, MessageKind
from node_a.domain.payment import Payment, PaymentId
from node_a.domain.refund import Refund, RefundId, RefundState
from node_a.domain.subscription import SubscriptionId

# The provider's word for a link that nobody used within its hour (YooKassa, cancellation_details.reason).
LINK_RAN_OUT: Final = "expired_on_confirmation"


@dataclass(frozen=True, slots=True)
class PaymentReceived:
    payment: Payment


@dataclass(frozen=True, slots=True)
class PaymentDeclined:
    payment: Payment


@dataclass(frozen=True, slots=True)
class KeysReady:
    subscription: SubscriptionView


@dataclass(frozen=True, slots=True)
class NewKeys:
    """The old ones and the old link work no more."""

    subscription: SubscriptionView


@dataclass(frozen=True, slots=True)
class EndsSoon:
    ends_at: datetime
    days_left: int


@dataclass(frozen=True, slots=True)
class Ended:
    """`keys_until`: how long the keys still work, so that it can be renewed; None if they do not."""

    ends_at: datetime
    keys_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refunded:
    """`ends_at`: until when the subscription runs after it; None if it has ended."""

    refund: Refund
    payment: Payment
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class MoneyNeedsYou:
    """For an operator: why is `payment.attention`."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class SomethingStuck:
    """For an operator."""

    things: StuckThings


Notice = (
    PaymentReceived
    | PaymentDeclined
    | KeysReady
    | NewKeys
    | EndsSoon
    | Ended
    | TrafficRunsLow
    | TrafficUsedUp
    | Refunded
    | MoneyNeedsYou
    | SomethingStuck
    | NodeOutage
)


class ComposeLetter(Protocol):
    """The words for a notice in the customer's language."""

    def __call__(self, notice: Notice, language: Language) -> Letter: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LookUpNotice:
    """Called inside a transaction. None: what the message was to say is not true any more."""

    view: ViewSubscription
    clock: Clock

    def __call__(self, ledger: Ledger, message: Message, customer: Customer) -> Notice | None:
        match message.kind:
            case MessageKind.PAYMENT_RECEIVED | MessageKind.PAYMENT_DECLINED:
                return self._payment(ledger, PaymentId(message.subject))
            case MessageKind.KEYS_READY | MessageKind.NEW_KEYS:
                return self._keys(ledger, message, customer.language)
            case MessageKind.ENDS_SOON | MessageKind.ENDED:
                return self._end(ledger, message)
            case MessageKind.TRAFFIC_RUNS_LOW | MessageKind.TRAFFIC_USED_UP:
                return find_limit(ledger, message, self.clock())
            case MessageKind.REFUNDED:
                return self._refund(ledger, RefundId(message.subject))
            case MessageKind.MONEY_NEEDS_YOU | MessageKind.STUCK | MessageKind.OUTAGE | MessageKind.OUTAGE_OVER:
                return self._to_operator(ledger, message)

    def _to_operator(self, ledger: Ledger, message: Message) -> Notice | None:
        match message.kind:
            case MessageKind.MONEY_NEEDS_YOU:
                payment = ledger.payments.find(PaymentId(message.subject))
                return MoneyNeedsYou(payment) if payment and payment.attention is not None else None
            case MessageKind.STUCK:
                things = stuck_things(ledger, self.clock())
                return SomethingStuck(things) if things.marks else None
            case _:  # OUTAGE and OUTAGE_OVER
                return find_outage(ledger, self.view.nodes, message, self.clock())

    def _payment(self, ledger: Ledger, id: PaymentId) -> Notice | None:
        payment = ledger.payments.find(id)
        if payment is None:
            return None
        if not payment.is_paid:
            # An old link that ran out is no news to somebody who has paid by another one since.
            ran_out = payment.reason == LINK_RAN_OUT
            paid_since = ran_out and ledger.payments.has_paid_since(payment.customer_id, payment.opened_at)
            return None if paid_since else PaymentDeclined(payment)
        subscription = ledger.subscriptions.of_customer(payment.customer_id)
        applied = subscription is not None and ledger.accesses.progress(subscription.id, self.clock()).applied
        return None if applied else PaymentReceived(payment)  # else the message with the keys says it all

    def _keys(self, ledger: Ledger, message: Message, language: Language) -> Notice | None:
        replaced = message.kind is MessageKind.NEW_KEYS
        if replaced:
            subscription = ledger.subscriptions.find(SubscriptionId(message.subject))
        else:
            subscription = ledger.subscriptions.by_grant(GrantId(message.subject))
        if subscription is None or not subscription.is_active(self.clock()):
            return None
        # Replaced once more meanwhile: those keys have a message of their own.
        if replaced and message.unique_key != Message.new_keys_key(subscription):
            return None
        view = self.view(ledger, subscription, language)
        return NewKeys(view) if replaced else KeysReady(view)

    def _end(self, ledger: Ledger, message: Message) -> Notice | None:
        now = self.clock()
        subscription = ledger.subscriptions.find(SubscriptionId(message.subject))
        paid_until = subscription.paid_until if subscription else None
        if subscription is None or paid_until is None:
            return None
        if message.kind is MessageKind.ENDS_SOON:
            # Renewed meanwhile: the end that the reminder is about is not the end any more.
            renewed = paid_until != message.valid_until
            return None if renewed else EndsSoon(paid_until, subscription.days_left(now))
        keys_until = subscription.ends_at if subscription.is_active(now) else None
        return None if now < paid_until else Ended(paid_until, keys_until)

    def _refund(self, ledger: Ledger, id: RefundId) -> Notice | None:
        refund = ledger.refunds.find(id)
        payment = ledger.payments.find(refund.payment_id) if refund else None
        if refund is None or payment is None or refund.state is not RefundState.DONE:
            return None
        subscription = ledger.subscriptions.of_customer(payment.customer_id)
        paid_until = subscription.paid_until if subscription else None
        runs = paid_until is not None and self.clock() < paid_until
        return Refunded(refund, payment, paid_until if runs else None)
