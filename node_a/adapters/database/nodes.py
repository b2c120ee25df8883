"""What the database remembers of nodes: the last observation, and the gates of those that fail."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import gates, nodes
from node_a.application.ports import NodeRecord
from node_a.domain.backoff import pause
from node_a.domain.node import Keeper, NodeCode, NodeObservation, NodeState, Protocol

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(seconds=60)
_FACTS: Final = {field.name for field in fields(NodeObservation)}


class SqlNodeRecords:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Sequence[NodeRecord]:
        closed: dict[str, dict[Protocol, datetime]] = {}
        for gate in self._connection.execute(select(gates)):
            closed.setdefault(gate.node, {})[Protocol(gate.protocol)] = gate.closed_until
        return [
            NodeRecord(
                code=NodeCode(row.code),
                observation=_observation(row.observed_at, row.observation),
                gates=closed.get(row.code, {}),
                state=None if row.state is None else NodeState(row.state),
                health=row.health,
                audit=row.audit,
            )
            for row in self._connection.execute(select(nodes).order_by(nodes.c.code))
        ]

    def observed(self, observations: Mapping[NodeCode, NodeObservation]) -> None:
        for code, observation in observations.items():
            facts = asdict(observation)
            seen = {"observed_at": facts.pop("at"), "observation": facts}
            self._remember(code, seen)

    def put_into_effect(self, code: NodeCode, state: NodeState) -> None:
        self._remember(code, {"state": state.value})

    def remember_health(self, code: NodeCode, health: Mapping[str, Any]) -> None:
        self._remember(code, {"health": dict(health)})

    def remember_audit(self, code: NodeCode, audit: Mapping[str, Any]) -> None:
        self._remember(code, {"audit": dict(audit)})

    def _remember(self, code: NodeCode, values: dict[str, Any]) -> None:
        statement = inserting(self._connection, nodes).values(code=code, **values)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["code"], set_=values))

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

    def failing(self) -> Set[Keeper]:
        query = select(gates.c.node, gates.c.protocol)
        return {Keeper(NodeCode(row.node), Protocol(row.protocol)) for row in self._connection.execute(query)}

    def gate_opened(self, code: NodeCode, protocol: Protocol) -> None:
        self._connection.execute(delete(gates).where(gates.c.node == code, gates.c.protocol == protocol.value))


def _observation(at: datetime | None, facts: dict[str, Any] | None) -> NodeObservation | None:
    if at is None or facts is None:
        return None
    # A later release may have seen more than this one knows of.
    known = {name: value for name, value in facts.items() if name in _FACTS}
    return NodeObservation(at=at, **known)
