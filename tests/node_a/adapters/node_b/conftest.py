"""A node made of the stand-ins on a loopback port, its time, and the client under test."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId
from sandbox.agent import create_app as create_agent
from sandbox.marzban import create_app as create_marzban
from sandbox.marzban.inbounds import with_outline
from sandbox.node import create_app as create_node
from sandbox.serving import served
from sandbox.store import Store
from sandbox.troubles import NodeTroubles

START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
ENDS_AT = START + timedelta(days=30)
GIGABYTE = 1 << 30
SUBSCRIPTION = SubscriptionId(UUID("0b9f3c1e-0000-4000-8000-000000000001"))
VLESS_ID = "3f2b8a10-0000-4000-8000-000000000001"
SHADOWSOCKS_KEY = base64.b64encode(b"fake-user-key-16").decode()


def wanted_access(protocol: Protocol = Protocol.VLESS, **changes: Any) -> WantedAccess:
    wanted = WantedAccess(
        id=AccessId(SUBSCRIPTION, NodeCode("de1"), protocol),
        revision=3,
        present=True,
        ends_at=ENDS_AT,
        traffic_limit=100 * GIGABYTE,
        credential=VLESS_ID if protocol is Protocol.VLESS else SHADOWSOCKS_KEY,
    )
    return replace(wanted, **changes)


NAME = wanted_access().user_name


@dataclass
class Site:
    """The node as the test sees and troubles it."""

    address: str
    time: "Time"
    troubles: NodeTroubles
    http: httpx.AsyncClient = field(repr=False)

    def account(self, **changes: Any) -> NodeAccount:
        right = NodeAccount(
            url=self.address,
            certificate=None,
            panel_username="admin",
            panel_password="fake-panel-password",
            agent_token="fake-agent-token",
        )
        return replace(right, **changes)

    async def users(self, part: str = "marzban") -> dict[str, Any]:
        return dict((await self.http.get(f"/sandbox/{part}/users")).json())

    async def calls(self, part: str = "marzban") -> list[str]:
        """What has arrived: method, path, status."""
        exchanges = (await self.http.get(f"/sandbox/{part}/requests")).json()
        return [f"{each['method']} {each['path']} {each['status']}" for each in exchanges]

    async def journal(self, part: str = "marzban") -> list[dict[str, Any]]:
        return list((await self.http.get(f"/sandbox/{part}/requests")).json())

    async def control(self, what: str, part: str = "marzban", **body: Any) -> None:
        answer = await self.http.post(f"/sandbox/{part}/{what}", json=body)
        assert answer.status_code == 200, answer.text

    async def panel(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call beside the client's: another admin at the panel."""
        login = await self.http.post("/api/admin/token", data={"username": "admin", "password": "fake-panel-password"})
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
        return await self.http.request(method, path, json=body, headers=headers)


@dataclass
class Time:
    """Ours, and how far the node's clock is ahead of it."""

    now: datetime = START
    node_ahead: timedelta = timedelta(0)


@pytest.fixture
def outline_port() -> int | None:
    """Of the panel's inbound for Outline's client; for the tests about it to change."""
    return None


@pytest.fixture
async def site(outline_port: int | None) -> AsyncIterator[Site]:
    time, troubles, store = Time(), NodeTroubles(), Store(None)

    def clock() -> float:
        return (time.now + time.node_ahead).timestamp()

    marzban = create_marzban(
        username="admin",
        password="fake-panel-password",
        store=store,
        troubles=troubles,
        clock=clock,
        inbounds=with_outline(outline_port),
    )
    agent = create_agent(token="fake-agent-token", store=store, troubles=troubles, clock=clock)
    async with (
        served(create_node(marzban=marzban, agent=agent)) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as http,
    ):
        yield Site(address, time, troubles, http)
    store.close()


@pytest.fixture
async def node(site: Site) -> AsyncIterator[NodeB]:
    async with NodeB(site.account(), clock=lambda: site.time.now, second_look_after=0) as node:
        yield node
