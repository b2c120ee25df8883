"""Migrating: bringing the tables to this release's shape, and telling whether they have it."""

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, column, inspect, select, table

from node_a.adapters.database.engine import UtcDateTime, open_engine, reading
from node_a.adapters.database.tables import metadata

_VERSIONS: Final = table("alembic_version", column("version_num"))  # alembic's own
_ADVISORY_LOCK: Final = 0x51656E74  # any number that nobody else of this database uses
_DIRECTORY: Final = Path(__file__).with_name("migrations")


def _render(kind: str, item: object, _context: object) -> str | Literal[False]:
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


COMPARISON: Final[dict[str, Any]] = {
    "render_as_batch": True,  # SQLite cannot alter a table: alembic makes a new one and copies
    "compare_type": True,
    "compare_server_default": True,
    "render_item": _render,
}


class RowsPointNowhere(Exception):
    """After the migration some rows would point to rows that do not exist."""


def migrate(engine: Engine, revision: str = "head") -> None:
    """Up to `revision`, all or nothing. Raises RowsPointNowhere, having changed nothing."""
    with _migrating(engine) as config:
        command.upgrade(config, revision)


def migrate_down(engine: Engine, revision: str) -> None:
    with _migrating(engine) as config:
        command.downgrade(config, revision)


def make_migration(message: str) -> Path | None:
    """Write the next migration from what differs between the tables in the code and those that the migrations make in
    an empty database. None, and no file, if nothing does."""
    with tempfile.TemporaryDirectory() as scratch:
        engine = open_engine(f"sqlite:///{scratch}/scratch.db")
        try:
            migrate(engine)
            with engine.connect() as connection:
                if not compare_metadata(MigrationContext.configure(connection, opts=COMPARISON), metadata):
                    return None
            with _migrating(engine) as config:
                number = f"{int(revisions()[-1]) + 1:04}"
                script = command.revision(config, message, autogenerate=True, rev_id=number)
        finally:
            engine.dispose()
    assert isinstance(script, Script)  # noqa: S101 — more than one is for databases of several branches
    return Path(script.path)


@functools.cache
def revisions() -> list[str]:
    """All revisions, the oldest first."""
    return [script.revision for script in ScriptDirectory(str(_DIRECTORY)).walk_revisions()][::-1]


def revision_of(engine: Engine) -> str | None:
    """Which revision the tables have; None before the first. Writes nothing."""
    with reading(engine).connect() as connection:
        if not inspect(connection).has_table(_VERSIONS.name):
            return None
        return connection.scalars(select(_VERSIONS.c.version_num)).one_or_none()


def is_later(revision: str | None) -> bool:
    """Whether a later release made it. A migration leaves the previous release working, so that this one may go on."""
    return revision is not None and revision not in revisions()


def is_good_enough(revision: str | None) -> bool:
    """Whether this release can work with it."""
    return revision == revisions()[-1] or is_later(revision)


def _take_turns(connection: Connection) -> None:
    """Several processes may migrate at once: whoever comes second waits, and finds nothing to do. (SQLite has one
    writer anyhow.) A migration may take its time, but must not stand in line for a table for long: all others would
    stand behind it."""
    for statement in (
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = 0",
        f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})",
        "SET LOCAL lock_timeout = '10s'",
    ):
        connection.exec_driver_sql(statement)


@contextmanager
def _migrating(engine: Engine) -> Iterator[Config]:
    with engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            # A batch-altered parent would take its children along (FACTS). Only outside a transaction is this obeyed.
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101 — a fresh connection always has one
            driver.execute("PRAGMA foreign_keys = OFF")
        config = Config()
        config.set_main_option("script_location", str(_DIRECTORY))
        config.attributes["connection"] = connection
        try:
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    _take_turns(connection)
                yield config
                if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise RowsPointNowhere(
                        "after the migration some rows point to rows that do not exist; nothing was changed"
                    )
        finally:
            connection.invalidate()  # its foreign keys are off: never reuse it
