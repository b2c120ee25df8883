"""What a database needs before it may hold money, and how its failures are told."""

import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, select, text

from node_a.adapters.database.engine import UtcDateTime, open_engine, reading
from node_a.adapters.database.ledger import Database
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.errors import LedgerUnavailable
from tests.builders import ANNA, NOW
from tests.databases import on_sqlite

moments = Table("moments", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


@on_sqlite
@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)]
)
def test_every_connection_is_prepared(engine: Engine, pragma: str, value: object) -> None:
    with engine.connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_a_moment_keeps_its_time_zone(engine: Engine) -> None:
    moments.metadata.create_all(engine)
    in_moscow = datetime(2026, 11, 22, 15, 0, 0, 123456, tzinfo=timezone(timedelta(hours=3)))
    with engine.begin() as connection:
        connection.execute(insert(moments).values(id=1, at=in_moscow))
        connection.execute(insert(moments).values(id=2, at=None))

    with engine.connect() as connection:
        stored = connection.scalars(select(moments.c.at).order_by(moments.c.id)).all()

    assert stored == [in_moscow, None]
    assert stored[0].tzinfo is UTC


def test_a_moment_without_a_time_zone_is_refused(engine: Engine) -> None:
    moments.metadata.create_all(engine)

    with pytest.raises(Exception, match="without a time zone"), engine.begin() as connection:
        connection.execute(insert(moments).values(at=NOW.replace(tzinfo=None)))


def test_a_reader_does_not_wait_for_a_writer(engine: Engine) -> None:
    moments.metadata.create_all(engine)
    with engine.begin() as writer:
        writer.execute(insert(moments).values(at=NOW))
        with reading(engine).begin() as reader:
            assert reader.execute(select(moments)).all() == []


def test_a_reader_sees_one_moment_of_the_database(engine: Engine) -> None:
    """Else the subscription and its keys could be of before and after a renewal."""
    moments.metadata.create_all(engine)
    with reading(engine).begin() as reader:
        assert reader.execute(select(moments)).all() == []
        with engine.begin() as writer:
            writer.execute(insert(moments).values(at=NOW))

        assert reader.execute(select(moments)).all() == []


def _add_ones(path: str, times: int) -> None:
    engine = open_engine(f"sqlite:///{path}")
    for _ in range(times):
        with engine.begin() as connection:
            value = connection.execute(text("SELECT value FROM counter")).scalar_one()
            connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
    engine.dispose()


@on_sqlite
def test_four_processes_that_read_and_write_lose_nothing(tmp_path: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))

    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_add_ones, args=(str(tmp_path / "shop.db"), 40)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0] * 4
    with engine.connect() as connection:
        assert connection.execute(text("SELECT value FROM counter")).scalar_one() == 160


@on_sqlite
def test_a_full_disk_is_said_in_our_words_and_stores_nothing(tmp_path: Path, engine: Engine) -> None:
    database = Database(engine)
    engine.dispose()
    with engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    event_for_every_connection(engine, f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with database.open_ledger() as ledger:
            for number in range(5_000):
                ledger.customers.save(Customer(CustomerId(number + 1), Language.RUSSIAN))

    with pytest.raises(LedgerUnavailable, match="full"):
        fill()
    with database.read_ledger() as ledger:
        assert ledger.customers.find(CustomerId(1)) is None


def event_for_every_connection(engine: Engine, statement: str) -> None:
    from sqlalchemy import event

    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute(statement))


@on_sqlite
def test_a_database_locked_by_somebody_else_is_said_in_our_words(tmp_path: Path, engine: Engine) -> None:
    database = Database(engine)
    event_for_every_connection(engine, "PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LedgerUnavailable, match="locked"), database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
    other.close()


def test_an_error_inside_stores_nothing(engine: Engine) -> None:
    database = Database(engine)

    def fail() -> None:
        with database.open_ledger() as ledger:
            ledger.customers.save(ANNA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read_ledger() as ledger:
        assert ledger.customers.find(ANNA.id) is None
