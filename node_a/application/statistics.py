"""Statistics: how the servers are, as the worker last saw them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from node_a.application.audit_findings import NodeFindings
from node_a.application.outages import RecordObservations
from node_a.application.ports import Clock, InThread, Ledger, NodeRecord, Nodes, OpenLedger
from node_a.domain.faults import FAULT_OF, Fault, clock_is_off, is_fresh, works
from node_a.domain.health import Health
from node_a.domain.node import Node, NodeCode, NodeObservation, NodeState, Protocol
from node_a.domain.order import Known


@dataclass(frozen=True, slots=True)
class ServerView:
    """`observation` is None when the node was not looked at for too long. `seen_ago`: how old it is; `since`: since
    when it, or a protocol of it, does not work. For operators: `waiting`: the protocols whose keeper failed and is left
    alone for a moment; `audit`: the last one; `keys_left`: how many keys are still on a node that is to go."""

    node: Node
    observation: NodeObservation | None
    seen_ago: timedelta | None
    since: datetime | None = None
    waiting: frozenset[Protocol] = frozenset()
    audit: NodeFindings | None = None
    keys_left: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserveNodes:
    """Look at every node at the same time; what was seen and what it means is remembered in one transaction."""

    ledger: InThread
    nodes: Nodes
    record: RecordObservations
    clock: Clock

    async def __call__(self) -> None:
        codes = list(self.nodes)
        seen = await asyncio.gather(*(self.nodes[code].observe() for code in codes))
        observations = dict(zip(codes, seen, strict=True))
        await self.ledger(lambda ledger: self.record(ledger, observations, self.clock()))


@dataclass(frozen=True, slots=True)
class NodeTroubles:
    """What is wrong with a node for whoever uses it, as it was last seen. `is_known`: False when nobody has looked for
    too long, and then the rest says nothing; `broken`: the protocols that do not work there; `clock_off`: by how many
    seconds its clock is ahead, if that is so much that Shadowsocks may refuse; None else. `since`: when it stopped
    answering altogether, or the broken protocol did."""

    is_known: bool = False
    broken: frozenset[Protocol] = frozenset()
    clock_off: float | None = None
    since: datetime | None = None

    @property
    def is_reachable(self) -> bool:
        """False: no key works there."""
        return self.broken != frozenset(Protocol)


def known(records: Sequence[NodeRecord]) -> Mapping[NodeCode, Known]:
    """What orders the keys; `records` as for `troubles`."""
    return {record.code: Known(record.observation, Health.of(record.health)) for record in records}


def troubles(nodes: Sequence[Node], records: Sequence[NodeRecord], now: datetime) -> Mapping[NodeCode, NodeTroubles]:
    """Of each of `nodes`; `records`: what `ledger.nodes.all()` gives."""
    of_code = {record.code: record for record in records}
    return {node.code: _troubles(of_code.get(node.code), now) for node in nodes}


def _troubles(record: NodeRecord | None, now: datetime) -> NodeTroubles:
    seen = record.observation if record else None
    if record is None or seen is None or not is_fresh(seen, now):
        return NodeTroubles()
    broken = frozenset(protocol for protocol in Protocol if not works(seen, protocol))
    faults = [Fault.GONE] if len(broken) == len(Protocol) else [FAULT_OF[protocol] for protocol in broken]
    health, off = Health.of(record.health), seen.clock_off
    return NodeTroubles(
        is_known=True,
        broken=broken,
        clock_off=off if off is not None and clock_is_off(off) else None,
        since=health.seen_since(faults[0]) if faults else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowServers:
    """Every node that customers may have keys on, the active ones first; to operators the retired ones, too."""

    read_ledger: OpenLedger
    nodes: Sequence[Node]
    clock: Clock

    def __call__(self, for_operator: bool = False) -> list[ServerView]:
        states = [NodeState.ACTIVE, NodeState.DRAINING, *([NodeState.RETIRED] if for_operator else [])]
        shown = [node for state in states for node in self.nodes if node.state is state]
        now = self.clock()
        with self.read_ledger() as ledger:
            records = {record.code: record for record in ledger.nodes.all()}
            views = [_view(node, records.get(node.code), now) for node in shown]
            return [_with_keys_left(view, ledger) for view in views] if for_operator else views


def _view(node: Node, record: NodeRecord | None, now: datetime) -> ServerView:
    seen = record.observation if record else None
    if record is None or seen is None or not is_fresh(seen, now):
        seen = None
    return ServerView(
        node=node,
        observation=seen,
        seen_ago=max(now - seen.at, timedelta(0)) if seen else None,
        since=_troubles(record, now).since,
        waiting=frozenset(protocol for protocol, until in record.gates.items() if until > now)
        if record
        else frozenset(),
        audit=NodeFindings.of(record) if record else None,
    )


def _with_keys_left(view: ServerView, ledger: Ledger) -> ServerView:
    if view.node.state is NodeState.ACTIVE:
        return view
    return replace(view, keys_left=ledger.accesses.count_at(view.node.code))
