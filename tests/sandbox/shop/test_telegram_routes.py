"""The whole shop where Telegram is not reached directly: a node's real proxy carries what the purchase says."""

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sandbox.customer import Customer, keys_and_link
from sandbox.shop import Shop, StartNodeA, end, migrated_node_a, shop_without_node_a
from tests.node_b.proxy.certificates import a_certificate
from tests.node_b.proxy.proxies import Proxy, a_proxy
from tests.programs import free_port, program, running

pytestmark = pytest.mark.slow

CODE = "de1"


@contextmanager
def a_shop(directory: Path, direct: int) -> Iterator[tuple[Shop, StartNodeA, Proxy]]:
    """Its node stands behind Caddy, as in earnest. `direct`: the port where Node A believes Telegram to be."""
    certificate = a_certificate(directory / "certificate", "node.test")
    with shop_without_node_a(directory / "shop") as shop:
        behind = shop.node_urls[CODE]
        with a_proxy(
            "caddy",
            directory / "proxy",
            certificate,
            panel=behind,
            agent=behind,
            telegram=shop.chat_url,
            agent_has_prefix=True,
        ) as proxy:
            settings = {
                "TELEGRAM_API_URL": f"http://127.0.0.1:{direct}",
                "TELEGRAM_ROUTES": f"direct,node:{CODE}",
                "NODES__DE1__URL": proxy.url,
                "NODES__DE1__CERTIFICATE": base64.b64encode(certificate.pem.encode()).decode(),
            }
            with migrated_node_a(shop, settings) as start:
                yield shop, start, proxy


@contextmanager
def at_work(shop: Shop, start: StartNodeA) -> Iterator[None]:
    node_a = start("all")
    try:
        shop.wait_until_ready(node_a)
        yield
    finally:
        end(node_a)


@contextmanager
def a_customer(shop: Shop, number: int) -> Iterator[Customer]:
    customer = Customer(shop, number)
    try:
        yield customer
    finally:
        customer.close()


def changes(shop: Shop) -> list[tuple[str, str]]:
    """Which process took which route, in order."""
    lines = [json.loads(line) for line in shop.log.read_text().splitlines() if line.startswith("{")]
    return [(line["process"], line["route"]) for line in lines if line["event"] == "telegram is reached"]


def forwarding(port: int, shop: Shop) -> list[str | Path]:
    """What carries the direct way, and can be killed."""
    return [program("caddy"), "reverse-proxy", "--from", f"http://127.0.0.1:{port}", "--to", shop.chat_url]


def test_a_purchase_where_only_the_node_reaches_telegram(tmp_path: Path) -> None:
    with a_shop(tmp_path, free_port()) as (shop, start, proxy):
        with at_work(shop, start), a_customer(shop, 7_000_000_901) as customer:
            delivery = customer.buy("month")

        assert len(delivery.keys) == 2
        assert sorted(changes(shop)) == [("bot", f"node:{CODE}"), ("worker", f"node:{CODE}")]
        assert start("check").wait(60) == 0
        said = shop.log.read_text().partition("\nTelegram:\n")[2]
        assert said == f"  direct: no answer (nothing listens there, or not for us)\n  node:{CODE}: works\n"
        for log in (shop.log.read_text(), proxy.log):
            assert shop.secrets.bot_token.partition(":")[2] not in log


def test_the_way_dies_between_two_purchases_and_nothing_is_lost(tmp_path: Path) -> None:
    direct = free_port()
    with a_shop(tmp_path, direct) as (shop, start, _), ExitStack() as way:
        way.enter_context(running(forwarding(direct, shop), direct, tmp_path / "direct.log"))
        with (
            at_work(shop, start),
            a_customer(shop, 7_000_000_902) as early,
            a_customer(shop, 7_000_000_903) as late,
        ):
            first = early.buy("month")
            payment = late.choose("month")

            way.close()
            late.pay(payment)

            keys, _ = late.wait_for(keys_and_link)
            late.write("/my")
            assert late.wait_for(lambda message: "осталось 30 дней" in message.get("text", ""))

        assert len(first.keys) == len(keys) == 2
        assert sorted(changes(shop)) == sorted(
            (process, route) for process in ("bot", "worker") for route in ("direct", f"node:{CODE}")
        )
