"""Orphans: users of our making on a node that are of no subscription."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from node_a.application.audit_findings import KeeperFindings
from node_a.application.ports import Clock, InThread, Nodes
from node_a.domain.access import HeldAccess
from node_a.domain.errors import NodeRefused, NodeUnavailable
from node_a.domain.node import Keeper
from node_a.domain.subscription import SubscriptionId

# More than these, and than this share of all users of ours, or all of them: then it is our database that has lost
# something, or is another one.
FEW: Final = 20
SHARE: Final = 0.1
# After a backup was restored, those who bought since are orphans until the money is reconciled: time to do it.
ORPHANS_STAY_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveOrphans:
    """Those who have been seen for long enough, but never many at once. Nobody can get the subscription that an orphan
    had: ids are random. `few`: so many may go, however few users there are. Raises LedgerUnavailable."""

    read: InThread
    gateways: Nodes
    clock: Clock
    few: int = FEW

    async def __call__(
        self, keeper: Keeper, orphans: Mapping[SubscriptionId, HeldAccess], users: int, found: KeeperFindings
    ) -> KeeperFindings:
        """`users`: how many of ours are there, `orphans` and all; `found`: so far, with the orphans of the last audit.
        What is found then."""
        knows_nobody = len(orphans) == users
        if orphans and (knows_nobody or len(orphans) > max(self.few, SHARE * users)):
            return replace(found, refused_orphans=len(orphans), orphans={})
        now = self.clock()
        since = {one.user_name: found.seen_first(one.user_name, now) for one in orphans.values()}
        found = replace(found, orphans={name: moment.isoformat() for name, moment in since.items()})
        # Since their pages were read, a subscription may have been made of what the provider remembers.
        known = await self.read(lambda ledger: ledger.subscriptions.find_all(list(orphans)))
        due = [one for id, one in orphans.items() if id not in known and _is_due(since[one.user_name], now)]
        return await self._remove(keeper, due, found)

    async def _remove(self, keeper: Keeper, orphans: list[HeldAccess], found: KeeperFindings) -> KeeperFindings:
        for orphan in orphans:
            try:
                await self.gateways[keeper.node].remove_user(keeper.protocol, orphan)
            except NodeRefused:
                continue  # changed since we saw it: the next audit sees it as it is then
            except NodeUnavailable as error:
                return replace(found, problem=str(error))
            left = {name: since for name, since in found.orphans.items() if name != orphan.user_name}
            found = replace(found, removed=found.removed + 1, orphans=left)
        return found


def _is_due(since: datetime, now: datetime) -> bool:
    return now - since >= ORPHANS_STAY_FOR
