"""What the database remembers of nodes: the last observation, and the gates of those that fail."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import gates, nodes
from node_a.application.ports import NodeRecord
from node_a.domain.backoff import pause
from node_a.domain.node import NodeCode, NodeObservation, Protocol

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(seconds=60)


class SqlNodeRecords:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Sequence[NodeRecord]:
        closed: dict[str, dict[Protocol, datetime]] = {}
        for gate in self._connection.execute(select(gates)):
            closed.setdefault(gate.node, {})[Protocol(gate.protocol)] = gate.closed_until
        return [
            NodeRecord(NodeCode(row.code), _observation(row.observed_at, row.observation), closed.get(row.code, {}))
            for row in self._connection.execute(select(nodes).order_by(nodes.c.code))
        ]

    def observed(self, observations: Mapping[NodeCode, NodeObservation]) -> None:
        for code, observation in observations.items():
            facts = asdict(observation)
            seen = {"observed_at": facts.pop("at"), "observation": facts}
            statement = inserting(self._connection, nodes).values(code=code, **seen)
            self._connection.execute(statement.on_conflict_do_update(index_elements=["code"], set_=seen))

    def gate_closed(self, code: NodeCode, protocol: Protocol, now: datetime, chance: float) -> None:
        query = select(gates).where(gates.c.node == code, gates.c.protocol == protocol.value)
        gate = self._connection.execute(query.with_for_update()).one_or_none()
        if gate is not None and gate.closed_until > now:
            return  # several attempts were under way when it failed: one failure
        failures = 1 if gate is None else gate.failures + 1
        closed_until = now + pause(FIRST_PAUSE, LONGEST_PAUSE, failures - 1, chance)
        state = {"failures": failures, "closed_until": closed_until}
        statement = inserting(self._connection, gates).values(node=code, protocol=protocol.value, **state)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["node", "protocol"], set_=state))

    def gate_opened(self, code: NodeCode, protocol: Protocol) -> None:
        self._connection.execute(delete(gates).where(gates.c.node == code, gates.c.protocol == protocol.value))


def _observation(at: datetime | None, facts: dict[str, Any] | None) -> NodeObservation | None:
    return None if at is None or facts is None else NodeObservation(at=at, **facts)
