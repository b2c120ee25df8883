"""Migrating: bringing the tables to this release's shape, and telling whether they have it."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, column, inspect, select, table

from node_a.adapters.database.engine import READ_ONLY, UtcDateTime

_VERSIONS: Final = table("alembic_version", column("version_num"))  # alembic's own
_DIRECTORY: Final = Path(__file__).with_name("migrations")


def _render(kind: str, item: object, _context: object) -> str | Literal[False]:
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


COMPARISON: Final[dict[str, Any]] = {
    "render_as_batch": True,  # SQLite cannot alter a table: alembic makes a new one and copies
    "compare_type": True,
    "compare_server_default": True,
    "render_item": _render,
}


def migrate(engine: Engine, revision: str = "head") -> None:
    """Up to `revision`, all or nothing. Raises RuntimeError if rows then point nowhere."""
    with _migrating(engine) as config:
        command.upgrade(config, revision)


def migrate_down(engine: Engine, revision: str) -> None:
    with _migrating(engine) as config:
        command.downgrade(config, revision)


def make_migration(engine: Engine, number: str, message: str) -> None:
    """Write the next migration from what differs between the tables in the code and in this database."""
    with _migrating(engine) as config:
        command.revision(config, message, autogenerate=True, rev_id=number)


@functools.cache
def revisions() -> list[str]:
    """All revisions, the oldest first."""
    return [script.revision for script in ScriptDirectory(str(_DIRECTORY)).walk_revisions()][::-1]


def is_up_to_date(engine: Engine) -> bool:
    """Whether the tables have this release's shape; writes nothing."""
    with engine.execution_options(**{READ_ONLY: True}).connect() as connection:
        if not inspect(connection).has_table(_VERSIONS.name):
            return False
        return list(connection.scalars(select(_VERSIONS.c.version_num))) == [revisions()[-1]]


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
        with connection.begin():
            yield config
            if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise RuntimeError("after the migration some rows point to rows that do not exist; nothing was changed")
        connection.invalidate()  # its foreign keys are off: never reuse it
