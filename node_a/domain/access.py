"""An access: one subscription on one node through one protocol, and what the node must hold for it."""

import base64
from dataclasses import dataclass, field
from datetime import datetime

from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId


@dataclass(frozen=True, slots=True)
class AccessId:
    """Which key: the three parts together are unique."""

    subscription_id: SubscriptionId
    node: NodeCode
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class WantedAccess:
    """The absolute facts for a node; applying them twice changes nothing. `present` false: nothing of it may
    be left. `credential`: the VLESS UUID or the Shadowsocks user key, made for `rotation`; `traffic_limit`: bytes, None
    for unlimited."""

    id: AccessId
    revision: int
    present: bool
    ends_at: datetime
    traffic_limit: int | None
    credential: str = field(repr=False)
    rotation: int = 0

    @property
    def user_name(self) -> str:
        return user_name(self.id.subscription_id)


def user_name(subscription_id: SubscriptionId) -> str:
    """The subscription's name on every node: lower case, digits and underscore, 28 characters."""
    return "q_" + base64.b32encode(subscription_id.bytes).decode().rstrip("=").lower()
