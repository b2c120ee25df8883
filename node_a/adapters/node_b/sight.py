"""What one look at a node brings, and what it does not."""

from collections.abc import Awaitable
from dataclasses import dataclass
from time import monotonic
from typing import Self, TypeVar

from node_a.adapters.node_b.connection import bounded
from node_a.adapters.node_b.payloads import SystemState
from node_a.domain.errors import NodeRefused, NodeUnavailable
from shared.agent_contract import AgentStatus

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelSight:
    """What a look at the panel brought."""

    core_started: bool = False
    system: SystemState | None = None
    online: int | None = None


class Look:
    """One observation: all of its calls together take `patience` seconds, and `problems` says what they did not
    bring."""

    def __init__(self, patience: float) -> None:
        self.problems: list[str] = []
        self._patience = patience
        self._began = monotonic()

    async def at(self, part: str, call: Awaitable[T]) -> T | None:
        try:
            async with bounded(part, self._patience, since=self._began):
                return await call
        except (NodeUnavailable, NodeRefused) as error:
            self.problems.append(str(error))
            return None


def added(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, kw_only=True, slots=True)
class HostSight:
    """The same machine as seen by the agent or, without it, by the panel."""

    cpu_percent: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    users: int | None = None

    @classmethod
    def of(cls, status: AgentStatus | None, system: SystemState | None) -> Self:
        # A subscription is a user in both parts.
        users = max(status.users if status else 0, system.total_user if system else 0)
        if status is not None:
            host = status.host
            return cls(
                cpu_percent=host.cpu_percent,
                memory_used=host.memory_used,
                memory_total=host.memory_total,
                users=users,
            )
        if system is not None:
            return cls(
                cpu_percent=system.cpu_usage,
                memory_used=system.mem_used,
                memory_total=system.mem_total,
                users=users,
            )
        return cls()
