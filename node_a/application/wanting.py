"""Wanting: what a node must hold for an access. Providing sends it, the audit compares with it: one answer for both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node_a.application.ports import AccessRecord
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.keys import KeyRing
from node_a.domain.node import Node, Protocol
from node_a.domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Wanting:
    """`nodes`: all of the settings."""

    ring: KeyRing
    nodes: Sequence[Node]

    def __call__(self, subscription: Subscription, record: AccessRecord, now: datetime) -> WantedAccess:
        """The absolute facts about the access of `record`, which is one of `subscription`'s, as of `now`."""
        # Days that have just been given begin now, perhaps by the clock of a machine that is ahead of ours.
        begins = next((grant.starts_at for grant in subscription.grants if now < grant.ends_at), now)
        period = subscription.traffic_period(max(now, begins))
        return WantedAccess(
            id=record.id,
            revision=subscription.revision,
            present=record.present,
            ends_at=subscription.ends_at or now,
            traffic_limit=record.backstop(period.limit) if period else None,
            credential=self.ring.credential(subscription, record.id.node, record.id.protocol),
            rotation=subscription.rotation,
            outline_password=self._outline_password(subscription, record.id),
        )

    def _outline_password(self, subscription: Subscription, id: AccessId) -> str | None:
        """It hangs on the access through VLESS, which is the same user of the panel: what befalls that befalls it."""
        has_outline = any(node.code == id.node and node.outline is not None for node in self.nodes)
        if id.protocol is not Protocol.VLESS or not has_outline:
            return None
        return self.ring.outline_password(subscription, id.node)
