"""How a test notices that a transaction waits for another one's lock."""

from sqlalchemy import text

from tests.fakes.shop import ShopUnderTest
from tests.waiting import until

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def until_somebody_waits(shop: ShopUnderTest) -> None:
    """PostgreSQL only: SQLite's writers stand in a queue that nobody can see."""

    def somebody_waits() -> bool:
        with shop.engine.connect() as connection:
            return bool(connection.scalar(_WAITING))

    until(somebody_waits)
