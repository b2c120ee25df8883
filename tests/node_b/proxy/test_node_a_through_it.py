"""Node A's own client through the real proxy: with the pinned certificate it works, and with nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.domain.errors import NodeRefused, NodeUnavailable
from node_a.domain.node import Protocol
from sandbox.agent import create_app as create_agent
from sandbox.marzban import create_app as create_marzban
from sandbox.serving import served
from sandbox.store import Store
from sandbox.troubles import NodeTroubles
from tests.node_a.adapters.node_b.conftest import NAME, START, wanted_access
from tests.node_b.proxy.certificates import Certificate, a_certificate
from tests.node_b.proxy.proxies import KINDS, Proxy, a_proxy


def now() -> datetime:
    return START


@pytest.fixture(params=KINDS)
async def proxy(request: pytest.FixtureRequest, tmp_path: Path, nodes_own: Certificate) -> AsyncIterator[Proxy]:
    store, troubles = Store(None), NodeTroubles()
    marzban = create_marzban(username="admin", password="fake", store=store, troubles=troubles, clock=START.timestamp)
    agent = create_agent(token="fake", store=store, troubles=troubles, clock=START.timestamp)
    async with served(marzban) as panel_address, served(agent) as agent_address:
        with a_proxy(request.param, tmp_path, nodes_own, panel=panel_address, agent=agent_address) as running:
            yield running
    store.close()


@asynccontextmanager
async def node(proxy: Proxy, **changes: Any) -> AsyncIterator[NodeB]:
    account: dict[str, Any] = {
        "url": proxy.url,
        "certificate": proxy.certificate.pem,
        "panel_username": "admin",
        "panel_password": "fake",
        "agent_token": "fake",
    }
    async with NodeB(NodeAccount(**account | changes), clock=now, second_look_after=0) as node:
        yield node


async def test_everything_that_node_a_does_works(proxy: Proxy) -> None:
    async with node(proxy) as there:
        for protocol in Protocol:
            await there.apply(wanted_access(protocol))
            await there.apply(wanted_access(protocol, revision=4))
            page = await there.held(protocol, None)
            assert [held.user_name for held in page.held] == [NAME]
        seen = await there.observe()
        assert (seen.vless_ready, seen.shadowsocks_ready, seen.problem) == (True, True, None)
        for protocol in Protocol:
            await there.apply(wanted_access(protocol, revision=5, present=False))
            assert list((await there.held(protocol, None)).held) == []


async def test_another_certificate_of_the_same_name_is_refused(proxy: Proxy, tmp_path: Path) -> None:
    twin = a_certificate(tmp_path / "twin", "node.test")

    async with node(proxy, certificate=twin.pem) as there:
        with pytest.raises(NodeUnavailable, match=r"panel: no answer \(ConnectError\)"):
            await there.apply(wanted_access())
        with pytest.raises(NodeUnavailable, match=r"agent: no answer \(ConnectError\)"):
            await there.apply(wanted_access(Protocol.SHADOWSOCKS))
        seen = await there.observe()

    assert not seen.vless_ready
    assert not seen.shadowsocks_ready


async def test_plain_http_is_refused(proxy: Proxy) -> None:
    async with node(proxy, url=proxy.url.replace("https:", "http:"), certificate=None) as there:
        for protocol in Protocol:
            with pytest.raises((NodeUnavailable, NodeRefused)):
                await there.apply(wanted_access(protocol))


async def test_wrong_credentials_are_refused_by_panel_and_agent(proxy: Proxy) -> None:
    async with node(proxy, panel_password="wrong", agent_token="wrong") as there:
        with pytest.raises(NodeUnavailable, match=r"panel: our credentials are refused \(401\)"):
            await there.apply(wanted_access())
        with pytest.raises(NodeUnavailable, match=r"agent: our credentials are refused \(401\)"):
            await there.apply(wanted_access(Protocol.SHADOWSOCKS))
