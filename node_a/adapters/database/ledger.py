"""The ledger: one transaction over all tables; the one file that commits."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection, Engine

from node_a.adapters.database.accesses import SqlAccesses
from node_a.adapters.database.customers import SqlCustomers
from node_a.adapters.database.engine import BUSY_TIMEOUT_MS, reading
from node_a.adapters.database.failures import GaveWay, in_our_words
from node_a.adapters.database.jobs import SqlJobs
from node_a.adapters.database.messages import SqlMessages
from node_a.adapters.database.nodes import SqlNodeRecords
from node_a.adapters.database.operators import SqlOperatorActs, SqlToldStuck
from node_a.adapters.database.payments import SqlPayments
from node_a.adapters.database.refunds import SqlRefunds
from node_a.adapters.database.rotations import SqlRotations
from node_a.adapters.database.subscriptions import SqlSubscriptions
from node_a.adapters.database.traffic import SqlTraffic
from node_a.adapters.database.trials import SqlTrials
from node_a.adapters.database.watches import tell
from node_a.application.ports import Ledger
from node_a.domain.errors import LedgerUnavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

T = TypeVar("T")

_NOT_TAKEN: Final = "the database did not take it"
# Seconds before a transaction that gave way is done again; as often, and no more.
_PAUSES: Final = (0.01, 0.03, 0.1, 0.3)


class SqlLedger:
    """The tables as seen by one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.customers = SqlCustomers(connection)
        self.payments = SqlPayments(connection)
        self.subscriptions = SqlSubscriptions(connection)
        self.accesses = SqlAccesses(connection)
        self.messages = SqlMessages(connection)
        self.nodes = SqlNodeRecords(connection)
        self.refunds = SqlRefunds(connection)
        self.jobs = SqlJobs(connection)
        self.traffic = SqlTraffic(connection)
        self.rotations = SqlRotations(connection)
        self.trials = SqlTrials(connection)
        self.operator_acts = SqlOperatorActs(connection)
        self.told_stuck = SqlToldStuck(connection)


class Database:
    """Opens transactions on an engine. Each raises LedgerUnavailable when the database cannot take it now (locked,
    full, gone): nothing of it was stored then, or, if the commit itself failed, it may have been: repeat it.
    `longest_wait`: seconds for another writer of this process."""

    def __init__(self, engine: Engine, *, longest_wait: float = BUSY_TIMEOUT_MS / 1000) -> None:
        self._longest_wait = longest_wait
        self._writing = engine
        self._reading = reading(engine)
        self._one_writer = Lock() if engine.dialect.name == "sqlite" else None

    @contextmanager
    def open_ledger(self) -> Iterator[Ledger]:
        """One transaction that may write, and is not repeated."""
        with self._turn(), in_our_words(_NOT_TAKEN, writing=True), self._writing.begin() as connection:
            yield SqlLedger(connection)
            tell(connection)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite has one writer, and whoever waits looks again after ever longer pauses, up to a tenth of a second. The
        threads of a process wait for one another here, and go on at once."""
        if self._one_writer is None:
            yield
            return
        if not self._one_writer.acquire(timeout=self._longest_wait):
            raise LedgerUnavailable(f"{_NOT_TAKEN}: another transaction of this process does not end")
        try:
            yield
        finally:
            self._one_writer.release()

    def write(self, work: Callable[[Ledger], T]) -> T:
        """The port Transact: a transaction that gave way to another is done again."""
        for pause in _PAUSES:
            try:
                return self._write_once(work)
            except GaveWay as error:
                log.info("a transaction gave way to another, and is done again", problem=str(error))
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 — no secret: only so that the two part
        return self._write_once(work)

    def _write_once(self, work: Callable[[Ledger], T]) -> T:
        with self.open_ledger() as ledger:
            return work(ledger)

    def read(self, work: Callable[[Ledger], T]) -> T:
        """As `read_ledger`, for a bridge that takes the whole work."""
        with self.read_ledger() as ledger:
            return work(ledger)

    @contextmanager
    def read_ledger(self) -> Iterator[Ledger]:
        """For reading only: it waits for no writer and must not write."""
        with in_our_words(_NOT_TAKEN), self._reading.begin() as connection:
            yield SqlLedger(connection)
