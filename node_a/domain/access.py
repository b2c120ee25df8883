"""An access: one subscription on one node through one protocol, and what the node must hold for it."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId

_OURS: Final = "q_"
_BASE32_OF_AN_ID: Final = 26


@dataclass(frozen=True, slots=True)
class AccessId:
    """Which key: the three parts together are unique."""

    subscription_id: SubscriptionId
    node: NodeCode
    protocol: Protocol

    @property
    def keeper(self) -> Keeper:
        return Keeper(self.node, self.protocol)


@dataclass(frozen=True, slots=True)
class WantedAccess:
    """The absolute facts for a node; applying them twice changes nothing. `present` false: nothing of it may
    be left. `credential`: the VLESS UUID or the Shadowsocks user key, made for `rotation`; `traffic_limit`: bytes, None
    for unlimited; `outline_password`: the same user's for Outline's client, None where a node has no inbound for it."""

    id: AccessId
    revision: int
    present: bool
    ends_at: datetime
    traffic_limit: int | None
    credential: str = field(repr=False)
    rotation: int = 0
    outline_password: str | None = field(default=None, repr=False)

    @property
    def user_name(self) -> str:
        return user_name(self.id.subscription_id)


@dataclass(frozen=True, slots=True)
class HeldAccess:
    """One user as a node holds it. `ends_at` and `traffic_limit` (bytes): None for without end and unlimited; `used`:
    bytes since the node made it; `revision`: None where the keeper knows none; `fits`: that all else is as a key needs
    it (flow, inbounds, not switched off by hand); `outline_password`: None for no classic Shadowsocks at all."""

    user_name: str
    credential: str = field(repr=False)
    ends_at: datetime | None
    traffic_limit: int | None
    used: int
    fits: bool = True
    revision: int | None = None
    outline_password: str | None = field(default=None, repr=False)

    def differences(self, wanted: WantedAccess) -> Sequence[str]:
        """What must be put right; empty if nothing."""
        pairs = (
            ("key", self.credential == wanted.credential),
            # Nodes count whole seconds, rounded up.
            ("end", self.ends_at is not None and self.ends_at.timestamp() == math.ceil(wanted.ends_at.timestamp())),
            ("limit", self.traffic_limit == wanted.traffic_limit),
            ("outline", self.outline_password == wanted.outline_password),
            ("state", self.fits),
            ("revision", self.revision is None or self.revision >= wanted.revision),
        )
        return [word for word, same in pairs if not same]


@dataclass(frozen=True, slots=True)
class HeldPage:
    """Some of what a keeper holds. `next`: where the following page begins, None on the last one."""

    held: Sequence[HeldAccess]
    next: str | None


def user_name(subscription_id: SubscriptionId) -> str:
    """The subscription's name on every node: lower case, digits and underscore, 28 characters."""
    return _OURS + base64.b32encode(subscription_id.bytes).decode().rstrip("=").lower()


def subscription_of_user(name: str) -> SubscriptionId | None:
    """Whose user it is, by its name; None for one that we did not make."""
    coded = name.removeprefix(_OURS)
    if coded == name or len(coded) != _BASE32_OF_AN_ID:
        return None
    try:
        id = SubscriptionId(UUID(bytes=base64.b32decode(coded.upper() + "======")))
    except ValueError:
        return None
    return id if user_name(id) == name else None
