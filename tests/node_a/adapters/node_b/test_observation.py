"""How a node looks: from both of its parts, and never as an exception."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web

from node_a.adapters.node_b import NodeB
from node_a.domain.node import Protocol
from sandbox.serving import served
from tests.node_a.adapters.node_b.conftest import NAME, START, Site, wanted_access


async def test_a_healthy_node_is_seen_whole(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())

    seen = await node.observe()

    assert seen.at == START
    assert (seen.vless_ready, seen.shadowsocks_ready, seen.problem) == (True, True, None)
    assert (seen.users, seen.connected_users) == (1, 0)
    assert seen.cpu_percent is not None
    assert seen.memory_used is not None
    assert seen.memory_total is not None
    assert 0 < seen.memory_used < seen.memory_total


async def test_connected_is_who_had_traffic_in_the_last_half_minute(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await node.apply(wanted_access(Protocol.SHADOWSOCKS))
    await site.control("traffic", "marzban", name=NAME, bytes=1)
    await site.control("traffic", "agent", name=NAME, bytes=1)
    assert (await node.observe()).connected_users == 2

    site.time.now = START + timedelta(seconds=31)

    assert (await node.observe()).connected_users == 0


async def test_a_panel_that_is_down_leaves_what_the_agent_tells(node: NodeB, site: Site) -> None:
    site.troubles.marzban_down = True

    seen = await node.observe()

    assert (seen.vless_ready, seen.shadowsocks_ready) == (False, True)
    assert seen.cpu_percent is not None
    assert seen.connected_users is None
    assert seen.problem is not None
    assert seen.problem.startswith("panel: ")


async def test_an_agent_that_is_down_leaves_what_the_panel_tells(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    site.troubles.agent_down = True

    seen = await node.observe()

    assert (seen.vless_ready, seen.shadowsocks_ready) == (True, False)
    assert seen.users == 1
    assert seen.memory_total is not None
    assert seen.connected_users is None
    assert seen.problem is not None
    assert seen.problem.startswith("agent: ")


async def test_a_dead_node_is_an_observation_too(node: NodeB, site: Site) -> None:
    site.troubles.marzban_down = site.troubles.agent_down = True

    seen = await node.observe()

    assert (seen.vless_ready, seen.shadowsocks_ready, seen.users, seen.cpu_percent) == (False, False, None, None)


@pytest.mark.parametrize(("part", "word"), [("marzban", "panel"), ("agent", "agent")])
async def test_an_xray_that_is_down_behind_a_living_keeper_is_seen(
    node: NodeB, site: Site, part: str, word: str
) -> None:
    await site.control("core", part, started=False)

    seen = await node.observe()

    assert (seen.vless_ready, seen.shadowsocks_ready) == (word != "panel", word != "agent")
    assert seen.problem == f"{word}: its Xray is down"


@pytest.mark.parametrize(
    ("running", "said"),
    [(False, "agent: its Xray is down (port 443 is taken)"), (True, "agent: port 443 is taken")],
)
async def test_what_the_agent_says_is_wrong_with_its_xray_is_passed_on(
    node: NodeB, site: Site, running: bool, said: str
) -> None:
    await site.control("core", "agent", started=running, problem="port 443 is taken")

    seen = await node.observe()

    assert (seen.shadowsocks_ready, seen.problem) == (running, said)


async def test_a_panel_that_cannot_list_its_users_is_still_ready(node: NodeB, site: Site) -> None:
    await site.panel("POST", "/api/user", {"username": "q_poison"})

    seen = await node.observe()

    assert seen.vless_ready
    assert (seen.users, seen.connected_users) == (1, None)
    assert seen.problem == "panel: it failed (500)"


async def test_good_news_about_the_core_is_looked_at_twice_only_when_it_is_news(node: NodeB, site: Site) -> None:
    async def looks() -> int:
        before = (await site.calls()).count("GET /api/core 200")
        await node.observe()
        return (await site.calls()).count("GET /api/core 200") - before

    assert await looks() == 2
    assert await looks() == 1
    await site.control("core", started=False)
    assert await looks() == 1
    await site.control("core", started=True)
    assert await looks() == 2


@pytest.fixture
async def stranger() -> AsyncIterator[str]:
    """A server that answers everything with a page: a captive portal, or a node's address given to somebody else."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>Hello</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", page)
    async with served(app) as address:
        yield address


async def test_a_stranger_at_the_address_is_not_taken_for_a_node(site: Site, stranger: str) -> None:
    async with NodeB(site.account(url=stranger), clock=lambda: START) as node:
        seen = await node.observe()

    assert (seen.vless_ready, seen.shadowsocks_ready) == (False, False)
    assert seen.problem is not None
    assert "Hello" not in seen.problem
