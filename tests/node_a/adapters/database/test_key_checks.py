"""Secrets that keys in use are made from are never swapped unnoticed; all others are nobody's business."""

import sqlite3
import threading
from uuid import uuid4

import pytest
from sqlalchemy import delete, event, insert, select

from node_a.adapters.database.key_checks import remember_secrets, wrong_secrets
from node_a.adapters.database.tables import key_secrets, subscriptions
from node_a.domain.keys import KeyRing
from tests.builders import ANNA, RING
from tests.databases import on_postgresql, on_sqlite
from tests.fakes.shop import ShopUnderTest
from tests.node_a.adapters.database.test_side_by_side import start_and_wait_for_it_to_wait

ONLY_THE_FIRST = KeyRing({1: RING.secrets[1]})
SECOND_CHANGED = KeyRing({1: RING.secrets[1], 2: b"not the one that made the keys"})


def use(shop: ShopUnderTest, number: int) -> None:
    """A subscription whose keys are made from that secret."""
    shop.registers()
    with shop.engine.begin() as connection:
        connection.execute(delete(subscriptions))
        values = {"id": uuid4(), "customer_id": ANNA.id, "secret_number": number, "rotation": 0, "revision": 1}
        connection.execute(insert(subscriptions).values(values))


def remembered(shop: ShopUnderTest) -> dict[int, str]:
    with shop.engine.begin() as connection:
        return {row.number: row.check_value for row in connection.execute(select(key_secrets))}


def test_a_wrong_or_missing_secret_in_use_is_named(shop: ShopUnderTest) -> None:
    remember_secrets(shop.engine, RING)
    use(shop, 2)

    assert wrong_secrets(shop.engine, RING) == []
    [wrong] = wrong_secrets(shop.engine, SECOND_CHANGED)
    [missing] = wrong_secrets(shop.engine, ONLY_THE_FIRST)

    assert wrong.startswith("KEY_SECRETS__2 is not the secret")
    assert missing.startswith("KEY_SECRETS__2 is missing")


def test_a_secret_in_use_is_missing_even_if_it_was_never_remembered(shop: ShopUnderTest) -> None:
    use(shop, 2)

    [missing] = wrong_secrets(shop.engine, ONLY_THE_FIRST)

    assert missing.startswith("KEY_SECRETS__2 is missing")


@pytest.mark.parametrize("now", [SECOND_CHANGED, ONLY_THE_FIRST])
def test_a_secret_that_made_no_keys_may_change_or_go(shop: ShopUnderTest, now: KeyRing) -> None:
    remember_secrets(shop.engine, RING)
    use(shop, 1)

    assert wrong_secrets(shop.engine, now) == []
    remember_secrets(shop.engine, now)

    assert remembered(shop) == {number: now.check_value(number) for number in now.secrets}


def test_what_is_remembered_of_a_secret_in_use_never_changes(shop: ShopUnderTest) -> None:
    """Another process may sell the first subscription between our look and our writing."""
    remember_secrets(shop.engine, RING)
    use(shop, 2)

    remember_secrets(shop.engine, SECOND_CHANGED)
    remember_secrets(shop.engine, ONLY_THE_FIRST)

    assert remembered(shop)[2] == RING.check_value(2)


@on_sqlite
def test_looking_writes_nothing_and_waits_for_nobody(shop: ShopUnderTest) -> None:
    remember_secrets(shop.engine, RING)
    before = remembered(shop)
    writer = sqlite3.connect(str(shop.engine.url.database), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    shop.engine.dispose()
    event.listen(shop.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 0"))

    assert wrong_secrets(shop.engine, SECOND_CHANGED) == []
    remember_secrets(shop.engine, RING)  # nothing is new
    writer.close()

    assert remembered(shop) == before


@on_postgresql
def test_keys_that_are_being_made_at_this_moment_count_as_in_use(shop: ShopUnderTest) -> None:
    remember_secrets(shop.engine, RING)
    shop.registers()
    remembering = threading.Thread(target=lambda: remember_secrets(shop.engine, SECOND_CHANGED))
    with shop.engine.begin() as connection:
        values = {"id": uuid4(), "customer_id": ANNA.id, "secret_number": 2, "rotation": 0, "revision": 1}
        connection.execute(insert(subscriptions).values(values))
        start_and_wait_for_it_to_wait(shop.engine, remembering)
    remembering.join(20)

    assert remembered(shop)[2] == RING.check_value(2)


def test_new_secrets_are_remembered_by_whoever_is_first(shop: ShopUnderTest) -> None:
    remember_secrets(shop.engine, ONLY_THE_FIRST)
    remember_secrets(shop.engine, RING)
    remember_secrets(shop.engine, RING)

    assert remembered(shop) == {number: RING.check_value(number) for number in RING.secrets}
