"""Overview: what a customer may see of the subscription, the keys and a payment."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from node_a.application.ports import Clock, Ledger, OpenLedger
from node_a.application.statistics import known
from node_a.domain.access import AccessId
from node_a.domain.customer import CustomerId, Language, Standing
from node_a.domain.errors import UnknownPayment, UnknownSubscription
from node_a.domain.keys import Key, KeyRing, key_link, outline_link, subscription_named_by
from node_a.domain.node import Node, NodeState, Protocol
from node_a.domain.order import in_order
from node_a.domain.payment import Payment, PaymentId, PaymentState
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription, SubscriptionId, SubscriptionState

# When a paid customer still has no key after this, the screen says that a server does not answer.
SLOW_AFTER: Final = timedelta(seconds=15)

PROTOCOL_NAMES: Final = {Protocol.VLESS: "VLESS", Protocol.SHADOWSOCKS: "Shadowsocks"}
OUTLINE: Final = "Outline"


@dataclass(frozen=True, slots=True)
class LabelledKey:
    """A key and what people call it ("🇩🇪 Германия 1 · VLESS"); with the node and the credential (the VLESS id or the
    Shadowsocks user key) for whoever writes it in another form than a link."""

    label: str
    key: Key
    node: Node
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutlineKey:
    """What a person puts into Outline's client, and nowhere else; labelled like a key. In the subscription link it has
    no place: that client reads no such list, and every other app would take it for one more server to choose from,
    although it has a better way to the same one."""

    label: str
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TrafficView:
    """Of the present traffic period. `used`, `limit`: bytes, None for unlimited; `until`: when it begins anew."""

    used: int
    limit: int | None
    until: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """`ends_at`: the paid end; `keys_until`: when the keys end, with grace a little later; `keys`: those that work now;
    `preparing`: how many more are on the way; `link`: the subscription link; `traffic`: None when it has ended;
    `language`: of its keys' labels; `renewable`: whether whoever holds the link may pay for it; `outline`: the keys for
    Outline's client, of the nodes that have an inbound for it."""

    id: SubscriptionId
    revision: int
    state: SubscriptionState
    ends_at: datetime
    keys_until: datetime
    days_left: int
    plan: Plan | None
    keys: Sequence[LabelledKey]
    preparing: int
    traffic: TrafficView | None
    link: str = field(repr=False)
    language: Language = Language.RUSSIAN
    renewable: bool = True
    outline: Sequence[OutlineKey] = ()

    @property
    def traffic_begins_anew(self) -> bool:
        """Whether there is another traffic period before the days are over."""
        return self.traffic is not None and self.traffic.until < self.ends_at


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewSubscription:
    """Makes the view inside a transaction; keys are derived here and nowhere stored. `link_base` ends without "/"."""

    nodes: Sequence[Node]
    ring: KeyRing
    link_base: str
    clock: Clock

    def __call__(self, ledger: Ledger, subscription: Subscription, language: Language) -> SubscriptionView:
        now = self.clock()
        progress = ledger.accesses.progress(subscription.id, now)
        active = subscription.is_active(now)
        offered = {node.code for node in self.nodes if node.state is not NodeState.RETIRED}
        wanted = {id for id in progress.wanted if id.node in offered}
        working = progress.working & wanted
        ordered = in_order(self.nodes, known(ledger.nodes.all()), now) if active else []
        keys = self._keys(subscription, working, ordered, language)
        return SubscriptionView(
            id=subscription.id,
            revision=subscription.revision,
            state=subscription.state(now),
            ends_at=subscription.paid_until or now,
            keys_until=subscription.ends_at or now,
            days_left=subscription.days_left(now),
            plan=subscription.plan_at(now),
            keys=keys,
            preparing=len(wanted - working) if active else 0,
            traffic=traffic_of(ledger, subscription, now),
            link=f"{self.link_base}/sub/{self.ring.link_token(subscription)}",
            language=language,
            outline=self._outline(subscription, working, ordered, language),
        )

    def _keys(
        self,
        subscription: Subscription,
        working: Set[AccessId],
        ordered: Sequence[tuple[Node, Protocol]],
        language: Language,
    ) -> list[LabelledKey]:
        keys = []
        for node, protocol in ordered:
            if AccessId(subscription.id, node.code, protocol) not in working:
                continue
            label = f"{node.names[language]} · {PROTOCOL_NAMES[protocol]}"
            credential = self.ring.credential(subscription, node.code, protocol)
            key = Key(node.code, protocol, key_link(node, protocol, credential, label))
            keys.append(LabelledKey(label, key, node, credential))
        return keys

    def _outline(
        self,
        subscription: Subscription,
        working: Set[AccessId],
        ordered: Sequence[tuple[Node, Protocol]],
        language: Language,
    ) -> list[OutlineKey]:
        """Of the accesses through VLESS: the panel holds both for the same user."""
        keys = []
        for node, protocol in ordered:
            access = AccessId(subscription.id, node.code, Protocol.VLESS)
            if node.outline is None or protocol is not Protocol.VLESS or access not in working:
                continue
            label = f"{node.names[language]} · {OUTLINE}"
            password = self.ring.outline_password(subscription, node.code)
            keys.append(OutlineKey(label, outline_link(node, node.outline, password, label)))
        return keys


def traffic_of(ledger: Ledger, subscription: Subscription, now: datetime) -> TrafficView | None:
    period = subscription.traffic_period(now)
    return TrafficView(ledger.traffic.used(subscription.id), period.limit, period.ends_at) if period else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowSubscription:
    """The customer's own subscription; None for whoever never had one."""

    read_ledger: OpenLedger
    view: ViewSubscription

    def __call__(self, customer_id: CustomerId, language: Language) -> SubscriptionView | None:
        with self.read_ledger() as ledger:
            subscription = ledger.subscriptions.of_customer(customer_id)
            return self.view(ledger, subscription, language) if subscription else None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenSubscriptionLink:
    """What an app gets for a link's token. UnknownSubscription for unknown, malformed and rotated ones alike."""

    read_ledger: OpenLedger
    view: ViewSubscription
    ring: KeyRing

    def __call__(self, token: str) -> SubscriptionView:
        with self.read_ledger() as ledger:
            subscription = subscription_of_link(ledger, self.ring, token)
            customer = ledger.customers.find(subscription.customer_id)
            view = self.view(ledger, subscription, customer.language if customer else Language.RUSSIAN)
            return replace(view, renewable=customer is not None and customer.standing is Standing.GOOD)


def subscription_of_link(ledger: Ledger, ring: KeyRing, token: str) -> Subscription:
    """UnknownSubscription for unknown, malformed and rotated tokens alike."""
    id = subscription_named_by(token)
    if id is None:
        raise UnknownSubscription("malformed token")
    subscription = ledger.subscriptions.find(id)
    if subscription is None or not ring.opens(token, subscription):
        raise UnknownSubscription("unknown or rotated token")
    return subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowOpenPayment:
    """The newest payment of their own that the customer could still pay; None when there is none."""

    read_ledger: OpenLedger
    clock: Clock

    def __call__(self, customer_id: CustomerId) -> Payment | None:
        with self.read_ledger() as ledger:
            payments = (one for one in ledger.payments.open_of(customer_id) if not one.by_link)
            return next((one for one in payments if one.can_be_paid(self.clock())), None)


class PaymentStage(StrEnum):
    """What the waiting screen says."""

    WAITING = "waiting"  # not paid yet
    PREPARING = "preparing"  # paid, no key yet
    SLOW = "slow"  # paid, and a server does not answer: we keep trying
    READY = "ready"
    DECLINED = "declined"
    ABANDONED = "abandoned"  # it could not even be opened
    DISPUTED = "disputed"  # paid, but not what we asked for, or too late: a person looks


@dataclass(frozen=True, slots=True)
class PaymentView:
    """`subscription` is there once the payment is paid."""

    payment: Payment
    stage: PaymentStage
    subscription: SubscriptionView | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowPayment:
    """How far a payment is, to its own customer (`customer_id` None: to whoever holds its id, without keys).
    Raises UnknownPayment."""

    read_ledger: OpenLedger
    view: ViewSubscription
    clock: Clock

    def __call__(self, id: PaymentId, customer_id: CustomerId | None, language: Language) -> PaymentView:
        with self.read_ledger() as ledger:
            payment = ledger.payments.find(id)
            if payment is None or (customer_id is not None and payment.customer_id != customer_id):
                raise UnknownPayment(str(id))
            if not payment.is_paid:
                return PaymentView(payment, _UNPAID_STAGES[payment.state])
            subscription = ledger.subscriptions.of_customer(payment.customer_id)
            if subscription is None or not subscription.has_grant_of(payment.source):
                # It came for somebody who was banned or erased by then: no keys are on the way.
                return PaymentView(payment, PaymentStage.DISPUTED)
            view = self.view(ledger, subscription, language)
            settled_at = payment.settled_at or payment.opened_at
            if view.keys or not subscription.is_active(self.clock()):
                stage = PaymentStage.READY
            else:
                slow = self.clock() >= settled_at + SLOW_AFTER
                stage = PaymentStage.SLOW if slow else PaymentStage.PREPARING
            return PaymentView(payment, stage, view if customer_id is not None else None)


_UNPAID_STAGES: Final = {
    PaymentState.OPENING: PaymentStage.WAITING,
    PaymentState.PENDING: PaymentStage.WAITING,
    PaymentState.DECLINED: PaymentStage.DECLINED,
    PaymentState.ABANDONED: PaymentStage.ABANDONED,
    PaymentState.DISPUTED: PaymentStage.DISPUTED,
}
