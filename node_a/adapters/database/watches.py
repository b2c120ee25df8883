"""How a process notices that another one, or another thread, has written."""

import sqlite3
from contextlib import ExitStack
from typing import Any, Final, Protocol, cast

import psycopg
from sqlalchemy import Connection, Engine, PoolProxiedConnection, text

from node_a.adapters.database.failures import in_our_words
from node_a.domain.errors import LedgerUnavailable

_CHANNEL: Final = "qentvpn"
# Only what wrote something has a transaction id: whoever only looked for work, in vain, must wake nobody, or it would
# wake itself for ever. Told at the commit, once. At that moment PostgreSQL lets one such transaction through after
# another; for as many as a shop has, that is no loss.
_TELL: Final = text(f"SELECT pg_notify('{_CHANNEL}', '') WHERE pg_current_xact_id_if_assigned() IS NOT NULL")


class Watch(Protocol):
    def begin(self) -> None:
        """Watch from now on, if it does not yet; whoever reads the tables after this misses nothing. May take
        seconds. Raises LedgerUnavailable."""
        ...

    def has_news(self) -> bool:
        """Whether anybody wrote since the last call; True while it does not watch. Takes microseconds. Raises
        LedgerUnavailable."""
        ...

    def end(self) -> None: ...


def watch(engine: Engine) -> Watch:
    return DataVersion(engine) if engine.dialect.name == "sqlite" else Listener(engine)


def tell(connection: Connection) -> None:
    """Said at the end of a transaction, for those who listen."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TELL)


class DataVersion:
    """SQLite: `PRAGMA data_version` on a connection of its own tells of every commit of every other connection, our own
    process's included."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None
        self._seen: int | None = None

    def begin(self) -> None:
        """Nothing to wait for: `has_news` does it."""

    def has_news(self) -> bool:
        try:
            version = self._version()
        except sqlite3.Error as error:
            self.end()
            raise LedgerUnavailable(f"the database cannot be watched: {error}") from error
        before, self._seen = self._seen, version
        return version != before

    def _version(self) -> int:
        """Means something only beside another one of the same connection."""
        if self._connection is None:
            # The driver's own connection, outside any transaction: inside one the version would stand still.
            self._connection = self._engine.raw_connection()
        cursor = self._connection.cursor()
        version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        cursor.close()
        return version

    def end(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
        self._connection, self._seen = None, None


class Listener:
    """PostgreSQL: LISTEN on a connection of its own, which ends when its server does."""

    def __init__(self, engine: Engine) -> None:
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None

    def begin(self) -> None:
        if self._connection is not None:
            return
        with in_our_words("the database cannot be watched"), ExitStack() as on_failure:
            connection = on_failure.enter_context(self._autocommit.connect())
            connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
            on_failure.pop_all()
        self._connection = connection

    def has_news(self) -> bool:
        if self._connection is None:
            return True
        driver = cast(psycopg.Connection[Any], self._connection.connection.driver_connection)
        heard = False
        try:
            driver.pgconn.consume_input()  # only what has arrived already: no question to the server, no waiting
            while driver.pgconn.notifies() is not None:
                heard = True
        except psycopg.OperationalError:
            # Not begun again here: that may take seconds, and whoever asks has none to spare.
            self.end()
            return True
        return heard

    def end(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._connection = None
