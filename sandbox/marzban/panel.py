"""The panel's users and what happens to them, with the original's habits good and bad."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sandbox.marzban.cores import Core, CoreUser, PretendedCore
from sandbox.marzban.inbounds import VLESS, Inbound, Tags, tags_of
from sandbox.marzban.payloads import PROTOCOLS, SETTINGS, UserCreate, UserFields, UserModify, parsed
from sandbox.node_control import Clock
from sandbox.store import Document, Store, Table

# From here on the original cannot make a date of it; it finds out after the row is stored.
FIRST_UNREADABLE_SECOND: Final = 253_402_300_799
_FIRST_UNSTORABLE: Final = 2**63


class Broken(Exception):
    """The original answers 500."""


class Conflict(Exception):
    """409: the name is taken."""


class ProtocolOff(Exception):
    """400: no inbound for this protocol."""


@dataclass(slots=True)
class Panel:
    """State is durable in the store; only what a start forgets lives in memory. `core`: told of every change."""

    store: Store
    clock: Clock
    core: Core = field(default_factory=PretendedCore)
    inbounds: Sequence[Inbound] = (VLESS,)
    sid_known: bool = False
    users: Table = field(init=False)
    settings: Table = field(init=False)

    def __post_init__(self) -> None:
        self.users = self.store.table("marzban_users")
        self.settings = self.store.table("marzban_settings")

    # Reading

    def get(self, username: str) -> Document:
        """The row, after expiry and limits have acted on it. Raises KeyError."""
        row = self.users[username]
        if row["status"] == "active":
            if row["data_limit"] and row["used_traffic"] >= row["data_limit"]:
                row["status"] = "limited"
            elif row["expire"] and row["expire"] <= self.clock():
                row["status"] = "expired"
            if row["status"] != "active":
                self._keep(row)
        return row

    def all(self) -> list[Document]:
        return [self.get(username) for username in self.users]

    def core_users(self) -> Sequence[CoreUser]:
        """After expiry and limits have acted on them."""
        return [self._core_user(row) for row in self.all()]

    @property
    def tags(self) -> Tags:
        return tags_of(self.inbounds)

    @property
    def users_usage(self) -> int:
        return int(self.settings.get("usage", {"bytes": 0})["bytes"])

    # Changing

    def create(self, body: Any) -> Document:
        """Raises Refused, ProtocolOff, Conflict, and Broken before or *after* the row is stored."""
        if isinstance(body, dict) and any(body.get(name, {}) is None for name in ("proxies", "inbounds")):
            raise Broken
        wanted = parsed(UserCreate, body, self.tags)
        proxies = self._proxies(wanted)
        if wanted.username in self.users:
            raise Conflict
        if wanted.expire is not None and wanted.expire >= _FIRST_UNSTORABLE:
            raise Broken
        row: Document = {
            "username": wanted.username,
            "proxies": proxies,
            "inbounds": {protocol: _created_tags(wanted, protocol, self.tags) for protocol in proxies},
            "status": wanted.status,
            "expire": wanted.expire or None,
            "data_limit": wanted.data_limit or None,
            "data_limit_reset_strategy": wanted.data_limit_reset_strategy,
            "note": wanted.note or None,
            "on_hold_expire_duration": wanted.on_hold_expire_duration,
            "on_hold_timeout": wanted.on_hold_timeout,
            "auto_delete_in_days": wanted.auto_delete_in_days,
            "next_plan": wanted.next_plan,
            "used_traffic": 0,
            "lifetime_used_traffic": 0,
            "created_at": self._now_text(),
            "revoked_at": None,
            "online_at": None,
        }
        return self._keep(row)

    def modify(self, username: str, body: Any) -> Document:
        """Raises KeyError, Refused, ProtocolOff, Broken."""
        row = self.get(username)
        if isinstance(body, dict) and body.get("proxies", {}) is None:
            raise Broken
        wanted = parsed(UserModify, body, self.tags)
        sent = wanted.model_fields_set
        if wanted.proxies:
            row["proxies"] = self._proxies(wanted)
        if wanted.inbounds:
            row["inbounds"] |= wanted.inbounds
        row["inbounds"] = {
            protocol: row["inbounds"].get(protocol, self.tags.get(protocol, [])) for protocol in row["proxies"]
        }
        if "status" in sent:
            row["status"] = wanted.status
        self._set_expire(row, wanted.expire)
        self._set_data_limit(row, wanted.data_limit)
        if wanted.note is not None:
            row["note"] = wanted.note or None
        for name in ("data_limit_reset_strategy", "on_hold_timeout", "on_hold_expire_duration"):
            if name in sent:
                row[name] = getattr(wanted, name)
        row["next_plan"] = wanted.next_plan
        return self._keep(row)

    def delete(self, username: str) -> None:
        """Raises KeyError. Works on rows that cannot be read."""
        self.core.hold(self._core_user(self.users[username] | {"status": "deleted"}))
        del self.users[username]

    def reset(self, username: str) -> Document:
        """Raises KeyError. Makes a disabled user active, like the original."""
        row = self.get(username)
        row["used_traffic"] = 0
        if row["status"] != "expired":
            row["status"] = "active"
        return self._keep(row)

    def revoke(self, username: str) -> Document:
        """New random ids and a new subscription link. Raises KeyError."""
        row = self.get(username)
        for protocol, settings in row["proxies"].items():
            new = {"id": str(uuid.uuid4())} if protocol == "vless" else {"password": secrets.token_urlsafe(16)}
            settings.update(new)
        row["revoked_at"] = self._now_text()
        return self._keep(row)

    def add_traffic(self, username: str, amount: int) -> bool:
        """`amount`: bytes, as if the user had just been online. Answers whether there is such a user."""
        if username not in self.users:
            return False
        row = self.users[username]
        if row["status"] == "on_hold":
            row |= {"status": "active", "expire": int(self.clock()) + row["on_hold_expire_duration"]}
        row["used_traffic"] += amount
        row["lifetime_used_traffic"] += amount
        row["online_at"] = self._now_text()
        self.users[username] = row
        self.settings["usage"] = {"bytes": self.users_usage + amount}
        return True

    def wipe(self) -> None:
        for username in self.users:
            self.delete(username)
        self.settings["usage"] = {"bytes": 0}

    def _keep(self, row: Document) -> Document:
        self.users[row["username"]] = row
        self.core.hold(self._core_user(row))
        return row

    def _core_user(self, row: Document) -> CoreUser:
        return CoreUser.of(self.users.number(row["username"]), row)

    def _set_expire(self, row: Document, expire: int | None) -> None:
        if expire is None:
            return
        if expire >= _FIRST_UNSTORABLE:
            raise Broken
        row["expire"] = expire or None
        if row["status"] in {"active", "expired"}:
            row["status"] = "active" if not expire or expire > self.clock() else "expired"

    def _set_data_limit(self, row: Document, limit: int | None) -> None:
        if limit is None:
            return
        row["data_limit"] = limit or None
        if row["status"] in {"active", "limited"}:
            row["status"] = "active" if not limit or row["used_traffic"] < limit else "limited"

    def _proxies(self, wanted: UserFields) -> dict[str, Any]:
        for protocol in wanted.proxies:
            if protocol not in self.tags:
                raise ProtocolOff(f"Protocol ProxyTypes.{PROTOCOLS[protocol]} is disabled on your server")
        return {
            protocol: parsed(SETTINGS[protocol], settings).model_dump(mode="json")
            for protocol, settings in wanted.proxies.items()
        }

    def _now_text(self) -> str:
        return datetime.fromtimestamp(self.clock(), UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def is_unreadable(row: Document) -> bool:
    """Rows that the original stored and then cannot show: no proxies, or an end that is no date."""
    return not row["proxies"] or (row["expire"] or 0) >= FIRST_UNREADABLE_SECOND


def _created_tags(wanted: UserCreate, protocol: str, tags: Tags) -> list[str]:
    # Left out: none at all. Sent, but without tags for this protocol: all of them.
    if "inbounds" not in wanted.model_fields_set:
        return []
    return wanted.inbounds.get(protocol) or list(tags[protocol])
