"""A shop whose use cases are small fakes, and the web edge before it."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from node_a.application.diagnosis import CaseFacts, Diagnosis, KeyFacts, diagnose
from node_a.application.overview import (
    LabelledKey,
    OutlineKey,
    PaymentStage,
    PaymentView,
    SubscriptionView,
    TrafficView,
)
from node_a.application.repair import Repaired
from node_a.application.rotation import RotationOffer
from node_a.application.statistics import NodeTroubles
from node_a.domain.customer import Customer, CustomerId, Language, Standing
from node_a.domain.errors import (
    ReceiptAddressNeeded,
    RotationRefused,
    TooManyRotations,
    TrialRefused,
    UnknownPayment,
    UnknownPlan,
    UnknownSubscription,
)
from node_a.domain.keys import Key
from node_a.domain.money import Money
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.payment import Payment, PaymentId, PaymentState, Shop
from node_a.domain.plan import Plan
from node_a.domain.receipt import receipt_address
from node_a.domain.subscription import SubscriptionId, SubscriptionState
from node_a.web import Web, create_app
from tests.builders import a_node

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOT_TOKEN = "42:TEST"
ANNA = CustomerId(7_000_000_001)
PROVIDER_ADDRESS = "185.71.76.5"
LINK_TOKEN = "Zm9yIHRlc3RzIG9ubHkgYW5kIG5vdCBhIHNlY3JldCA"
VLESS = "vless://00000000-0000-4000-8000-000000000001@de1.test:2053?security=reality#DE"
SHADOWSOCKS = "ss://2022-blake3-aes-128-gcm:c2VydmVy%3AdXNlcg@de1.test:443#DE"
OUTLINE = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpub3QtYS1yZWFsLXBhc3N3b3Jk@de1.test:8388#DE"
PLANS = {
    plan.code: plan
    for plan in (
        Plan("month", 30, Money(19900), 100 * 10**9),
        Plan("quarter", 90, Money(49900), 100 * 10**9),
        Plan("year", 365, Money(179900)),
    )
}
NODES = ("de1", "nl1")
TRIAL = Plan("trial", 3, Money(0), 10 * 10**9)


def signed(fields: dict[str, str], token: str = BOT_TOKEN) -> str:
    """Init data as Telegram signs it."""
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    secret = hmac.digest(b"WebAppData", token.encode(), hashlib.sha256)
    proof = hmac.new(secret, lines.encode(), hashlib.sha256).hexdigest()
    return urlencode({**fields, "hash": proof}, quote_via=quote, safe="")


def init_data(id: int = ANNA, language: str | None = "en", at: datetime = NOW) -> str:
    user: dict[str, Any] = {"id": id, "first_name": "Anna"}
    if language:
        user["language_code"] = language
    return signed({"user": json.dumps(user), "auth_date": str(int(at.timestamp())), "signature": "s", "query_id": ""})


def tma(id: int = ANNA, language: str | None = "en", at: datetime = NOW) -> dict[str, str]:
    return {"Authorization": f"tma {init_data(id, language, at)}"}


def a_subscription(
    *, days: int = 12, preparing: int = 0, keys: Iterable[str] = (VLESS, SHADOWSOCKS), outline: Iterable[str] = ()
) -> SubscriptionView:
    active = days > 0
    labels = {"vless": "🇩🇪 Германия 1 · VLESS", "ss": "🇩🇪 Германия 1 · Shadowsocks"}
    labelled = [
        LabelledKey(labels[link.split(":")[0]], Key(NodeCode("de1"), Protocol.VLESS, link), a_node(), "a fake one")
        for link in keys
        if active
    ]
    return SubscriptionView(
        id=SubscriptionId(UUID(int=5)),
        revision=1,
        state=SubscriptionState.ACTIVE if active else SubscriptionState.EXPIRED,
        ends_at=NOW + timedelta(days=days),
        keys_until=NOW + timedelta(days=days),
        days_left=max(days, 0),
        plan=PLANS["month"] if active else None,
        keys=labelled,
        preparing=preparing,
        traffic=TrafficView(used=1_500_000_000, limit=None, until=NOW + timedelta(days=days)) if active else None,
        link=f"http://shop.test/sub/{LINK_TOKEN}",
        outline=[OutlineKey("🇩🇪 Германия 1 · Outline", link) for link in outline],
    )


def a_case(**changes: Any) -> CaseFacts:
    """A subscription with both keys on one of two nodes; they work, and were used an hour ago."""
    keys = [KeyFacts(Keeper(NodeCode(code), one), True, NOW - timedelta(hours=1)) for code in NODES for one in Protocol]
    case = CaseFacts(
        ANNA,
        Standing.GOOD,
        SubscriptionId(UUID(int=5)),
        SubscriptionState.ACTIVE,
        NOW + timedelta(days=12),
        keys=keys,
        nodes={NodeCode(code): NodeTroubles(is_known=True) for code in NODES},
        may_rotate=True,
    )
    return replace(case, **changes)


def a_limited_subscription(state: SubscriptionState = SubscriptionState.ACTIVE, **changes: Any) -> SubscriptionView:
    """Of a plan with a limit; nearly all of it is used, or all."""
    view = a_subscription(keys=() if state is SubscriptionState.SUSPENDED else (VLESS, SHADOWSOCKS))
    used = 83_400_000_000 if state is SubscriptionState.ACTIVE else 100 * 10**9
    limited = replace(view, state=state, traffic=TrafficView(used, 100 * 10**9, NOW + timedelta(days=4)))
    if state is SubscriptionState.GRACE:
        ended, until = NOW - timedelta(days=1), NOW + timedelta(days=2)
        little = TrafficView(200_000_000, 10**9, until)
        limited = replace(limited, ends_at=ended, keys_until=until, days_left=0, traffic=little)
    return replace(limited, **changes)


def a_payment(number: int = 1, customer_id: CustomerId = ANNA, plan: Plan = PLANS["month"]) -> Payment:
    return Payment(
        PaymentId(UUID(int=number)),
        customer_id,
        plan,
        Shop("shop", test=True),
        opened_at=NOW,
        state=PaymentState.PENDING,
        provider_id=f"provider-{number}",
        link=f"https://pay.test/{number}",
    )


@dataclass
class FakeShop:
    """What the web edge sees of the shop. An exception in `failing` is raised by the use case of that name."""

    now: datetime = NOW
    default_language: Language = Language.RUSSIAN
    missing: str | None = None
    subscription: SubscriptionView | None = None
    open_to_pay: Payment | None = None
    opened_at_stage: PaymentStage = PaymentStage.WAITING
    pay_link: str = "https://pay.test/{number}"
    standing: Standing = Standing.GOOD
    receipts: bool = False
    last_address: str | None = None
    receipts_to: list[str | None] = field(default_factory=list)
    trial: Plan | None = None
    rotation: int = 0
    rotations_left: int = 3
    case: CaseFacts | None = None
    repairs: list[CustomerId] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)
    payments: dict[PaymentId, PaymentView] = field(default_factory=dict)
    registered: list[CustomerId] = field(default_factory=list)
    refund_nudges: list[str | None] = field(default_factory=list)
    nudges: list[tuple[PaymentId | None, str | None]] = field(default_factory=list)

    def fail(self, name: str) -> None:
        if name in self.failing:
            raise self.failing[name]

    def clock(self) -> datetime:
        return self.now

    def is_ready(self) -> str | None:
        return self.missing

    def register(self, id: CustomerId, language_code: str | None) -> Customer:
        self.fail("register")
        self.registered.append(id)
        return Customer(id, Language.best_for(language_code, self.default_language), self.standing)

    def open_payment(self, customer_id: CustomerId, plan_code: str, receipt_to: str | None) -> Payment:
        self.fail("open_payment")
        if plan_code not in PLANS:
            raise UnknownPlan(plan_code)
        if self.receipts and receipt_address(receipt_to) is None:
            raise ReceiptAddressNeeded("no address")
        self.receipts_to.append(receipt_to)
        number = len(self.payments) + 1
        payment = replace(a_payment(number, customer_id, PLANS[plan_code]), link=self.pay_link.format(number=number))
        subscription = a_subscription() if self.opened_at_stage is PaymentStage.READY else None
        self.payments[payment.id] = PaymentView(payment, self.opened_at_stage, subscription)
        return payment

    def last_receipt_address(self, customer_id: CustomerId) -> str | None:
        return self.last_address

    def trial_available(self, customer_id: CustomerId) -> Plan | None:
        return self.trial

    def take_trial(self, customer_id: CustomerId) -> None:
        self.fail("take_trial")
        if self.trial is None:
            raise TrialRefused("no trial for this customer")
        self.trial, self.subscription = None, a_subscription(days=3, preparing=2, keys=())

    def offer_rotation(self, customer_id: CustomerId) -> RotationOffer | None:
        return RotationOffer(self.rotation, self.rotations_left) if self.subscription else None

    def rotate_keys(self, customer_id: CustomerId, shown: int) -> None:
        self.fail("rotate_keys")
        if self.subscription is None:
            raise RotationRefused("nothing runs")
        if shown != self.rotation:
            return
        if not self.rotations_left:
            raise TooManyRotations("none are left")
        self.rotation, self.rotations_left = self.rotation + 1, self.rotations_left - 1
        link = f"http://shop.test/sub/{self.rotation}{LINK_TOKEN[1:]}"
        self.subscription = replace(self.subscription, link=link, keys=[], preparing=2)

    def diagnose(self, customer_id: CustomerId, language: Language) -> Diagnosis:
        self.fail("diagnose")
        case = self.case or CaseFacts(customer_id, self.standing)
        link = self.subscription.link if self.subscription else None
        return Diagnosis(case, diagnose(case, self.now), [a_node(code) for code in NODES], link)

    def repair_keys(self, customer_id: CustomerId) -> Repaired:
        self.repairs.append(customer_id)
        return Repaired.SENT if len(self.repairs) == 1 else Repaired.SENT_BEFORE

    def show_subscription(self, customer_id: CustomerId, language: Language) -> SubscriptionView | None:
        self.fail("show_subscription")
        return self.subscription

    def show_traffic(self, id: SubscriptionId) -> Sequence[tuple[date, int]]:
        self.fail("show_traffic")
        first = self.now.date() - timedelta(days=29)
        return [(first + timedelta(days=number), number % 7 * 600_000_000) for number in range(30)]

    def show_open_payment(self, customer_id: CustomerId) -> Payment | None:
        return self.open_to_pay

    def show_payment(self, id: PaymentId, customer_id: CustomerId | None, language: Language) -> PaymentView:
        self.fail("show_payment")
        view = self.payments.get(id)
        if view is None or customer_id not in {None, view.payment.customer_id}:
            raise UnknownPayment(str(id))
        return view if customer_id else replace(view, subscription=None)

    def open_link(self, token: str) -> SubscriptionView:
        self.fail("open_link")
        if token != LINK_TOKEN or self.subscription is None:
            raise UnknownSubscription("unknown")
        return self.subscription

    def renew_by_link(self, token: str, plan_code: str, receipt_to: str | None) -> Payment:
        self.fail("renew_by_link")
        self.open_link(token)
        payment = replace(self.open_payment(ANNA, plan_code, receipt_to), by_link=True)
        self.payments[payment.id] = replace(self.payments[payment.id], payment=payment)
        return payment

    def show_renewal(self, token: str, id: PaymentId) -> PaymentView:
        self.open_link(token)
        view = self.show_payment(id, ANNA, Language.RUSSIAN)
        if not view.payment.by_link:
            raise UnknownPayment(str(id))
        return view

    def nudge(self, id: PaymentId | None, provider_id: str | None, about_a_refund: bool) -> bool:
        self.fail("nudge")
        self.refund_nudges += [provider_id] if about_a_refund else []
        self.nudges.append((id, provider_id))
        return id in self.payments

    def stage(self, stage: PaymentStage, subscription: SubscriptionView | None = None) -> PaymentId:
        """There is a payment at this stage."""
        payment = a_payment(len(self.payments) + 1)
        self.payments[payment.id] = PaymentView(payment, stage, subscription)
        return payment.id

    def move(self, id: PaymentId, stage: PaymentStage, subscription: SubscriptionView | None = None) -> None:
        self.payments[id] = PaymentView(self.payments[id].payment, stage, subscription)

    def web(self, **changes: Any) -> Web:
        needs = Web(
            public_url="https://shop.test",
            bot_username="qent_bot",
            bot_token=BOT_TOKEN,
            telegram_link_url="https://t.me",
            telegram_script_url="https://telegram.org/js/telegram-web-app.js",
            telegram_script_file=None,
            frame_ancestors=["https://web.telegram.org"],
            init_data_max_age=timedelta(hours=1),
            trusted_proxies=0,
            is_provider_address=lambda address: address == PROVIDER_ADDRESS,
            shop_name="QentVPN",
            support_contact="@qent_support",
            default_language=self.default_language,
            plans=PLANS,
            clock=self.clock,
            is_ready=self.is_ready,
            register=self.register,
            open_payment=self.open_payment,
            show_subscription=self.show_subscription,
            show_traffic=self.show_traffic,
            show_open_payment=self.show_open_payment,
            show_payment=self.show_payment,
            open_link=self.open_link,
            renew_by_link=self.renew_by_link,
            show_renewal=self.show_renewal,
            nudge=self.nudge,
            receipts=self.receipts,
            last_receipt_address=self.last_receipt_address,
            trial_available=self.trial_available,
            take_trial=self.take_trial,
            new_keys_offered=True,
            offer_rotation=self.offer_rotation,
            rotate_keys=self.rotate_keys,
            diagnose=self.diagnose,
            repair_keys=self.repair_keys,
        )
        return replace(needs, **changes)

    def app(self, **changes: Any) -> Flask:
        return create_app(self.web(**changes))

    def client(self, **changes: Any) -> FlaskClient:
        return self.app(**changes).test_client()
