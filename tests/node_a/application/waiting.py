"""How a test notices that a transaction waits for another one's lock."""

import time

from sqlalchemy import text

from tests.fakes.shop import ShopUnderTest

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def until_somebody_waits(shop: ShopUnderTest) -> None:
    """PostgreSQL only: SQLite's writers stand in a queue that nobody can see."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with shop.engine.connect() as connection:
            if connection.scalar(_WAITING):
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")
