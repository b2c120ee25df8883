"""The tables have one history, and it leads where the code believes it does, up and down."""

import multiprocessing
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, Integer, Table, inspect, text

from node_a.adapters.database import migration
from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.migration import (
    COMPARISON,
    RowsPointNowhere,
    is_good_enough,
    is_later,
    make_migration,
    migrate,
    migrate_down,
    revision_of,
    revisions,
)
from node_a.adapters.database.tables import metadata
from tests.databases import KINDS, NewDatabase, on_sqlite


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, new_database: NewDatabase) -> str:
    """An empty database."""
    return new_database(request.param, False)


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=COMPARISON), metadata))


def test_the_tables_of_the_migrations_are_those_of_the_code(engine: Engine) -> None:
    migrate(engine)

    assert differences(engine) == []
    assert is_good_enough(revision_of(engine))


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

    assert is_good_enough(revision_of(engine))


def test_an_empty_database_is_not_up_to_date(engine: Engine) -> None:
    assert not is_good_enough(revision_of(engine))


@on_sqlite
def test_a_migration_that_leaves_rows_pointing_nowhere_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    columns = "id, customer_id, secret_number, rotation, revision"
    cursor.execute(f"INSERT INTO subscriptions ({columns}) VALUES ('00', 1, 1, 0, 0)")
    cursor.close()
    raw.invalidate()

    with pytest.raises(RowsPointNowhere, match="nothing was changed"):
        migrate(engine)

    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1, "that connection was not used again"


def test_a_later_releases_database_is_good_enough_after_a_rollback(engine: Engine) -> None:
    migrate(engine)
    assert not is_later(revision_of(engine))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert is_later(revision_of(engine))
    assert is_good_enough(revision_of(engine))


def test_a_database_migrated_back_to_nothing_is_not_a_later_releases(engine: Engine) -> None:
    migrate(engine)
    migrate_down(engine, "base")

    assert not is_later(revision_of(engine))
    assert not is_good_enough(revision_of(engine))


def _migrate(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


def test_processes_that_migrate_at_once_take_turns(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_migrate, args=(url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0] * 2
    assert is_good_enough(revision_of(engine))


def test_a_migration_that_fails_changes_nothing(engine: Engine, versions: Path) -> None:
    number = f"{int(revisions()[-1]) + 1:04}"
    (versions / f"{number}_fails.py").write_text(
        f"""
from alembic import op
import sqlalchemy as sa
revision, down_revision = "{number}", "{revisions()[-1]}"
def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    raise ZeroDivisionError
"""
    )

    with pytest.raises(ZeroDivisionError):
        migrate(engine, number)

    assert revision_of(engine) is None
    assert "half" not in inspect(engine).get_table_names()


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where new migrations go: a copy, so that the real ones stay as they are."""
    copy = shutil.copytree(Path(migration.__file__).with_name("migrations"), tmp_path / "migrations")
    monkeypatch.setattr(migration, "_DIRECTORY", copy)
    return copy / "versions"


def test_no_migration_is_made_when_nothing_differs(versions: Path) -> None:
    before = set(versions.glob("*.py"))

    assert make_migration("needless") is None
    assert set(versions.glob("*.py")) == before


def test_a_migration_is_made_from_what_differs_and_has_the_next_number(versions: Path) -> None:
    stray = Table("stray", metadata, Column("id", Integer, primary_key=True))
    try:
        made = make_migration("a stray table")
    finally:
        metadata.remove(stray)

    assert made == versions / f"{int(revisions()[-1]) + 1:04}_a_stray_table.py"
    written = made.read_text(encoding="utf-8")
    assert "create_table('stray'" in written
    assert f"down_revision = '{revisions()[-1]}'" in written
