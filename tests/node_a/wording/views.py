"""What letters are about, for tests that read them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from node_a.application.overview import LabelledKey, OutlineKey, SubscriptionView, TrafficView
from node_a.application.statistics import ServerView
from node_a.domain.keys import Key, key_link, outline_link
from node_a.domain.money import Money
from node_a.domain.node import NodeObservation, Protocol
from node_a.domain.refund import Refund, RefundId, RefundState
from node_a.domain.subscription import SubscriptionId, SubscriptionState
from tests.builders import DAY, MONTH, NOW, OUTLINE, a_node, a_payment

LINK = "https://shop.example.org/sub/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def a_key(number: int = 1) -> LabelledKey:
    node = a_node(f"de{number}")
    label = f"🇩🇪 Германия & Ко <{number}> · VLESS"
    link = key_link(node, Protocol.VLESS, "11111111-2222-4333-8444-555555555555", label)
    return LabelledKey(label, Key(node.code, Protocol.VLESS, link), node, "11111111-2222-4333-8444-555555555555")


def an_outline_key(number: int = 1) -> OutlineKey:
    node = a_node(f"de{number}")
    label = f"🇩🇪 Германия & Ко <{number}> · Outline"
    return OutlineKey(label, outline_link(node, OUTLINE, "fake-outline-password-", label))


def a_view(**changes: Any) -> SubscriptionView:
    view = SubscriptionView(
        id=SubscriptionId(UUID(int=5)),
        revision=1,
        state=SubscriptionState.ACTIVE,
        ends_at=NOW + 30 * DAY,
        keys_until=NOW + 30 * DAY,
        days_left=30,
        plan=MONTH,
        keys=[a_key()],
        preparing=0,
        traffic=TrafficView(used=1_500_000_000, limit=None, until=NOW + 30 * DAY),
        link=LINK,
    )
    return replace(view, **changes)


def a_refund(**changes: Any) -> Refund:
    refund = Refund(RefundId(UUID(int=9)), a_payment().id, Money(5_050), NOW, state=RefundState.DONE)
    return replace(refund, **changes)


def a_server(seconds_ago: int = 15, **changes: Any) -> ServerView:
    seen = NodeObservation(
        NOW,
        vless_ready=True,
        shadowsocks_ready=True,
        cpu_percent=12.4,
        memory_used=1_200_000_000,
        memory_total=4_000_000_000,
        connected_users=17,
        users=134,
    )
    return ServerView(a_node(), replace(seen, **changes), timedelta(seconds=seconds_ago))
