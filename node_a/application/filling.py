"""Filling: what the settings say of each node is put into effect: an active one gets a key of every running
subscription, a retired one loses all of its keys, a draining one keeps those that it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from node_a.application.jobs import Job
from node_a.application.ports import Clock, InThread, Ledger, SweptPage
from node_a.domain.node import Keeper, Node, NodeCode, NodeState, Protocol, offered
from node_a.domain.subscription import SubscriptionId

# So many subscriptions or accesses are looked at in one transaction: nobody waits for it.
PAGE: Final = 250


def hasten_filling(ledger: Ledger, nodes: Sequence[Node], now: datetime) -> None:
    """Called inside a transaction, when a worker starts: if the settings say something of a node that is not in effect
    yet, it shall be at once."""
    in_effect = {record.code: record.state for record in ledger.nodes.all()}
    if any(in_effect.get(node.code) is not node.state for node in nodes):
        ledger.jobs.hasten(Job.FILL_NODES, now)


@dataclass(frozen=True, slots=True)
class Filling:
    """How many accesses came to be due by it: to be `added` and to be `removed`, by node; nodes without either are left
    out."""

    added: Mapping[NodeCode, int]
    removed: Mapping[NodeCode, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class PutNodesIntoEffect:
    """Safe to repeat, and cheap where nothing is missing. It only says what is wanted: the worker tells the nodes, as
    upkeep. `nodes`: all of the settings."""

    ledger: InThread
    nodes: Sequence[Node]
    clock: Clock

    async def __call__(self) -> Filling:
        await self.ledger(lambda ledger: ledger.subscriptions.take_up_forgotten(self.clock()))
        added, removed = {}, {}
        for node in self.nodes:
            if node in offered(self.nodes):
                added[node.code] = sum([await self._fill(Keeper(node.code, protocol)) for protocol in Protocol])
            elif node.state is NodeState.RETIRED:
                removed[node.code] = await self._empty(node.code)
            await self._record(node)
        return Filling(*({code: count for code, count in counts.items() if count} for counts in (added, removed)))

    async def _fill(self, keeper: Keeper) -> int:
        return await self._swept(lambda ledger, after: ledger.accesses.fill(keeper, after, self.clock(), PAGE))

    async def _empty(self, node: NodeCode) -> int:
        return await self._swept(lambda ledger, after: ledger.accesses.empty(node, after, self.clock(), PAGE))

    async def _swept(self, sweep: Callable[[Ledger, SubscriptionId | None], SweptPage]) -> int:
        """A page is a transaction; how many accesses came to be due."""
        page = await self.ledger(lambda ledger: sweep(ledger, None))
        count = page.count
        while (last := page.last) is not None:
            page = await self.ledger(_following(sweep, last))
            count += page.count
        return count

    async def _record(self, node: Node) -> None:
        await self.ledger(lambda ledger: ledger.nodes.put_into_effect(node.code, node.state))


def _following(
    sweep: Callable[[Ledger, SubscriptionId | None], SweptPage], last: SubscriptionId
) -> Callable[[Ledger], SweptPage]:
    return lambda ledger: sweep(ledger, last)
