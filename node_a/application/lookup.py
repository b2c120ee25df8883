"""Looking up: everything an operator may want to know of a customer, by whatever the customer has at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from node_a.application.acts import about_customer, about_payment
from node_a.application.operations import payment_named
from node_a.application.overview import TrafficView, traffic_of
from node_a.application.ports import AccessProgress, Clock, Ledger, OpenLedger, OperatorAct
from node_a.application.stuck import Thing, ThingKind
from node_a.domain.customer import NOBODY, Customer, CustomerId
from node_a.domain.keys import subscription_named_by
from node_a.domain.payment import Payment
from node_a.domain.refund import Refund, RefundId
from node_a.domain.subscription import Subscription, SubscriptionId

# Telegram's ids have up to 52 bits.
_LONGEST_ID: Final = 16


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """A payment and all that went back of it."""

    payment: Payment
    refunds: Sequence[Refund]


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """What is known of a customer, or of one payment of somebody erased (NOBODY's). `payments`: the newest first, as
    `acts`; `progress`: of the subscription's keys."""

    customer: Customer
    subscription: Subscription | None
    progress: AccessProgress | None
    payments: Sequence[PaymentFile]
    acts: Sequence[OperatorAct]
    now: datetime
    traffic: TrafficView | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FindCustomer:
    """`asked`: a Telegram id, a payment's number (ours or the provider's), a refund's or subscription's number, a
    subscription link or its token. A link that was replaced finds its owner too: only operators ask. None if nobody
    fits."""

    read_ledger: OpenLedger
    clock: Clock

    def __call__(self, asked: str) -> CustomerFile | None:
        asked = asked.strip()
        with self.read_ledger() as ledger:
            payment = payment_named(ledger, asked) or _payment_of_refund(ledger, asked)
            id = payment.customer_id if payment else _customer_named(ledger, asked)
            customer = ledger.customers.find(id) if id is not None else None
            if customer is None:
                return None
            if customer.id == NOBODY:  # erased: of all the payments without a person only this one was asked for
                return _file(ledger, customer, [payment], self.clock()) if payment else None
            return _file(ledger, customer, ledger.payments.of_customer(customer.id), self.clock())


def _customer_named(ledger: Ledger, asked: str) -> CustomerId | None:
    if asked.isascii() and asked.isdigit() and len(asked) <= _LONGEST_ID:
        return CustomerId(int(asked))
    id = subscription_named_by(_token_in(asked)) or _as_subscription(asked)
    subscription = ledger.subscriptions.find(id) if id is not None else None
    return None if subscription is None else subscription.customer_id


def _payment_of_refund(ledger: Ledger, asked: str) -> Payment | None:
    try:
        refund = ledger.refunds.find(RefundId(UUID(asked)))
    except ValueError:
        refund = None
    refund = refund or ledger.refunds.by_provider_id(asked)
    return None if refund is None else ledger.payments.find(refund.payment_id)


def _as_subscription(asked: str) -> SubscriptionId | None:
    try:
        return SubscriptionId(UUID(asked))
    except ValueError:
        return None


def _token_in(asked: str) -> str:
    """The token of a link, however an app has decorated it; a bare token as it is."""
    _, found, rest = asked.partition("/sub/")
    return rest.split("?")[0].split("#")[0].split("/")[0] if found else asked


def _file(ledger: Ledger, customer: Customer, paid: Sequence[Payment], now: datetime) -> CustomerFile:
    subscription = ledger.subscriptions.of_customer(customer.id)
    payments = [PaymentFile(one, ledger.refunds.of_payment(one.id)) for one in paid]
    subjects = [about_customer(customer.id), *(about_payment(file.payment.id) for file in payments)]
    subjects += [str(Thing(ThingKind.REFUND, str(refund.id))) for file in payments for refund in file.refunds]
    return CustomerFile(
        customer=customer,
        subscription=subscription,
        progress=ledger.accesses.progress(subscription.id, now) if subscription else None,
        payments=payments,
        acts=ledger.operator_acts.about(subjects),
        now=now,
        traffic=traffic_of(ledger, subscription, now) if subscription else None,
    )
