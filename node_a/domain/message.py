"""A message to a customer: why and when, never its words and never keys; those are made when it is sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final, NewType
from uuid import UUID

from node_a.domain.customer import CustomerId
from node_a.domain.grant import GrantId
from node_a.domain.payment import Payment
from node_a.domain.refund import Refund
from node_a.domain.subscription import Subscription, TrafficPeriod

MessageId = NewType("MessageId", UUID)

_KEYS_COME_FIRST: Final = timedelta(seconds=2)
_NEWS_IS_GOOD_FOR: Final = timedelta(days=30)


class MessageKind(StrEnum):
    """What the message is about."""

    PAYMENT_RECEIVED = "payment received"
    PAYMENT_DECLINED = "payment declined"
    KEYS_READY = "keys ready"
    NEW_KEYS = "new keys"
    ENDS_SOON = "ends soon"
    ENDED = "ended"
    TRAFFIC_RUNS_LOW = "traffic runs low"
    TRAFFIC_USED_UP = "traffic used up"
    REFUNDED = "refunded"
    # To operators:
    MONEY_NEEDS_YOU = "money needs you"
    STUCK = "stuck"
    OUTAGE = "outage"
    OUTAGE_OVER = "outage over"


class Priority(IntEnum):
    """Who goes first when many wait: lower numbers."""

    KEYS = 0
    MONEY = 1
    REMINDER = 2


@dataclass(frozen=True, slots=True)
class Message:
    """`unique_key`: a second message with the same one is never queued; `subject`: the payment, grant or subscription
    it is about, by kind (for STUCK: nothing but a random id; for OUTAGE and OUTAGE_OVER one made from node,
    fault and beginning); `valid_until`: afterwards it is dropped unsent."""

    id: MessageId
    unique_key: str
    customer_id: CustomerId
    kind: MessageKind
    priority: Priority
    due: datetime
    valid_until: datetime
    subject: UUID

    @classmethod
    def payment_received(cls, id: MessageId, payment: Payment, now: datetime) -> "Message":
        # Keys mostly come within a second and say it better: this one is for when they do not.
        return cls._about_payment(id, payment, MessageKind.PAYMENT_RECEIVED, now + _KEYS_COME_FIRST)

    @classmethod
    def payment_declined(cls, id: MessageId, payment: Payment, now: datetime) -> "Message":
        return cls._about_payment(id, payment, MessageKind.PAYMENT_DECLINED, now)

    @classmethod
    def keys_ready(cls, id: MessageId, customer_id: CustomerId, grant_id: GrantId, due: datetime) -> "Message":
        key = f"{MessageKind.KEYS_READY}:{grant_id}"
        until = due + _NEWS_IS_GOOD_FOR
        return cls(id, key, customer_id, MessageKind.KEYS_READY, Priority.KEYS, due, until, grant_id)

    @classmethod
    def new_keys(cls, id: MessageId, subscription: Subscription, due: datetime) -> "Message":
        """Once for each rotation. Whoever asked for it has had the link already: where a secret is taken out of use
        there are thousands of these, and the keys of those who buy go first."""
        key, until = cls.new_keys_key(subscription), due + _NEWS_IS_GOOD_FOR
        kind, customer = MessageKind.NEW_KEYS, subscription.customer_id
        return cls(id, key, customer, kind, Priority.REMINDER, due, until, subscription.id)

    @staticmethod
    def new_keys_key(subscription: Subscription) -> str:
        return f"{MessageKind.NEW_KEYS}:{subscription.id}:{subscription.rotation}"

    @classmethod
    def ends_soon(
        cls, id: MessageId, subscription: Subscription, ends_at: datetime, before: timedelta, now: datetime
    ) -> "Message":
        # The end is part of the key: after a renewal the same reminder is due again.
        key = f"{MessageKind.ENDS_SOON}:{subscription.id}:{ends_at.isoformat()}:{before.days}"
        kind, customer = MessageKind.ENDS_SOON, subscription.customer_id
        return cls(id, key, customer, kind, Priority.REMINDER, now, ends_at, subscription.id)

    @classmethod
    def ended(cls, id: MessageId, subscription: Subscription, ends_at: datetime, now: datetime) -> "Message":
        key = f"{MessageKind.ENDED}:{subscription.id}:{ends_at.isoformat()}"
        kind, customer, until = MessageKind.ENDED, subscription.customer_id, ends_at + timedelta(days=3)
        return cls(id, key, customer, kind, Priority.REMINDER, now, until, subscription.id)

    @classmethod
    def about_traffic(
        cls, id: MessageId, kind: MessageKind, subscription: Subscription, period: TrafficPeriod, now: datetime
    ) -> "Message":
        """`kind`: TRAFFIC_RUNS_LOW or TRAFFIC_USED_UP; each once in a period."""
        key, customer, until = cls.traffic_key(kind, subscription, period), subscription.customer_id, period.ends_at
        return cls(id, key, customer, kind, Priority.REMINDER, now, until, subscription.id)

    @staticmethod
    def traffic_key(kind: MessageKind, subscription: Subscription, period: TrafficPeriod) -> str:
        return f"{kind}:{subscription.id}:{period.starts_at.isoformat()}"

    @classmethod
    def refunded(cls, id: MessageId, customer_id: CustomerId, refund: Refund, now: datetime) -> "Message":
        key = f"{MessageKind.REFUNDED}:{refund.id}"
        until = now + _NEWS_IS_GOOD_FOR
        return cls(id, key, customer_id, MessageKind.REFUNDED, Priority.MONEY, now, until, refund.id)

    @classmethod
    def to_operator(
        cls, id: MessageId, operator: CustomerId, kind: MessageKind, *, subject: UUID, key: str, now: datetime
    ) -> "Message":
        """`key`: what happened; each operator is told of it once."""
        until = now + _NEWS_IS_GOOD_FOR
        return cls(id, f"{kind}:{key}:{operator}", operator, kind, Priority.MONEY, now, until, subject)

    @classmethod
    def _about_payment(cls, id: MessageId, payment: Payment, kind: MessageKind, now: datetime) -> "Message":
        until = now + _NEWS_IS_GOOD_FOR
        return cls(id, f"{kind}:{payment.id}", payment.customer_id, kind, Priority.MONEY, now, until, payment.id)
