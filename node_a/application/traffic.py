"""Traffic: what the nodes' counters brought is booked, kept by hours and then by days, and shown."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Final

from node_a.application.limits import KeepToLimit
from node_a.application.ports import Clock, Count, InThread, Ledger, NodeGateway, Nodes, OpenLedger, Transact
from node_a.application.walking import held_pages
from node_a.domain.access import AccessId, HeldPage, subscription_of_user
from node_a.domain.errors import NodeRefused, NodeUnavailable
from node_a.domain.node import Keeper, Protocol
from node_a.domain.subscription import SubscriptionId

HOURS_KEPT: Final = timedelta(days=90)
DAYS_SHOWN: Final = 30
_ROLLED_UP_AT_ONCE: Final = 1_000
# Bytes: years of a whole server's traffic. A node that says more is wrong, and what the database adds up must fit in.
MOST_COUNTED: Final = 2**52


@dataclass(frozen=True, kw_only=True, slots=True)
class CountTraffic:
    """Reads every counter once, all keepers side by side, each page in one short transaction; whoever is at the limit
    then is suspended. Killed between two pages, or run twice, it books nothing twice: a counter and what it brought
    are stored together."""

    ledger: InThread
    nodes: Nodes
    keep_to_limit: KeepToLimit
    clock: Clock

    async def __call__(self) -> Sequence[Keeper]:
        """The keepers that did not answer to the end: what they count is booked when they do."""
        keepers = {Keeper(code, protocol): node for code, node in self.nodes.items() for protocol in Protocol}
        counting = (self._count(keeper, node) for keeper, node in keepers.items())
        ends = await asyncio.gather(*counting, return_exceptions=True)
        silent = []
        for keeper, end in zip(keepers, ends, strict=True):
            if isinstance(end, NodeUnavailable | NodeRefused):
                silent.append(keeper)
            elif end is not None:
                raise end
        return silent

    async def _count(self, keeper: Keeper, node: NodeGateway) -> None:
        async for page in held_pages(node, keeper.protocol, self.clock):
            await self._book(keeper, page)

    async def _book(self, keeper: Keeper, page: HeldPage) -> None:
        believed = [held for held in page.held if 0 <= held.used <= MOST_COUNTED]
        ours = [(subscription_of_user(held.user_name), held.used) for held in believed]
        counts = [Count(AccessId(id, keeper.node, keeper.protocol), used) for id, used in ours if id is not None]
        for id in await self.ledger(partial(self._booked, counts=counts)):
            await self.ledger(partial(self.keep_to_limit, id=id))

    def _booked(self, ledger: Ledger, counts: Sequence[Count]) -> Sequence[SubscriptionId]:
        """Those whose limit must be looked at."""
        now = self.clock()
        used = ledger.traffic.count(counts, now)
        subscriptions = ledger.subscriptions.find_all([*used])
        return [
            id
            for id, subscription in subscriptions.items()
            if self.keep_to_limit.is_called_for(ledger, subscription, used[id], now)
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class RollUpTraffic:
    """Hours of long ago become days, a batch in each transaction: killed at any moment, the next run goes on."""

    write: Transact
    clock: Clock

    def __call__(self) -> None:
        before = self.clock() - HOURS_KEPT
        while self.write(lambda ledger: ledger.traffic.roll_up(before, _ROLLED_UP_AT_ONCE)):
            pass


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowTraffic:
    """Bytes on each of the last 30 days, the oldest first, today included; a day begins at midnight in `zone`."""

    read_ledger: OpenLedger
    zone: tzinfo
    clock: Clock

    def __call__(self, id: SubscriptionId) -> Sequence[tuple[date, int]]:
        first = self.clock().astimezone(self.zone).date() - timedelta(days=DAYS_SHOWN - 1)
        by_day: Counter[date] = Counter()
        with self.read_ledger() as ledger:
            for hour, amount in ledger.traffic.by_hour(id, datetime.combine(first, time(), self.zone)).items():
                by_day[hour.astimezone(self.zone).date()] += amount
        return [(day, by_day[day]) for day in (first + timedelta(days=number) for number in range(DAYS_SHOWN))]
