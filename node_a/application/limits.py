"""Limits: whoever has used up the traffic of a period rests until the next one, and is told of it once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node_a.application.expiry import begin_period, locked_subscription, plan_its_time
from node_a.application.ports import Clock, Ledger, NewIds
from node_a.application.registration import is_in_good_standing
from node_a.domain.message import Message, MessageKind
from node_a.domain.node import Node
from node_a.domain.subscription import Subscription, SubscriptionId, SubscriptionState, TrafficPeriod


@dataclass(frozen=True, slots=True)
class TrafficUsedUp:
    """`until`: when traffic begins anew; at `ends_at` the days are over, and it does not."""

    until: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class TrafficRunsLow:
    """`used` bytes of `limit` in the period that goes `until`."""

    used: int
    limit: int
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepToLimit:
    """Called inside a transaction of its own. Also makes up for a period whose beginning nobody saw."""

    nodes: Sequence[Node]
    clock: Clock
    new_ids: NewIds

    def is_called_for(self, ledger: Ledger, subscription: Subscription, used: int, now: datetime) -> bool:
        """Whether calling may change anything; without any lock."""
        if subscription.turned(now) is not subscription:
            return True
        period = subscription.traffic_period(now)
        if subscription.suspended or period is None or not subscription.has_little_left(used, now):
            return False
        told = Message.traffic_key(MessageKind.TRAFFIC_RUNS_LOW, subscription, period)
        return subscription.has_used_up(used, now) or not ledger.messages.finished([told])

    def __call__(self, ledger: Ledger, id: SubscriptionId) -> None:
        subscription = locked_subscription(ledger, id)
        if subscription is None or not is_in_good_standing(ledger, subscription.customer_id):
            return
        now = self.clock()
        turned = begin_period(ledger, subscription, self.nodes, now)
        period = turned.traffic_period(now)
        if period is not None and not turned.suspended:
            self._keep(ledger, turned, period, now)

    def _keep(self, ledger: Ledger, subscription: Subscription, period: TrafficPeriod, now: datetime) -> None:
        used = ledger.traffic.used(subscription.id)
        if subscription.has_used_up(used, now):
            suspended = plan_its_time(ledger, subscription.suspended_now(), now)
            ledger.accesses.want(ledger.accesses.of_subscription(suspended.id), present=False, due_at=now)
            self._tell(ledger, MessageKind.TRAFFIC_USED_UP, suspended, period, now)
        elif subscription.has_little_left(used, now):
            self._tell(ledger, MessageKind.TRAFFIC_RUNS_LOW, subscription, period, now)

    def _tell(
        self, ledger: Ledger, kind: MessageKind, subscription: Subscription, period: TrafficPeriod, now: datetime
    ) -> None:
        if not subscription.is_in_grace(now):  # then all was said when the days ended
            ledger.messages.queue(Message.about_traffic(self.new_ids.message(), kind, subscription, period, now))


def find_limit(ledger: Ledger, message: Message, now: datetime) -> TrafficUsedUp | TrafficRunsLow | None:
    """What is still true of a message about traffic."""
    subscription = ledger.subscriptions.find(SubscriptionId(message.subject))
    period = subscription.traffic_period(now) if subscription else None
    if subscription is None or period is None or period.limit is None:
        return None
    if message.unique_key != Message.traffic_key(message.kind, subscription, period):
        return None  # another period has begun, or was bought
    if message.kind is MessageKind.TRAFFIC_USED_UP:
        rests = subscription.state(now) is SubscriptionState.SUSPENDED
        return TrafficUsedUp(period.ends_at, subscription.paid_until or period.ends_at) if rests else None
    used = ledger.traffic.used(subscription.id)
    low = subscription.is_active(now) and subscription.has_little_left(used, now)
    return TrafficRunsLow(used, period.limit, period.ends_at) if low else None
