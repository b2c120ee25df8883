"""The ledger: one transaction over all tables; the one file that commits."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from node_a.adapters.database.accesses import SqlAccesses
from node_a.adapters.database.customers import SqlCustomers
from node_a.adapters.database.engine import READ_ONLY
from node_a.adapters.database.messages import SqlMessages
from node_a.adapters.database.nodes import SqlNodeRecords
from node_a.adapters.database.payments import SqlPayments
from node_a.adapters.database.subscriptions import SqlSubscriptions
from node_a.application.ports import Ledger
from node_a.domain.errors import LedgerUnavailable

T = TypeVar("T")


class SqlLedger:
    """The tables as seen by one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.customers = SqlCustomers(connection)
        self.payments = SqlPayments(connection)
        self.subscriptions = SqlSubscriptions(connection)
        self.accesses = SqlAccesses(connection)
        self.messages = SqlMessages(connection)
        self.nodes = SqlNodeRecords(connection)


class Database:
    """Opens transactions on an engine. Each raises LedgerUnavailable when the database cannot take it now (locked,
    full, gone): nothing of it was stored then, or, if the commit itself failed, it may have been: repeat it."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})

    def open_ledger(self) -> AbstractContextManager[Ledger]:
        """One transaction that may write, and is not repeated."""
        return _transaction(self._writing)

    def write(self, work: Callable[[Ledger], T]) -> T:
        """The port Transact."""
        with self.open_ledger() as ledger:
            return work(ledger)

    def read(self, work: Callable[[Ledger], T]) -> T:
        """As `read_ledger`, for a bridge that takes the whole work."""
        with self.read_ledger() as ledger:
            return work(ledger)

    def read_ledger(self) -> AbstractContextManager[Ledger]:
        """For reading only: on SQLite it takes no lock and must not write."""
        return _transaction(self._reading)


@contextmanager
def _transaction(engine: Engine) -> Iterator[Ledger]:
    try:
        with engine.begin() as connection:
            yield SqlLedger(connection)
    except OperationalError as error:
        # Only what may pass by itself; a broken constraint or a wrong statement is a bug and stays one.
        raise LedgerUnavailable(f"the database did not take it: {error.orig}") from error
