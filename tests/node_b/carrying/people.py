"""Customers of the shop in the test's Internet: they buy in the chat, and their phones take what comes."""

import base64
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import yaml

from sandbox.customer import Customer, actions, keys_and_link
from shared.inbounds import SHADOWSOCKS_METHOD
from tests.node_b.carrying.links import Link, ShadowsocksLink, VlessLink, read_link
from tests.node_b.world.world import World
from tests.sandbox.shop.test_three_nodes import another_link_than, asked
from tests.waiting import until

_numbers = itertools.count(7_000_000_900)


@dataclass
class Person:
    """`links`: as the chat delivered them last."""

    world: World
    chat: Customer
    subscription_link: str = ""
    links: list[str] = field(default_factory=list)

    def buys(self, plan: str = "month") -> None:
        """Until every key has come."""
        with self.world.shop_network.entered():
            delivery = self.chat.buy(plan)
        self.links, self.subscription_link = delivery.keys, delivery.subscription_link
        self._waits_for_every_key()
        if len(self.links) < (3 if self.world.node.outline else 2):
            self.asks_for_keys()

    def _waits_for_every_key(self) -> None:
        """A letter does not wait for the slowest."""
        until(lambda: {"vless", "ss"} <= {link.partition(":")[0] for link in self._polled()})

    def asks_for_keys(self) -> None:
        with self.world.shop_network.entered():
            self.chat.write("/my")
            self.links, self.subscription_link = self.chat.wait_for(keys_and_link)

    def takes_new_keys(self) -> None:
        """By the button under `/my`; until every one of them works."""
        with self.world.shop_network.entered():
            self.chat.write("/my")
            card = self.chat.wait_for(lambda message: message if "rotate:ask" in actions(message) else None)
            self.chat.press(card, "rotate:ask")
            question = self.chat.wait_for(lambda message: message if asked(message) else None)
            self.chat.press(question, asked(question) or "")
            self.subscription_link = self.chat.wait_for(another_link_than(self.subscription_link))
        self._waits_for_every_key()
        self.asks_for_keys()

    def _polled(self) -> list[str]:
        return base64.b64decode(self.subscription()).decode().split()

    def subscription(self, form: str = "base64") -> str:
        """What an app gets that polls the link."""
        with self.world.shop_network.entered():
            answer = httpx.get(self.subscription_link, params={"format": form}, trust_env=False, timeout=30)
        return answer.raise_for_status().text

    # ── the same keys, in each form ──

    @property
    def vless(self) -> VlessLink:
        return next(link for link in self._read() if isinstance(link, VlessLink))

    @property
    def shadowsocks(self) -> ShadowsocksLink:
        return next(
            link for link in self._read() if isinstance(link, ShadowsocksLink) and link.method == SHADOWSOCKS_METHOD
        )

    @property
    def outline(self) -> ShadowsocksLink:
        return next(link for link in self._read() if isinstance(link, ShadowsocksLink) and link.is_classic)

    def _read(self) -> list[Link]:
        return [read_link(link) for link in self.links]

    def sing_box(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.subscription("sing-box"))
        return config

    def clash(self) -> list[dict[str, Any]]:
        proxies: list[dict[str, Any]] = yaml.safe_load(self.subscription("clash"))["proxies"]
        return proxies

    def xray(self) -> list[dict[str, Any]]:
        configs: list[dict[str, Any]] = json.loads(self.subscription("xray"))
        return configs


@contextmanager
def a_person(world: World) -> Iterator[Person]:
    with world.shop_network.entered():
        chat = Customer(world.shop.shop, next(_numbers))
    try:
        yield Person(world, chat)
    finally:
        chat.close()
