"""What is rendered in the tests of the forms."""

import base64
from typing import Any
from uuid import UUID

from node_a.application.overview import PROTOCOL_NAMES, LabelledKey
from node_a.domain.customer import CustomerId, Language
from node_a.domain.keys import Key, key_link
from node_a.domain.node import Node, Protocol, RealityInbound
from node_a.domain.subscription import Subscription, SubscriptionId
from node_a.web.link_formats import Profile, profile_of
from shared.inbounds import VLESS_FLOW, VLESS_PORT
from tests.builders import RING, a_node

SHOP_HOST = "shop.example.org"
ENDED = "Подписка закончилась: продлите её, и всё"
SUBSCRIPTION = Subscription(SubscriptionId(UUID(int=5)), CustomerId(7), secret_number=1)


def a_real_node(number: int, **changes: Any) -> Node:
    """With another Reality key than its neighbours, one that is a point on the curve, and a short id that YAML would
    take for a number."""
    public_key = base64.urlsafe_b64encode(bytes([number]) * 32).decode().rstrip("=")
    reality = RealityInbound(VLESS_PORT, VLESS_FLOW, public_key, f"123{number}", "borrowed.example.org", "chrome")
    names = {Language.RUSSIAN: f"🇩🇪 Германия {number}", Language.ENGLISH: f"🇩🇪 Germany {number}"}
    return a_node(f"de{number}", **{"reality": reality, "names": names, **changes})


NODES = (a_real_node(1), a_real_node(2, host="203.0.113.2"), a_real_node(3, host="2001:db8::3"))


def a_key(node: Node, protocol: Protocol, subscription: Subscription = SUBSCRIPTION) -> LabelledKey:
    credential = RING.credential(subscription, node.code, protocol)
    label = f"{node.names[Language.RUSSIAN]} · {PROTOCOL_NAMES[protocol]}"
    return LabelledKey(label, Key(node.code, protocol, key_link(node, protocol, credential, label)), node, credential)


def keys_of(*nodes: Node, subscription: Subscription = SUBSCRIPTION) -> list[LabelledKey]:
    return [a_key(node, protocol, subscription) for node in nodes for protocol in Protocol]


def a_profile(*nodes: Node, shop_host: str = SHOP_HOST) -> Profile:
    keys = keys_of(*(nodes or NODES))
    return profile_of(keys, all_keys="Выбор сервера", automatic="Самый быстрый", shop_host=shop_host, notice=ENDED)


def an_ended_profile(shop_host: str = SHOP_HOST) -> Profile:
    return profile_of([], all_keys="Выбор сервера", automatic="Самый быстрый", shop_host=shop_host, notice=ENDED)
