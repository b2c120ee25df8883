"""What Node A says to the agent on a node, and what it answers. JSON over HTTPS, `Authorization: Bearer TOKEN`.

    PUT    /v1/users/{name}               UserState → 200 UserReport   absolute facts; safe to repeat
                                          400 Problem  `bad_request`: not a UserState, or a name outside NAME_PATTERN
                                          400 Problem  `key_in_use`: another user has this key
                                          409 Problem  `overtaken`: `revision` is older than the one the agent holds
                                          413, 415 Problem  `too_large`, `not_json`
    DELETE /v1/users/{name}?revision=N    204, also for an absent user; 409 as above. The revision is remembered, so
                                          that a PUT that was overtaken cannot bring the user back
    GET    /v1/users?after=NAME&limit=N   200 UserPage, ordered by name; N from 1 to 1000 (or 400), 100 if not given
    GET    /v1/status                     200 AgentStatus
    GET    /healthz                       200 `{"status": "ok"}`, without a token; 503 Problem `xray_down` when its Xray
                                          has been down for some seconds, `hung` when the agent does nothing any more
    GET    /metrics                       200 for Prometheus
    any    401 Problem `unauthorized`: a wrong or missing token, before anything else
    any    404, 405 Problem `no_such_call`
    any    500 Problem `failed`: the agent's own fault, its log says what
    PUT, DELETE  503 Problem `not_durable`: nothing was changed, or nobody knows; the same call may succeed later

Through Node B's proxy all paths stand behind `/agent`.
"""

import base64
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.inbounds import SHADOWSOCKS_KEY_BYTES

# Xray compares names case-sensitively when it adds and not when it removes: one case only.
NAME_PATTERN: Final = r"^[a-z0-9_]{3,32}$"
# Seconds since the epoch that still fall before the year 9999.
LATEST_SECOND: Final = 253_370_764_800
# What a database's integer holds.
LARGEST: Final = 2**63 - 1


def is_shadowsocks_key(value: object) -> bool:
    """A malformed key poisons Xray's user table (FACTS: Shadowsocks-2022), so both sides refuse it."""
    try:
        raw = base64.b64decode(str(value), validate=True)
    except ValueError:  # also what is not ASCII
        return False
    return len(raw) == SHADOWSOCKS_KEY_BYTES and base64.b64encode(raw).decode() == value


def _checked_key(value: str) -> str:
    if not is_shadowsocks_key(value):
        raise ValueError(f"must be padded standard base64 of exactly {SHADOWSOCKS_KEY_BYTES} bytes")
    return value


ShadowsocksKey = Annotated[str, AfterValidator(_checked_key)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _Reply(BaseModel):
    # A newer agent may say more than an older Node A knows.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class UserState(_Request):
    """What the agent must hold for one user. `expires_at`: seconds since the epoch; `traffic_limit`: bytes,
    0 = unlimited; `revision`: that of the subscription, never falling."""

    key: ShadowsocksKey
    expires_at: int = Field(gt=0, lt=LATEST_SECOND)
    traffic_limit: int = Field(ge=0, le=LARGEST)
    revision: int = Field(ge=1, le=LARGEST)


class UserReport(_Reply):
    """One user as the agent has stored it. `used_traffic`: bytes, up and down together, since the user was put for the
    first time, or again after it was removed; the last second or two are not in it, nor what cannot be stored.
    `enabled` is false after its end or at its limit, by these figures: the running Xray may have shut it out before."""

    name: str
    key: ShadowsocksKey
    expires_at: int
    traffic_limit: int
    revision: int
    used_traffic: int
    enabled: bool


class UserPage(_Reply):
    """`next_after`: give it as `after` for the following page; null on the last one."""

    users: tuple[UserReport, ...]
    next_after: str | None


class XrayStatus(_Reply):
    """The agent's own Xray. `started_at`: seconds since the epoch, null while it is down; `problem`: why it is down,
    or who shares its port."""

    running: bool
    version: str
    started_at: int | None
    problem: str | None = None


class HostStatus(_Reply):
    """The machine: percent over all cores since somebody asked for it the last time (at least a second), bytes, and
    bytes since boot without loopback's."""

    cpu_percent: float
    memory_used: int
    memory_total: int
    disk_used: int
    disk_total: int
    network_received: int
    network_sent: int


class AgentStatus(_Reply):
    """`time`: the agent's clock, seconds since the epoch; `connected_users`: now, over its own Xray."""

    version: str
    time: int
    xray: XrayStatus
    host: HostStatus
    users: int
    connected_users: int


class Problem(_Reply):
    """Every 4xx, 500 and 503: a short code for programs, a sentence for people; `revision` with 409: the one held."""

    error: str
    detail: str
    revision: int | None = None
