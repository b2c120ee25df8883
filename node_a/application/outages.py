"""Outages: every look at a node is remembered together with what it means, and operators are told once of each fault
that stays, and once of its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from node_a.application.alerts import TellOperators
from node_a.application.ports import Ledger, NodeRecord
from node_a.domain.faults import Fault, faults_seen, is_fresh
from node_a.domain.health import Health, Outage
from node_a.domain.message import Message, MessageKind
from node_a.domain.node import Node, NodeCode, NodeObservation, NodeState, offered

# Any constant: the ids made with it only have to be the same in every worker.
_NAMESPACE: Final = UUID("8d1c2a4e-5b0f-4c39-9f57-0e6b1a7d3c22")


@dataclass(frozen=True, slots=True)
class NodeOutage:
    """An outage as operators are told of it; `seen`: the last look at the node; `nobody_is_served`: no node where
    customers get keys is known to work."""

    node: Node
    outage: Outage
    seen: NodeObservation | None = None
    nobody_is_served: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordObservations:
    """Called inside a transaction. `nodes`: as the settings have them; a retired one has no health, and nobody is told
    of it."""

    nodes: Sequence[Node]
    tell: TellOperators

    def __call__(self, ledger: Ledger, observations: Mapping[NodeCode, NodeObservation], now: datetime) -> None:
        # First: the rows are locked by it, and what is read now is what other workers have left.
        ledger.nodes.observed(observations)
        records = {record.code: record for record in ledger.nodes.all()}
        for node in self.nodes:
            if node.code not in observations:
                continue
            if node.state is NodeState.RETIRED:
                ledger.nodes.remember_health(node.code, Health().as_facts())
                continue
            health, news = Health.of(records[node.code].health).after(observations[node.code])
            ledger.nodes.remember_health(node.code, health.as_facts())
            for outage in news:
                self._tell(ledger, node.code, outage, now)

    def _tell(self, ledger: Ledger, node: NodeCode, outage: Outage, now: datetime) -> None:
        self.tell(ledger, _kind(outage), subject=_id_of(node, outage), key=_name_of(node, outage), now=now)


def find_outage(ledger: Ledger, nodes: Sequence[Node], message: Message, now: datetime) -> NodeOutage | None:
    """What an OUTAGE or OUTAGE_OVER is about; None if it is not true any more."""
    records = {record.code: record for record in ledger.nodes.all()}
    in_use = [node for node in nodes if node.state is not NodeState.RETIRED and node.code in records]
    for node in in_use:
        health = Health.of(records[node.code].health)
        for outage in filter(None, map(health.outage, Fault)):
            if _id_of(node.code, outage) == message.subject and _kind(outage) is message.kind:
                silent = all(_is_silent(records.get(other.code), now) for other in offered(nodes))
                return NodeOutage(node, outage, records[node.code].observation, silent)
    return None


def _kind(outage: Outage) -> MessageKind:
    return MessageKind.OUTAGE if outage.ended is None else MessageKind.OUTAGE_OVER


def _is_silent(record: NodeRecord | None, now: datetime) -> bool:
    """Known not to work; of what was not looked at nothing is said."""
    if record is None or record.observation is None or not is_fresh(record.observation, now):
        return False
    return Fault.GONE in Health.of(record.health).faults or bool(faults_seen(record.observation)[Fault.GONE])


def _name_of(node: NodeCode, outage: Outage) -> str:
    """The same in every worker, and another one after each return."""
    return f"{node}:{outage.fault}:{outage.began.isoformat()}"


def _id_of(node: NodeCode, outage: Outage) -> UUID:
    return uuid5(_NAMESPACE, _name_of(node, outage))
