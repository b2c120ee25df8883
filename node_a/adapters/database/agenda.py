"""The agenda: what is due, and whether anybody has written since we last looked."""

import sqlite3
from datetime import datetime

from sqlalchemy import Engine, PoolProxiedConnection, literal, select
from sqlalchemy.exc import OperationalError

from node_a.adapters.database.accesses import access_is_due
from node_a.adapters.database.engine import READ_ONLY
from node_a.adapters.database.messages import message_is_due
from node_a.adapters.database.payments import payment_is_due
from node_a.adapters.database.subscriptions import expiry_is_due, reminder_is_due
from node_a.adapters.database.tables import accesses, messages, payments, subscriptions
from node_a.application.ports import Activity
from node_a.domain.errors import LedgerUnavailable


class SqlAgenda:
    """On SQLite `PRAGMA data_version` on a connection of its own tells of every commit of every other connection, our
    own process's included. PostgreSQL has nothing of the kind to ask: there the worker looks at every tick."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})
        self._can_watch = engine.dialect.name == "sqlite"
        self._watching: PoolProxiedConnection | None = None
        self._seen: int | None = None

    def changed(self) -> bool:
        """True at first, and after the watch broke: whatever happened before must be looked at."""
        if not self._can_watch:
            return False
        try:
            version = self._version()
        except sqlite3.Error as error:
            self._end_watch()
            raise LedgerUnavailable(f"the database cannot be watched: {error}") from error
        before, self._seen = self._seen, version
        return version != before

    def _version(self) -> int:
        """Means something only beside another one of the same connection."""
        if self._watching is None:
            # The driver's own connection, outside any transaction: inside one the version would stand still.
            self._watching = self._engine.raw_connection()
        cursor = self._watching.cursor()
        version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        cursor.close()
        return version

    def _end_watch(self) -> None:
        if self._watching is not None:
            self._watching.invalidate()
        self._watching, self._seen = None, None

    def due(self, now: datetime) -> frozenset[Activity]:
        questions = {
            Activity.SETTLE: select(literal(1)).select_from(payments).where(payment_is_due(now)),
            Activity.PROVIDE: select(literal(1)).select_from(accesses).where(access_is_due(now)),
            Activity.DELIVER: select(literal(1)).select_from(messages).where(message_is_due(now)),
            Activity.REMIND: select(literal(1)).select_from(subscriptions).where(reminder_is_due(now)),
            Activity.EXPIRE: select(literal(1)).select_from(subscriptions).where(expiry_is_due(now)),
        }
        try:
            with self._reading.begin() as connection:
                return frozenset(
                    activity
                    for activity, question in questions.items()
                    if connection.execute(question.limit(1)).first() is not None
                )
        except OperationalError as error:
            raise LedgerUnavailable(f"the database cannot be read: {error.orig}") from error

    def close(self) -> None:
        self._end_watch()
