"""The audit of one keeper: all its users, against what they should be.

Nothing is held over a call, so that what is compared may have changed since its page was written. Hence whoever seems
wrong or missing is only told again what is right now; whoever has no access is judged once more, behind the customer's
lock; and removed is only who has no subscription, which nobody can get again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from node_a.application.audit_findings import KeeperFindings
from node_a.application.expiry import accesses_offered
from node_a.application.orphans import RemoveOrphans
from node_a.application.ports import Clock, InThread, Ledger, Nodes, Urgency
from node_a.application.registration import is_in_good_standing
from node_a.application.walking import held_pages
from node_a.application.wanting import Wanting
from node_a.domain.access import AccessId, HeldAccess, subscription_of_user
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import Keeper, Node
from node_a.domain.subscription import Subscription, SubscriptionId

_AT_ONCE: Final = 100
_SETTLED_AT_ONCE: Final = 1_000

Ours = Mapping[SubscriptionId, HeldAccess]


@dataclass(slots=True)
class _Page:
    """How one page compares. `orphans`: of no subscription."""

    compared: int = 0
    differing: list[AccessId] = field(default_factory=list)
    unknown: list[AccessId] = field(default_factory=list)
    orphans: dict[SubscriptionId, HeldAccess] = field(default_factory=dict)


@dataclass(slots=True)
class _Walk:
    """`settled`: whom the keeper should hold, as of the beginning; `seen`: who of ours is there."""

    settled: frozenset[SubscriptionId]
    found: KeeperFindings
    seen: set[SubscriptionId] = field(default_factory=set)
    orphans: dict[SubscriptionId, HeldAccess] = field(default_factory=dict)

    def has_compared(self, held: Sequence[HeldAccess], ours: Ours, page: _Page) -> None:
        self.seen |= ours.keys()
        self.orphans |= page.orphans
        self.found = replace(
            self.found,
            compared=self.found.compared + page.compared,
            differing=self.found.differing + len(page.differing),
            unknown=self.found.unknown + len(page.unknown),
            foreign=self.found.foreign + sum(1 for one in held if subscription_of_user(one.user_name) is None),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditKeeper:
    """Raises LedgerUnavailable; a keeper that does not answer to the end is a finding."""

    read: InThread
    ledger: InThread
    gateways: Nodes
    nodes: Sequence[Node]
    wanting: Wanting
    clock: Clock
    remove_orphans: RemoveOrphans

    async def __call__(self, keeper: Keeper, before: KeeperFindings) -> KeeperFindings:
        """`before`: what the last audit of this keeper found."""
        walk = _Walk(await self._settled(keeper), KeeperFindings(orphans=before.orphans))
        # Who is missing, and whether orphans are few, only a complete walk can tell.
        try:
            async for page in held_pages(self.gateways[keeper.node], keeper.protocol, self.clock):
                await self._compare(keeper, walk, page.held)
            await self._put_missing_right(keeper, walk)
        except NodeUnavailable as error:
            return replace(walk.found, problem=str(error))
        return await self.remove_orphans(keeper, walk.orphans, len(walk.seen), walk.found)

    async def _settled(self, keeper: Keeper) -> frozenset[SubscriptionId]:
        settled: list[SubscriptionId] = []
        while ids := await self._settled_after(keeper, settled[-1] if settled else None):
            settled += [id.subscription_id for id in ids]
        return frozenset(settled)

    async def _settled_after(self, keeper: Keeper, after: SubscriptionId | None) -> Sequence[AccessId]:
        return await self.read(lambda ledger: ledger.accesses.settled_at(keeper, after, _SETTLED_AT_ONCE))

    async def _compare(self, keeper: Keeper, walk: _Walk, held: Sequence[HeldAccess]) -> None:
        named = {subscription_of_user(one.user_name): one for one in held}
        ours = {id: one for id, one in named.items() if id is not None}
        page = await self.read(lambda ledger: self._judged(ledger, keeper, ours))
        if page.differing or page.unknown:
            await self.ledger(lambda ledger: self._make_work(ledger, page))
        walk.has_compared(held, ours, page)

    def _judged(self, ledger: Ledger, keeper: Keeper, ours: Ours) -> _Page:
        page, now = _Page(), self.clock()
        subscriptions = ledger.subscriptions.find_all(list(ours))
        records = ledger.accesses.find_all([AccessId(id, *keeper) for id in subscriptions])
        for id, held in ours.items():
            access, subscription = AccessId(id, *keeper), subscriptions.get(id)
            record = records.get(access)
            if subscription is None:
                page.orphans[id] = held
            elif record is None:
                page.unknown.append(access)
            elif record.settled and record.present:  # of the others somebody takes care
                page.compared += 1
                if held.differences(self.wanting(subscription, record, now)):
                    page.differing.append(access)
        return page

    def _make_work(self, ledger: Ledger, page: _Page) -> None:
        # Behind the locks all is looked at again: one may have been banned, erased or given its keys since.
        subscriptions = _locked(ledger, [*page.differing, *page.unknown])
        known, now = ledger.accesses.find_all(page.unknown), self.clock()
        left = [id for id in page.unknown if id not in known and id.subscription_id in subscriptions]
        owed = [id for id in left if self._is_owed(ledger, subscriptions[id.subscription_id], id)]
        ledger.accesses.want(owed, present=True, due_at=now, urgency=Urgency.UPKEEP)
        ledger.accesses.forget_unknown([id for id in left if id not in owed], now)
        ledger.accesses.put_right(page.differing, now)

    def _is_owed(self, ledger: Ledger, subscription: Subscription, id: AccessId) -> bool:
        """What the customer has paid for is not taken away because our database has forgotten that it gave it."""
        good = is_in_good_standing(ledger, subscription.customer_id)
        return good and subscription.is_active(self.clock()) and id in accesses_offered(subscription.id, self.nodes)

    async def _put_missing_right(self, keeper: Keeper, walk: _Walk) -> None:
        missing = [AccessId(id, *keeper) for id in sorted(walk.settled - walk.seen)]
        for start in range(0, len(missing), _AT_ONCE):
            count = await self._tell_again(missing[start : start + _AT_ONCE])
            walk.found = replace(walk.found, missing=walk.found.missing + count)

    async def _tell_again(self, ids: Sequence[AccessId]) -> int:
        return await self.ledger(lambda ledger: self._told_again(ledger, ids))

    def _told_again(self, ledger: Ledger, ids: Sequence[AccessId]) -> int:
        _locked(ledger, ids)
        records = ledger.accesses.find_all(ids).values()
        still = [record.id for record in records if record.settled and record.present]
        ledger.accesses.put_right(still, self.clock())
        return len(still)


def _locked(ledger: Ledger, ids: Sequence[AccessId]) -> Mapping[SubscriptionId, Subscription]:
    """Those that there are, behind their customers' locks: whoever changes accesses has them."""
    subscriptions = ledger.subscriptions.find_all([id.subscription_id for id in ids])
    ledger.customers.lock({one.customer_id for one in subscriptions.values()})
    return ledger.subscriptions.find_all(list(subscriptions))
