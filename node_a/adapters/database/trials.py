"""Who has had a trial, as a keyed hash."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import trials


class SqlTrials:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def taken(self, hashes: Sequence[str]) -> bool:
        query = select(trials.c.hash).where(trials.c.hash.in_(hashes)).limit(1)
        return self._connection.execute(query).first() is not None

    def lock(self) -> None:
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
            self._connection.execute(text("LOCK TABLE trials IN SHARE ROW EXCLUSIVE MODE"))

    def taken_since(self, moment: datetime) -> int:
        query = select(func.count()).select_from(trials).where(trials.c.taken_at >= moment)
        return self._connection.execute(query).scalar_one()

    def take(self, hash: str, now: datetime) -> bool:
        statement = inserting(self._connection, trials).values(hash=hash, taken_at=now)
        fresh = statement.on_conflict_do_nothing(index_elements=["hash"]).returning(trials.c.hash)
        return self._connection.execute(fresh).one_or_none() is not None
