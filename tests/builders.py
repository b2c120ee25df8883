"""Values for tests, with only the part spelled out that a test is about."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.keys import KeyRing
from node_a.domain.money import Money
from node_a.domain.node import Node, NodeCode, NodeState, OutlineInbound, RealityInbound, ShadowsocksInbound
from node_a.domain.payment import Outcome, OutcomeStatus, Payment, PaymentId, Shop
from node_a.domain.plan import Plan
from shared.inbounds import OUTLINE_METHOD, SHADOWSOCKS_METHOD, SHADOWSOCKS_PORT, VLESS_FLOW, VLESS_PORT

NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY: Final = timedelta(days=1)

MONTH: Final = Plan("month", 30, Money(19_900))
YEAR: Final = Plan("year", 360, Money(169_000), traffic_limit=10**12)
TRIAL: Final = Plan("trial", 3, Money(0), traffic_limit=10**10)
THE_SHOP: Final = Shop("100500", test=True)
# The operator.
OLGA: Final = CustomerId(1)
ANNA: Final = Customer(CustomerId(7_000_000_001), Language.RUSSIAN)
RING: Final = KeyRing(
    {1: b"an obviously fake secret for tests, number one", 2: b"another obviously fake one, number two"}
)
# Where a node has one.
OUTLINE: Final = OutlineInbound(8388, OUTLINE_METHOD)


class Ids:
    """Predictable ids: 1, 2, 3 …; each once, whoever asks at the same time."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> UUID:
        return UUID(int=next(self._numbers))


def a_payment(**changes: Any) -> Payment:
    payment = Payment(PaymentId(UUID(int=77)), ANNA.id, MONTH, THE_SHOP, NOW, request="{}")
    return replace(payment, **changes)


def an_outcome(status: OutcomeStatus = OutcomeStatus.SUCCEEDED, **changes: Any) -> Outcome:
    return replace(Outcome("provider-77", status, MONTH.price, THE_SHOP), **changes)


def a_node(code: str = "de1", **changes: Any) -> Node:
    node = Node(
        code=NodeCode(code),
        state=NodeState.ACTIVE,
        names={Language.RUSSIAN: f"Германия {code}", Language.ENGLISH: f"Germany {code}"},
        host=f"{code}.example.org",
        reality=RealityInbound(VLESS_PORT, VLESS_FLOW, "A" * 43, "0123abcd", "borrowed.example.org", "chrome"),
        shadowsocks=ShadowsocksInbound(
            SHADOWSOCKS_PORT, SHADOWSOCKS_METHOD, base64.b64encode(b"fake server key!").decode()
        ),
    )
    return replace(node, **changes)
