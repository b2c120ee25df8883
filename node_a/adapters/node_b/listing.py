"""What both keepers list, in our words. Whatever somebody else made there must not hide our own users."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from node_a.adapters.node_b.payloads import UserHeld
from node_a.domain.access import HeldAccess
from shared.agent_contract import UserReport
from shared.inbounds import OUTLINE_METHOD, OUTLINE_TAG, VLESS_FLOW, VLESS_TAG

_CLOCKS_DIFFER_BY: Final = timedelta(minutes=1)


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class OddPanelUser(_Listed):
    """Without VLESS, or otherwise not of our making: what every user of a panel has all the same."""

    username: str
    used_traffic: int


class OddAgentUser(_Listed):
    """As a later agent may have it."""

    name: str
    used_traffic: int
    revision: int | None = None


class PanelPage(_Listed):
    users: tuple[Annotated[UserHeld | OddPanelUser, Field(union_mode="left_to_right")], ...]
    total: int


class AgentPage(_Listed):
    """As the contract's UserPage; `next_after` is null on the last one."""

    users: tuple[Annotated[UserReport | OddAgentUser, Field(union_mode="left_to_right")], ...]
    next_after: str | None


def held_by_panel(user: UserHeld | OddPanelUser, now: datetime) -> HeldAccess:
    if isinstance(user, OddPanelUser):
        return _odd(user.username, user.used_traffic)
    vless, outline = user.proxies.vless, user.proxies.shadowsocks
    as_we_make_them = (
        vless.flow == VLESS_FLOW
        and user.inbounds.vless == (VLESS_TAG,)
        and (outline is None or (outline.method == OUTLINE_METHOD and user.inbounds.shadowsocks == (OUTLINE_TAG,)))
        and user.data_limit_reset_strategy == "no_reset"
    )
    return HeldAccess(
        user_name=user.username,
        credential=str(vless.id),
        ends_at=_moment(user.expire),
        traffic_limit=user.data_limit or None,
        used=user.used_traffic,
        fits=as_we_make_them and is_fitting_status(user, now),
        outline_password=outline.password if outline else None,
    )


def held_by_agent(user: UserReport | OddAgentUser) -> HeldAccess:
    if isinstance(user, OddAgentUser):
        return _odd(user.name, user.used_traffic, user.revision)
    return HeldAccess(
        user_name=user.name,
        credential=user.key,
        ends_at=_moment(user.expires_at),
        traffic_limit=user.traffic_limit or None,
        used=user.used_traffic,
        revision=user.revision,
    )


def is_fitting_status(held: UserHeld, now: datetime) -> bool:
    """Active, unless the end or the limit that it holds has already acted; never switched off by hand."""
    if held.status == "limited":
        return held.used_traffic >= (held.data_limit or math.inf)
    if held.status == "expired":
        return (held.expire or math.inf) <= (now + _CLOCKS_DIFFER_BY).timestamp()
    return held.status == "active"


def _odd(name: str, used: int, revision: int | None = None) -> HeldAccess:
    # Its traffic counts all the same: a counter that is taken for 0 now would be counted once more later.
    return HeldAccess(name, "", None, None, used, fits=False, revision=revision)


def _moment(second: int | None) -> datetime | None:
    """None for no end, and for one that is in no calendar."""
    try:
        return datetime.fromtimestamp(second, UTC) if second else None
    except (ValueError, OverflowError, OSError):
        return None
