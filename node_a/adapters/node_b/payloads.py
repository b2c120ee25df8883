"""Marzban's requests and replies as far as we use them: strict, so that a surprise is noticed at the border."""

import math
import re
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from node_a.domain.access import WantedAccess
from node_a.domain.errors import NodeRefused
from shared.agent_contract import LATEST_SECOND, NAME_PATTERN
from shared.inbounds import OUTLINE_METHOD, OUTLINE_TAG, VLESS_FLOW, VLESS_TAG

_NAME: Final = re.compile(NAME_PATTERN)


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class Vless(_Payload):
    """Always id *and* flow: what is left out of a modification is made anew or lost (FACTS: Marzban, Calls)."""

    id: UUID
    flow: str


class Shadowsocks(_Payload):
    """The classic one, for Outline's client. Always both: what is left out of a modification is made anew."""

    password: str = Field(repr=False)
    method: str


class Proxies(_Payload):
    """A modification takes away the kind that is left out."""

    vless: Vless
    shadowsocks: Shadowsocks | None = None


class Inbounds(_Payload):
    vless: tuple[str, ...]
    shadowsocks: tuple[str, ...] | None = None


class UserWanted(_Payload):
    """The whole truth about a user, for creation and modification alike: no field may be absent or null, but those of
    an inbound that the node does not have.

    `expire`: seconds since the epoch, never 0 (that is "unlimited"); `data_limit`: bytes, 0 = unlimited.
    """

    proxies: Proxies
    inbounds: Inbounds
    expire: int
    data_limit: int
    data_limit_reset_strategy: Literal["no_reset"] = "no_reset"
    # Also when the end is past: the panel then says "expired" by itself.
    status: Literal["active"] = "active"


class UserHeld(_Payload):
    """A user as the panel shows it. `expire` and `data_limit`: null is unlimited."""

    username: str
    proxies: Proxies
    inbounds: Inbounds
    expire: int | None
    data_limit: int | None
    status: Literal["active", "disabled", "limited", "expired", "on_hold"]
    used_traffic: int
    data_limit_reset_strategy: str = "no_reset"


class SeenUser(_Payload):
    """`online_at`: UTC without saying so."""

    online_at: datetime | None


class SeenUsers(_Payload):
    users: tuple[SeenUser, ...]
    total: int


class Token(_Payload):
    access_token: str


class CoreState(_Payload):
    started: bool


class SystemState(_Payload):
    """`cpu_usage`: percent; memory in bytes."""

    version: str
    mem_total: int
    mem_used: int
    cpu_usage: float
    total_user: int


def as_json(wanted: UserWanted) -> dict[str, Any]:
    """Without its nulls: an inbound that a node does not have is never spoken of."""
    return wanted.model_dump(mode="json", exclude_none=True)


def user_wanted(wanted: WantedAccess) -> UserWanted:
    """Checked before anything is sent: the panel stores an impossible end and then cannot list anybody (FACTS).

    Raises NodeRefused.
    """
    try:
        id = UUID(wanted.credential)
    except ValueError:
        raise NodeRefused("panel: the credential is no UUID") from None
    password = wanted.outline_password
    has_outline = password is not None
    return UserWanted(
        proxies=Proxies(
            vless=Vless(id=id, flow=VLESS_FLOW),
            shadowsocks=None if password is None else Shadowsocks(password=password, method=OUTLINE_METHOD),
        ),
        inbounds=Inbounds(vless=(VLESS_TAG,), shadowsocks=(OUTLINE_TAG,) if has_outline else None),
        expire=end_in_seconds(wanted),
        data_limit=limit_in_bytes(wanted),
    )


def checked_name(wanted: WantedAccess) -> str:
    """The name under which both parts of a node know the user. Raises NodeRefused."""
    if not _NAME.fullmatch(wanted.user_name):
        raise NodeRefused("node: the user's name is not one that both parts take")
    return wanted.user_name


def end_in_seconds(wanted: WantedAccess) -> int:
    """Whole seconds since the epoch, rounded up: nobody loses a part of one. Raises NodeRefused."""
    seconds = math.ceil(wanted.ends_at.timestamp())
    if wanted.ends_at.tzinfo is None or not 0 < seconds < LATEST_SECOND:
        raise NodeRefused("node: the end is no possible point in time")
    return seconds


def limit_in_bytes(wanted: WantedAccess) -> int:
    """0 only for unlimited. Raises NodeRefused for a limit that would be read as unlimited."""
    if wanted.traffic_limit is None:
        return 0
    if wanted.traffic_limit <= 0:
        raise NodeRefused("node: a traffic limit must be positive; only an unlimited plan sends 0")
    return wanted.traffic_limit
