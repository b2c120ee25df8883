"""A short bad night with real processes; `make torture` is the long one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Update, update

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.tables import accesses, gates, messages, payments
from sandbox.shop import Shop, migrated_node_a, shop_without_node_a
from sandbox.torture import torture
from sandbox.torture.night import Night, survive

PURCHASES = 6


def time_passes(shop: Shop) -> None:
    """Ends the leases of those who were killed, which would be three minutes here, and the pauses after failures."""
    now = datetime.now(UTC)
    statements: list[Update] = [
        *(update(table).values(leased_until=None) for table in (payments, accesses, messages)),
        update(payments).where(payments.c.check_at.is_not(None)).values(check_at=now),
        update(accesses).where(accesses.c.due_at.is_not(None)).values(due_at=now),
        update(messages).where(messages.c.finished_at.is_(None)).values(due=now),
        update(gates).values(closed_until=now),
    ]
    engine = open_engine(shop.settings()["DATABASE_URL"])
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


@pytest.mark.proof
@pytest.mark.slow
def test_nothing_is_lost_and_nothing_doubled_on_a_bad_night(tmp_path: Path) -> None:
    with shop_without_node_a(tmp_path, nodes=2) as shop, migrated_node_a(shop, {}) as start:
        night = Night(
            purchases=PURCHASES, seed=17, quiet_for=3, settles_within=90, when_quiet=lambda: time_passes(shop)
        )
        morning = survive(night, shop, start)

    assert (morning.verdict.lost, morning.verdict.doubled) == ([], [])
    assert morning.paid == PURCHASES
    assert morning.gave_up == []
    assert sum(morning.kills.values()) >= 1, "a night without kills proves nothing"
    assert sum(morning.troubles.values()) >= 1


def test_a_database_that_somebody_uses_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'theirs.db'}"
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE thesis (chapter TEXT)")
    engine.dispose()

    assert torture(tmp_path / "state", PURCHASES, 1, url) == 1

    assert "left alone" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_a_directory_that_is_not_its_own_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    assert torture(tmp_path, PURCHASES, 1) == 1

    assert (tmp_path / "thesis.txt").exists()
    assert "left alone" in capsys.readouterr().err
