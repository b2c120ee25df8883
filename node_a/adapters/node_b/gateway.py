"""One node behind one port: the panel for VLESS, the agent for Shadowsocks, both at the same address."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from node_a.adapters.node_b.agent import Agent
from node_a.adapters.node_b.clocks import NodeClock
from node_a.adapters.node_b.connection import PATIENCE, bounded, open_client
from node_a.adapters.node_b.marzban import Marzban
from node_a.adapters.node_b.reach import PublicAddress, shadowsocks_answers, vless_answers
from node_a.adapters.node_b.sight import HostSight, Look, PanelSight, added
from node_a.application.ports import Clock
from node_a.domain.access import HeldAccess, HeldPage, WantedAccess, subscription_of_user
from node_a.domain.errors import NodeRefused, NodeUnavailable
from node_a.domain.node import NodeObservation, Protocol
from shared.agent_contract import XrayStatus

# The panel says that its core runs for 0.2 s after a bad start (FACTS: Marzban, Calls).
_SECOND_LOOK_AFTER: Final = 1.0
_PART: Final = {Protocol.VLESS: "panel", Protocol.SHADOWSOCKS: "agent"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAccount:
    """Where a node is and how we show who we are. `url`: what stands before `/api` and `/agent`; `certificate`: the
    node's own, PEM; None only for http on loopback; `public`: where customers reach it, None if that shall not be
    tried."""

    url: str
    certificate: str | None
    panel_username: str
    panel_password: str = field(repr=False)
    agent_token: str = field(repr=False)
    public: PublicAddress | None = None


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
        self._public = account.public
        self._client = open_client(account.url, account.certificate)
        self._node_clock = NodeClock(clock)
        self._node_clock.listen_to(self._client)
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
        keeper = self._panel if wanted.id.protocol is Protocol.VLESS else self._agent
        async with bounded(_PART[wanted.id.protocol], self._patience):
            await keeper.apply(wanted)

    async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
        """What the node holds of one protocol, a hundred at a time. Raises NodeUnavailable."""
        keeper = self._panel if protocol is Protocol.VLESS else self._agent
        async with bounded(_PART[protocol], self._patience):
            try:
                return await keeper.held(after)
            except NodeRefused as error:  # nothing of ours was asked for: whoever answers so is no keeper
                raise NodeUnavailable(str(error), answered=True) from error

    async def remove_user(self, protocol: Protocol, held: HeldAccess) -> None:
        """Remove a user of ours that no subscription has, as `held` shows it. Raises NodeUnavailable, NodeRefused and,
        where the keeper knows that it has been changed since, NodeIsAhead."""
        if subscription_of_user(held.user_name) is None:
            raise NodeRefused("node: only users of our making are removed")
        async with bounded(_PART[protocol], self._patience):
            if protocol is Protocol.VLESS:
                await self._panel.remove_user(held.user_name)
            else:
                await self._agent.remove_user(held.user_name, held.revision or 1)

    async def observe(self) -> NodeObservation:
        """How both parts are now; what could not be had is None, and `problem` says why. Never raises for a dead node.

        `connected_users` counts a customer who uses both protocols twice.
        """
        look = Look(self._patience)
        panel, status, (vless_reachable, shadowsocks_reachable) = await asyncio.gather(
            self._look_at_panel(look), look.at("agent", self._agent.status()), self._knock()
        )
        problems = look.problems
        if status is not None:
            problems += _xray_problems(status.xray)
        host = HostSight.of(status, panel.system)
        return NodeObservation(
            at=self._clock(),
            vless_ready=panel.core_started,
            shadowsocks_ready=status is not None and status.xray.running,
            cpu_percent=host.cpu_percent,
            memory_used=host.memory_used,
            memory_total=host.memory_total,
            connected_users=added(status.connected_users if status else None, panel.online),
            users=host.users,
            problem="; ".join(problems) or None,
            vless_reachable=vless_reachable,
            shadowsocks_reachable=shadowsocks_reachable,
            clock_off=self._node_clock.taken(),
        )

    async def _knock(self) -> tuple[bool | None, bool | None]:
        """At the customers' ports for VLESS and Shadowsocks."""
        if self._public is None:
            return None, None
        vless, shadowsocks = await asyncio.gather(vless_answers(self._public), shadowsocks_answers(self._public))
        return vless, shadowsocks

    async def _look_at_panel(self, look: Look) -> PanelSight:
        started = await look.at("panel", self._core_started())
        if started is None:
            return PanelSight()  # it is not asked twice for another time-out
        if not started:
            look.problems.append("panel: its Xray is down")
        return PanelSight(
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


def _xray_problems(xray: XrayStatus) -> list[str]:
    """The agent's: it is down, or a stranger shares its port."""
    if xray.running:
        return [f"agent: {xray.problem}"] if xray.problem else []
    return [f"agent: its Xray is down ({xray.problem})" if xray.problem else "agent: its Xray is down"]
