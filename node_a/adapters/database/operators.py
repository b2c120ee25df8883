"""What operators did, and what they have been told of."""

from collections.abc import Sequence, Set
from dataclasses import asdict

from sqlalchemy import Connection, delete, select

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import operator_acts, told_stuck
from node_a.application.ports import OperatorAct

_MOST_SHOWN = 20


class SqlOperatorActs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, update_id: int) -> OperatorAct | None:
        query = select(operator_acts).where(operator_acts.c.update_id == update_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else OperatorAct(**row)

    def record(self, act: OperatorAct) -> bool:
        # On PostgreSQL the same update in another transaction waits here until that one has ended.
        statement = inserting(self._connection, operator_acts).values(**asdict(act))
        fresh = statement.on_conflict_do_nothing(index_elements=["update_id"]).returning(operator_acts.c.update_id)
        return self._connection.execute(fresh).one_or_none() is not None

    def about(self, subjects: Sequence[str]) -> Sequence[OperatorAct]:
        query = select(operator_acts).where(operator_acts.c.subject.in_(subjects))
        newest = query.order_by(operator_acts.c.at.desc()).limit(_MOST_SHOWN)
        return [OperatorAct(**row) for row in self._connection.execute(newest).mappings()]


class SqlToldStuck:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def replace(self, stuck: Set[str]) -> Set[str]:
        known = set(self._connection.scalars(select(told_stuck.c.what)))
        for gone in known - stuck:
            self._connection.execute(delete(told_stuck).where(told_stuck.c.what == gone))
        new = set()
        for what in sorted(stuck - known):
            statement = inserting(self._connection, told_stuck).values(what=what)
            inserted = statement.on_conflict_do_nothing(index_elements=["what"]).returning(told_stuck.c.what)
            new |= set(self._connection.scalars(inserted))
        return new
