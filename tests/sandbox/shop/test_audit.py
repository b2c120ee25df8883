"""A node that has lost everything, and the worker's own audit: the keys come back, with real processes."""

import sqlite3
from contextlib import closing

import httpx

from sandbox.shop import Shop
from sandbox.torture.evidence import credential_of
from tests.sandbox.shop.conftest import NewCustomer
from tests.waiting import until


def credentials_at(shop: Shop, part: str) -> set[str]:
    """The secret parts of all keys that this part of the first node holds."""
    users = httpx.get(f"{shop.node_urls['de1']}/sandbox/{part}/users", trust_env=False).json()
    return {user["key"] if part == "agent" else user["proxies"]["vless"]["id"] for user in users.values()}


def audit_now(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.directory / "node_a.db", timeout=30)) as database, database:
        database.execute("UPDATE jobs SET due_at = '2000-01-01 00:00:00' WHERE name = 'audit'")


def test_a_wiped_node_gets_its_keys_back_by_itself(whole_shop: Shop, new_customer: NewCustomer) -> None:
    bought = new_customer().buy("month")
    held = {part: credentials_at(whole_shop, part) for part in ("marzban", "agent")}
    assert {credential_of(key) for key in bought.keys} & held["marzban"]
    for part in held:
        httpx.post(f"{whole_shop.node_urls['de1']}/sandbox/{part}/wipe", trust_env=False)
        assert credentials_at(whole_shop, part) == set()

    audit_now(whole_shop)

    until(lambda: all(credentials_at(whole_shop, part) >= held[part] for part in held))
    log = whole_shop.log.read_text(encoding="utf-8")
    assert "audited" in log
    assert '"missing": ' in log
