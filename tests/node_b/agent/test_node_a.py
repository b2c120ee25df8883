"""Node A's own client, and the real agent."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from node_a.adapters.node_b.agent import Agent as Client
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId
from shared.inbounds import AGENT_PREFIX
from tests.node_b.agent.agents import TOKEN, Agent, a_key, a_running_agent


class _AsTheProxyDoes(httpx.AsyncHTTPTransport):
    """Passes the agent's calls on, without the prefix."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith(f"{AGENT_PREFIX}/")
        request.url = request.url.copy_with(path=request.url.path.removeprefix(AGENT_PREFIX))
        return await super().handle_async_request(request)


@pytest.fixture
def node(tmp_path: Path):  # type: ignore[no-untyped-def]
    with a_running_agent(tmp_path) as agent:
        yield agent


@pytest.fixture
async def http(node: Agent) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.calls.base_url, transport=_AsTheProxyDoes()) as client:
        yield client


@pytest.fixture
def client(http: httpx.AsyncClient) -> Client:
    return Client(http, TOKEN)


def _wanted(number: int = 1, revision: int = 1, *, present: bool = True, of: object = None) -> WantedAccess:
    subscription = SubscriptionId(UUID(int=number, version=4))
    return WantedAccess(
        id=AccessId(subscription, NodeCode("de1"), Protocol.SHADOWSOCKS),
        revision=revision,
        present=present,
        ends_at=datetime.now(UTC) + timedelta(days=30),
        traffic_limit=1_000_000,
        credential=a_key(of or number),
    )


async def test_an_access_is_applied_rotated_and_removed(node: Agent, client: Client) -> None:
    wanted = _wanted()
    await client.apply(wanted)
    assert node.in_xray() == {wanted.user_name: a_key(1)}

    await client.apply(_wanted(revision=2, of="rotated"))
    assert node.in_xray() == {wanted.user_name: a_key("rotated")}

    await client.apply(_wanted(revision=3, present=False))
    assert node.in_xray() == {}
    with pytest.raises(NodeIsAhead):
        await client.apply(_wanted(revision=2))


async def test_all_pages_are_read(client: Client) -> None:
    names = set()
    for number in range(1, 121):
        wanted = _wanted(number)
        await client.apply(wanted)
        names.add(wanted.user_name)

    first = await client.held(None)
    second = await client.held(first.next)

    assert (len(first.held), len(second.held), second.next) == (100, 20, None)
    assert {each.user_name for page in (first, second) for each in page.held} == names


async def test_a_key_that_is_taken_and_a_wrong_token_are_told_apart(client: Client, http: httpx.AsyncClient) -> None:
    await client.apply(_wanted(1))
    with pytest.raises(NodeRefused):
        await client.apply(_wanted(2, of=1))
    with pytest.raises(NodeUnavailable):
        await Client(http, "wrong").apply(_wanted(1))


async def test_what_is_not_durable_is_tried_again_later(node: Agent, client: Client) -> None:
    (node.settings.state / "new-xray.json").mkdir()
    with pytest.raises(NodeUnavailable):
        await client.apply(_wanted())


async def test_the_status_is_understood(client: Client) -> None:
    status = await client.status()
    assert status.xray.running
    assert status.xray.version[0].isdigit()
