"""One node behind one port: the panel for VLESS, the agent for Shadowsocks, both at the same address."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Final, Self, TypeVar

from node_a.adapters.node_b.agent import Agent
from node_a.adapters.node_b.connection import PATIENCE, bounded, open_client
from node_a.adapters.node_b.marzban import Marzban
from node_a.adapters.node_b.payloads import SystemState
from node_a.application.ports import Clock
from node_a.domain.access import HeldAccess, HeldPage, WantedAccess
from node_a.domain.errors import NodeRefused, NodeUnavailable
from node_a.domain.node import NodeObservation, Protocol
from shared.agent_contract import AgentStatus

T = TypeVar("T")

# The panel says that its core runs for 0.2 s after a bad start (FACTS: Marzban, Calls).
_SECOND_LOOK_AFTER: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAccount:
    """Where a node is and how we show who we are. `url`: what stands before `/api` and `/agent`; `certificate`: the
    node's own, PEM; None only for http on loopback."""

    url: str
    certificate: str | None
    panel_username: str
    panel_password: str = field(repr=False)
    agent_token: str = field(repr=False)


class NodeB:
    """A NodeGateway. One object for each node, used on one event loop, closed at the end.

    Raises ValueError for an address that must not be used. `second_look_after` and `patience`, the longest that
    `apply` and `observe` take: seconds.
    """

    def __init__(
        self,
        account: NodeAccount,
        *,
        clock: Clock,
        second_look_after: float = _SECOND_LOOK_AFTER,
        patience: float = PATIENCE,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._second_look_after = second_look_after
        self._client = open_client(account.url, account.certificate)
        self._agent = Agent(self._client, account.agent_token)
        self._panel = Marzban(
            self._client,
            username=account.panel_username,
            password=account.panel_password,
            clock=clock,
            patience=patience,
        )
        self._core_was_started = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def apply(self, wanted: WantedAccess) -> None:
        """Make the node hold exactly this; safe to repeat. Raises NodeUnavailable, NodeRefused and NodeIsAhead."""
        match wanted.id.protocol:
            case Protocol.VLESS:
                async with bounded("panel", self._patience):
                    await self._panel.apply(wanted)
            case Protocol.SHADOWSOCKS:
                async with bounded("agent", self._patience):
                    await self._agent.apply(wanted)

    async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
        """What the node holds of one protocol, a hundred at a time. Raises NodeUnavailable."""
        match protocol:
            case Protocol.VLESS:
                async with bounded("panel", self._patience):
                    return await self._panel.held(after)
            case Protocol.SHADOWSOCKS:
                async with bounded("agent", self._patience):
                    return await self._agent.held(after)

    async def remove_user(self, protocol: Protocol, held: HeldAccess) -> None:
        """Remove a user of ours that no subscription has. Raises NodeUnavailable and NodeRefused."""
        match protocol:
            case Protocol.VLESS:
                async with bounded("panel", self._patience):
                    await self._panel.remove_user(held.user_name)
            case Protocol.SHADOWSOCKS:
                async with bounded("agent", self._patience):
                    await self._agent.remove_user(held.user_name, held.revision or 1)

    async def observe(self) -> NodeObservation:
        """How both parts are now; what could not be had is None, and `problem` says why. Never raises for a dead node.

        `connected_users` counts a customer who uses both protocols twice.
        """
        look = _Look(self._patience)
        panel, status = await asyncio.gather(self._look_at_panel(look), look.at("agent", self._agent.status()))
        problems = look.problems
        if status is not None and not status.xray.running:
            problems.append("agent: its Xray is down")
        host = _Host.of(status, panel.system)
        return NodeObservation(
            at=self._clock(),
            vless_ready=panel.core_started,
            shadowsocks_ready=status is not None and status.xray.running,
            cpu_percent=host.cpu_percent,
            memory_used=host.memory_used,
            memory_total=host.memory_total,
            connected_users=_sum(status.connected_users if status else None, panel.online),
            users=host.users,
            problem="; ".join(problems) or None,
        )

    async def _look_at_panel(self, look: "_Look") -> "_Panel":
        started = await look.at("panel", self._core_started())
        if started is None:
            return _Panel()  # it is not asked twice for another time-out
        if not started:
            look.problems.append("panel: its Xray is down")
        return _Panel(
            core_started=started,
            system=await look.at("panel", self._panel.system()),
            online=await look.at("panel", self._panel.online_users()),
        )

    async def _core_started(self) -> bool:
        """Good news after bad (or after none) is looked at twice, because the first look may be at a dying core."""
        before, self._core_was_started = self._core_was_started, False
        started = await self._panel.core_started()
        if started and not before:
            await asyncio.sleep(self._second_look_after)
            started = await self._panel.core_started()
        self._core_was_started = started
        return started


@dataclass(frozen=True, kw_only=True, slots=True)
class _Panel:
    """What a look at the panel brought."""

    core_started: bool = False
    system: SystemState | None = None
    online: int | None = None


class _Look:
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


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, kw_only=True, slots=True)
class _Host:
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
