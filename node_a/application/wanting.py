"""Wanting: what a node must hold for an access. Providing sends it, the audit compares with it: one answer for both."""

from datetime import datetime

from node_a.application.ports import AccessRecord
from node_a.domain.access import WantedAccess
from node_a.domain.keys import KeyRing
from node_a.domain.subscription import Subscription


def wanted_access(subscription: Subscription, record: AccessRecord, ring: KeyRing, now: datetime) -> WantedAccess:
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
        credential=ring.credential(subscription, record.id.node, record.id.protocol),
        rotation=subscription.rotation,
    )
