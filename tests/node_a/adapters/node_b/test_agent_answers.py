"""Answers that the agent's stand-in never gives: each becomes the right one of our errors."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import respx

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
from node_a.domain.node import Protocol
from tests.node_a.adapters.node_b.conftest import ENDS_AT, GIGABYTE, NAME, SHADOWSOCKS_KEY, START, wanted_access

URL = "http://127.0.0.1:9"
WANTED = wanted_access(Protocol.SHADOWSOCKS, revision=3)
HELD: dict[str, Any] = {
    "name": NAME,
    "key": SHADOWSOCKS_KEY,
    "expires_at": int(ENDS_AT.timestamp()),
    "traffic_limit": 100 * GIGABYTE,
    "revision": 3,
    "used_traffic": 0,
    "enabled": True,
}


@pytest.fixture
def user() -> Iterator[respx.Route]:
    with respx.mock(base_url=URL) as router:
        yield router.put(f"/agent/v1/users/{NAME}")


@pytest.fixture
async def node(user: respx.Route) -> AsyncIterator[NodeB]:
    account = NodeAccount(url=URL, certificate=None, panel_username="", panel_password="", agent_token="fake-token")
    async with NodeB(account, clock=lambda: START) as node:
        yield node


@pytest.mark.parametrize(
    ("answer", "answered"),
    [
        (httpx.Response(200, json=HELD | {"name": "q_other"}), True),
        (httpx.Response(200, json=HELD | {"revision": 2}), True),
        (httpx.Response(200, json=[]), True),
        (httpx.Response(200, text="<html>"), True),
        (httpx.Response(500), True),
        (httpx.Response(401), False),
        (httpx.Response(403), False),
        (httpx.Response(404), False),
        (httpx.Response(502), False),
        (httpx.Response(503), False),
        (httpx.Response(504), False),
    ],
)
async def test_only_an_agent_that_nobody_reaches_holds_back_everybody(
    node: NodeB, user: respx.Route, answer: httpx.Response, answered: bool
) -> None:
    user.mock(return_value=answer)

    with pytest.raises(NodeUnavailable) as raised:
        await node.apply(WANTED)

    assert raised.value.answered is answered
    assert SHADOWSOCKS_KEY not in f"{raised.value} {raised.value.__cause__}"


PROBLEM: dict[str, Any] = {"error": "overtaken", "detail": "a newer revision is held"}


async def test_a_newer_revision_is_named(node: NodeB, user: respx.Route) -> None:
    user.respond(409, json=PROBLEM | {"revision": 17})

    with pytest.raises(NodeIsAhead) as raised:
        await node.apply(WANTED)

    assert raised.value.revision == 17


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(409, json=PROBLEM),
        httpx.Response(409, json=PROBLEM | {"revision": None}),
        httpx.Response(409, json=PROBLEM | {"revision": "17"}),
        httpx.Response(409, json=PROBLEM | {"revision": 17.0}),
        httpx.Response(409, json=PROBLEM | {"revision": True}),
        httpx.Response(409, json={"revision": 17}),
        httpx.Response(409, text="<html>"),
        httpx.Response(409, json=PROBLEM | {"revision": 3}),  # not newer at all
        httpx.Response(409, json=PROBLEM | {"revision": 2**31}),  # our database could not hold it
    ],
)
async def test_a_newer_revision_without_a_believable_number_is_only_a_refusal(
    node: NodeB, user: respx.Route, answer: httpx.Response
) -> None:
    user.mock(return_value=answer)

    with pytest.raises(NodeRefused) as raised:
        await node.apply(WANTED)

    assert type(raised.value) is NodeRefused
