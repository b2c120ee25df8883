"""The tables have one history, and it leads where the code believes it does, up and down."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.migration import COMPARISON, is_up_to_date, migrate, migrate_down, revisions
from node_a.adapters.database.tables import metadata


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'deep' / 'shop.db'}")
    yield engine
    engine.dispose()


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=COMPARISON), metadata))


def test_the_tables_of_the_migrations_are_those_of_the_code(engine: Engine) -> None:
    migrate(engine)

    assert differences(engine) == []
    assert is_up_to_date(engine)


def test_a_difference_would_be_noticed(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE customers ADD COLUMN stray INTEGER"))

    assert differences(engine) != []


@pytest.mark.parametrize("revision", revisions())
def test_every_step_goes_up_down_and_up_again(engine: Engine, revision: str) -> None:
    before = revisions()[: revisions().index(revision)]
    migrate(engine, revision)

    migrate_down(engine, before[-1] if before else "base")
    left = set(inspect(engine).get_table_names())
    migrate(engine, revision)
    migrate(engine)

    assert before or left == {"alembic_version"}
    assert differences(engine) == []


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)

    assert is_up_to_date(engine)


def test_an_empty_database_is_not_up_to_date(engine: Engine) -> None:
    assert not is_up_to_date(engine)


def test_a_migration_that_leaves_rows_pointing_nowhere_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    cursor.execute("INSERT INTO subscriptions VALUES ('00', 1, 1, 0, 0, NULL, NULL)")
    cursor.close()
    raw.invalidate()

    with pytest.raises(RuntimeError, match="nothing was changed"):
        migrate(engine)
