"""A node that never finishes its answers: each wait is short, so that only an overall bound ends them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import Protocol
from sandbox.serving import served
from tests.node_a.adapters.node_b.conftest import START, wanted_access

PATIENCE = 0.3
# Seconds; httpx alone would wait for ever, because each byte comes in time.
LONG = 10


@dataclass
class Dripping:
    address: str
    logins: int = 0
    login_drips: bool = False


@pytest.fixture
async def dripping() -> AsyncIterator[Dripping]:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.02)

    async def log_in(request: web.Request) -> web.StreamResponse:
        seen.logins += 1
        return await drip(request) if seen.login_drips else web.json_response({"access_token": "fake"})

    app = web.Application()
    app.router.add_post("/api/admin/token", log_in)
    app.router.add_route("*", "/{rest:.*}", drip)
    async with served(app) as address:
        seen = Dripping(address)
        yield seen


@pytest.fixture
async def node(dripping: Dripping) -> AsyncIterator[NodeB]:
    account = NodeAccount(
        url=dripping.address, certificate=None, panel_username="", panel_password="", agent_token="fake"
    )
    async with NodeB(account, clock=lambda: START, patience=PATIENCE) as node:
        yield node


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("present", [True, False])
async def test_an_attempt_ends(node: NodeB, protocol: Protocol, present: bool) -> None:
    async with asyncio.timeout(LONG):
        with pytest.raises(NodeUnavailable, match="no complete answer") as raised:
            await node.apply(wanted_access(protocol, present=present))

    assert not raised.value.answered


async def test_an_observation_ends_and_says_why_it_saw_nothing(node: NodeB) -> None:
    async with asyncio.timeout(LONG):
        seen = await node.observe()

    assert (seen.vless_ready, seen.shadowsocks_ready) == (False, False)
    assert seen.problem is not None
    assert "panel: no complete answer" in seen.problem
    assert "agent: no complete answer" in seen.problem


async def test_a_login_that_never_ends_is_not_waited_for_again(node: NodeB, dripping: Dripping) -> None:
    """The login is shared and outlives the caller that began it."""
    dripping.login_drips = True
    async with asyncio.timeout(LONG):
        while dripping.logins < 2:
            with pytest.raises(NodeUnavailable):
                await node.apply(wanted_access())
