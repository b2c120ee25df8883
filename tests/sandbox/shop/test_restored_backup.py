"""Buy, put yesterday's database back, reconcile: with real processes, no purchase is lost and none is doubled."""

import sqlite3
from pathlib import Path

import httpx
import pytest

from sandbox.customer import Customer, Delivery, keys_and_link
from sandbox.shop import Shop, StartNodeA, end, migrated_node_a, shop_without_node_a
from sandbox.torture.evidence import credential_of

pytestmark = [pytest.mark.proof, pytest.mark.slow]

MONTH = 30 * 86_400


def backup(shop: Shop, copy: Path) -> None:
    """As docs/operating.md says: never a copy of the file alone."""
    with sqlite3.connect(shop.directory / "node_a.db") as running, sqlite3.connect(copy) as kept:
        running.backup(kept)
    running.close()
    kept.close()


def restore(shop: Shop, copy: Path) -> None:
    for name in ("node_a.db", "node_a.db-wal", "node_a.db-shm"):
        (shop.directory / name).unlink(missing_ok=True)
    (shop.directory / "node_a.db").write_bytes(copy.read_bytes())


def ends(shop: Shop) -> dict[str, float]:
    """The end of each user of the panel, by the secret part of the key."""
    users = httpx.get(f"{shop.node_urls['de1']}/sandbox/marzban/users", trust_env=False).json()
    return {user["proxies"]["vless"]["id"]: user["expire"] for user in users.values()}


def vless(delivery: Delivery) -> str:
    return next(credential_of(key) for key in delivery.keys if key.startswith("vless"))


def reconcile(shop: Shop, start: StartNodeA) -> str:
    written = shop.log.stat().st_size
    assert start("reconcile").wait() == 0
    return shop.log.read_text(encoding="utf-8")[written:]


def test_no_purchase_is_lost_and_none_is_doubled(tmp_path: Path) -> None:
    with shop_without_node_a(tmp_path / "shop") as shop, migrated_node_a(shop, {}) as start:
        anna, boris = Customer(shop, 7_000_000_501), Customer(shop, 7_000_000_502)
        node_a = start("all")
        try:
            shop.wait_until_ready(node_a)
            first = anna.buy("month")
            backup(shop, tmp_path / "yesterday.db")
            renewed = anna.buy("month")
            boris.buy("month")
        finally:
            end(node_a)
        before = ends(shop)[vless(renewed)]
        restore(shop, tmp_path / "yesterday.db")

        said = reconcile(shop, start)
        again = reconcile(shop, start)
        node_a = start("all")
        try:
            shop.wait_until_ready(node_a)
            boris_keys, _ = boris.wait_for(keys_and_link)
            anna.wait_for(keys_and_link)
            held = ends(shop)
        finally:
            end(node_a)
            anna.close()
            boris.close()

    assert "3 payments and 0 refunds" in said
    assert "had forgotten 2; settled: 2" in said
    assert "had forgotten 0; settled: 0" in again
    assert first.subscription_link == renewed.subscription_link
    assert held[vless(renewed)] == before
    (his,) = [held[credential_of(key)] for key in boris_keys if key.startswith("vless")]
    assert his - before < -MONTH + 600  # one month, where she has two
