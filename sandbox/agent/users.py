"""The users that the agent holds, and the revisions of those it was told to forget."""

from dataclasses import dataclass, field
from typing import Final

from sandbox.node_control import Clock
from sandbox.store import Document, Store, Table
from shared.agent_contract import UserPage, UserReport, UserState

# Whoever had traffic in the last seconds counts as connected: there is no Xray to ask.
_CONNECTED_SECONDS: Final = 30


class Overtaken(Exception):
    """409: a newer revision was here before."""

    def __init__(self, held: int) -> None:
        super().__init__(held)
        self.held = held


@dataclass(slots=True)
class Users:
    """Durable in the store; what `set_xray` is told is not."""

    store: Store
    clock: Clock
    xray_running: bool = True
    xray_problem: str | None = None
    held: Table = field(init=False)
    tombstones: Table = field(init=False)

    def __post_init__(self) -> None:
        self.held = self.store.table("agent_users")
        self.tombstones = self.store.table("agent_tombstones")

    def set_xray(self, running: bool, problem: str | None) -> None:
        self.xray_running, self.xray_problem = running, problem

    def put(self, name: str, state: UserState) -> UserReport:
        """Raises Overtaken."""
        self._check_revision(name, state.revision)
        before = self.held.get(name, {"used_traffic": 0, "active_at": 0})
        self.held[name] = before | state.model_dump()
        self.tombstones.pop(name, None)
        return self.report(name)

    def delete(self, name: str, revision: int) -> None:
        """Raises Overtaken; an absent user is no error."""
        self._check_revision(name, revision)
        self.held.pop(name, None)
        self.tombstones[name] = {"revision": revision}

    def report(self, name: str) -> UserReport:
        row = self.held[name]
        limit, used = row["traffic_limit"], row["used_traffic"]
        enabled = row["expires_at"] > self.clock() and (limit == 0 or used < limit)
        shown: Document = {field: row[field] for field in UserReport.model_fields if field in row}
        return UserReport(name=name, enabled=enabled, **shown)

    def page(self, after: str, limit: int) -> UserPage:
        names = sorted(name for name in self.held if name > after)
        shown = names[:limit]
        more = shown[-1] if len(names) > limit else None
        return UserPage(users=tuple(self.report(name) for name in shown), next_after=more)

    def connected(self) -> int:
        since = self.clock() - _CONNECTED_SECONDS
        return sum(1 for row in self.held.values() if row["active_at"] > since) if self.xray_running else 0

    def add_traffic(self, name: str, amount: int) -> bool:
        """`amount`: bytes. Answers whether there is such a user."""
        if name not in self.held:
            return False
        row = self.held[name]
        row["used_traffic"] += amount
        row["active_at"] = self.clock()
        self.held[name] = row
        return True

    def wipe(self) -> None:
        self.held.clear()
        self.tombstones.clear()

    def _check_revision(self, name: str, revision: int) -> None:
        remembered = self.held.get(name) or self.tombstones.get(name) or {"revision": 0}
        if revision < remembered["revision"]:
            raise Overtaken(int(remembered["revision"]))
