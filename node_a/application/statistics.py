"""Statistics: how the servers are, as the worker last saw them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.ports import Clock, InThread, Nodes, OpenLedger
from node_a.domain.node import Node, NodeObservation, NodeState

# Older observations say nothing about now.
STALE_AFTER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ServerView:
    """`observation` is None when the node was not looked at for too long. `seen_ago`: how old it is."""

    node: Node
    observation: NodeObservation | None
    seen_ago: timedelta | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserveNodes:
    """Look at every node at the same time and remember what was seen."""

    ledger: InThread
    nodes: Nodes

    async def __call__(self) -> None:
        codes = list(self.nodes)
        seen = await asyncio.gather(*(self.nodes[code].observe() for code in codes))
        observations = dict(zip(codes, seen, strict=True))
        await self.ledger(lambda ledger: ledger.nodes.observed(observations))


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowServers:
    """Every node that customers may have keys on, the active ones first."""

    read_ledger: OpenLedger
    nodes: Sequence[Node]
    clock: Clock

    def __call__(self) -> list[ServerView]:
        with self.read_ledger() as ledger:
            records = {record.code: record.observation for record in ledger.nodes.all()}
        offered = [node for node in self.nodes if node.state is not NodeState.RETIRED]
        now = self.clock()
        return [_view(node, records.get(node.code), now) for node in offered]


def _view(node: Node, observation: NodeObservation | None, now: datetime) -> ServerView:
    if observation is None or now - observation.at > STALE_AFTER:
        return ServerView(node, None, None)
    return ServerView(node, observation, max(now - observation.at, timedelta(0)))
