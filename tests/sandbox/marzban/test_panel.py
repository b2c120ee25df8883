"""What the recordings cannot show of the panel's stand-in: connections, time, restarts, faults, control paths."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web

from sandbox.agent import create_app as create_agent
from sandbox.marzban import create_app
from sandbox.marzban.inbounds import with_outline
from sandbox.node import create_app as create_node
from sandbox.store import Store
from sandbox.troubles import NodeTroubles
from tests.sandbox.marzban.serving import serving

NOW = 1_795_000_000
VLESS: dict[str, Any] = {
    "proxies": {"vless": {"id": "3f2b8a10-0000-4000-8000-000000000001", "flow": "xtls-rprx-vision"}},
    "inbounds": {"vless": ["VLESS TCP REALITY"]},
}


class Site:
    """A panel at a fixed time that a test may change."""

    def __init__(self) -> None:
        self.now = float(NOW)
        self.store = Store(None)
        self.troubles = NodeTroubles()

    def app(self, outline_port: int | None = None) -> web.Application:
        return create_app(
            username="admin",
            password="fake",
            store=self.store,
            troubles=self.troubles,
            clock=lambda: self.now,
            inbounds=with_outline(outline_port),
        )


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    yield site
    site.store.close()


async def log_in(panel: httpx.AsyncClient) -> None:
    answer = await panel.post("/api/admin/token", data={"username": "admin", "password": "fake"})
    panel.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@pytest.fixture
async def panel(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(site.app()) as client:
        await log_in(client)
        yield client


async def test_users_and_tokens_outlive_a_restart(site: Site, panel: httpx.AsyncClient) -> None:
    await panel.post("/api/user", json={"username": "q_one"} | VLESS)

    async with serving(site.app()) as restarted:
        answer = await restarted.get("/api/user/q_one", headers=panel.headers)

    assert answer.json()["status"] == "active"


async def test_a_token_lives_for_a_day(site: Site, panel: httpx.AsyncClient) -> None:
    site.now += 24 * 60 * 60 - 1
    assert (await panel.get("/api/core")).status_code == 200
    site.now += 1
    assert (await panel.get("/api/core")).status_code == 401


async def test_a_user_ends_by_itself_and_an_extension_revives_it(site: Site, panel: httpx.AsyncClient) -> None:
    await panel.post("/api/user", json={"username": "q_one", "expire": NOW + 60} | VLESS)
    site.now += 60
    assert (await panel.get("/api/user/q_one")).json()["status"] == "expired"
    assert (await panel.get("/api/system")).json()["users_expired"] == 1

    answer = await panel.put("/api/user/q_one", json={"expire": NOW + 120})

    assert answer.json()["status"] == "active"


async def test_a_limited_user_needs_a_bigger_limit(panel: httpx.AsyncClient) -> None:
    await panel.post("/api/user", json={"username": "q_one", "data_limit": 100} | VLESS)
    await panel.post("/sandbox/traffic", json={"name": "q_one", "bytes": 100})
    assert (await panel.get("/api/user/q_one")).json()["status"] == "limited"

    extended = await panel.put("/api/user/q_one", json={"expire": NOW + 999})
    raised = await panel.put("/api/user/q_one", json={"data_limit": 101})

    assert [answer.json()["status"] for answer in (extended, raised)] == ["limited", "active"]


async def test_an_end_in_milliseconds_poisons_the_list_until_it_is_corrected(panel: httpx.AsyncClient) -> None:
    created = await panel.post("/api/user", json={"username": "q_one", "expire": NOW * 1000} | VLESS)
    assert (created.status_code, created.text) == (500, "Internal Server Error")
    assert (await panel.get("/api/users")).status_code == 500

    await panel.put("/api/user/q_one", json={"expire": NOW + 60})

    assert (await panel.get("/api/users")).json()["total"] == 1


async def test_null_proxies_are_a_500_in_a_modification(panel: httpx.AsyncClient) -> None:
    await panel.post("/api/user", json={"username": "q_one"} | VLESS)

    assert (await panel.put("/api/user/q_one", json={"proxies": None})).status_code == 500


async def test_a_limit_of_zero_lists_all_and_search_knows_wildcards(panel: httpx.AsyncClient) -> None:
    for name in ("q_one", "q_two", "other"):
        await panel.post("/api/user", json={"username": name} | VLESS)

    async def found(**query: Any) -> list[str]:
        users = (await panel.get("/api/users", params=query)).json()["users"]
        return [user["username"] for user in users]

    assert await found(limit=0) == ["q_one", "q_two", "other"]
    assert await found(search="Q%o") == ["q_one", "q_two"]
    assert await found(search="q_t") == ["q_two"]
    assert await found(search="q.t") == []


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str) -> bytes:
    writer.write(request.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return head.lower()


async def test_after_a_500_the_connection_closes_without_saying_so(panel: httpx.AsyncClient) -> None:
    await panel.post("/sandbox/faults", json={"next": "500_after_work"})
    reader, writer = await asyncio.open_connection(panel.base_url.host, panel.base_url.port)

    head = await _exchange(reader, writer, "GET /api/core HTTP/1.1\r\nHost: x\r\n\r\n")
    rest = await asyncio.wait_for(reader.read(), 2)

    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"http/1.1 500")
    assert b"connection:" not in head
    assert rest == b""


async def test_an_idle_connection_is_closed(panel: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.marzban.connections.IDLE_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection(panel.base_url.host, panel.base_url.port)

    head = await _exchange(reader, writer, "GET /api/core HTTP/1.1\r\nHost: x\r\n\r\n")
    rest = await asyncio.wait_for(reader.read(), 2)

    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"http/1.1 401")
    assert rest == b""


async def test_a_panel_that_is_down_closes_every_connection_unanswered(site: Site, panel: httpx.AsyncClient) -> None:
    site.troubles.marzban_down = True
    with pytest.raises(httpx.TransportError):
        await panel.get("/api/core")

    site.troubles.marzban_down = False
    assert (await panel.get("/api/core")).status_code == 200


async def test_a_500_after_the_work_has_done_the_work(panel: httpx.AsyncClient) -> None:
    await panel.post("/sandbox/faults", json={"next": "500_after_work", "count": 1})

    assert (await panel.post("/api/user", json={"username": "q_one"} | VLESS)).status_code == 500
    assert (await panel.get("/api/user/q_one")).status_code == 200


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        ("hang", httpx.ReadTimeout, False),
        ("hang_after_work", httpx.ReadTimeout, True),
        ("drop", httpx.TransportError, False),
        ("drop_after_work", httpx.TransportError, True),
    ],
)
async def test_a_call_without_an_answer(
    panel: httpx.AsyncClient, fault: str, error: type[Exception], done: bool
) -> None:
    await panel.post("/sandbox/faults", json={"next": fault})

    with pytest.raises(error):
        await panel.post("/api/user", json={"username": "q_one"} | VLESS, timeout=0.1)

    assert ("q_one" in (await panel.get("/sandbox/users")).json()) is done


async def test_the_fault_401_spares_the_login(panel: httpx.AsyncClient) -> None:
    await panel.post("/sandbox/faults", json={"next": "401", "count": 1})
    await log_in(panel)

    assert [(await panel.get("/api/core")).status_code for _ in range(2)] == [401, 200]


async def test_the_journal_tells_everything_but_the_secrets(panel: httpx.AsyncClient) -> None:
    await panel.get("/api/users", params={"username": ["q_one", "q_two"]})

    answer = await panel.get("/sandbox/requests")

    login, listing = answer.json()
    assert login["request"] == {"username": "admin", "password": "***"}
    assert login["response"] == {"access_token": "***", "token_type": "bearer"}
    assert listing == {
        "method": "GET",
        "path": "/api/users",
        "query": {"username": ["q_one", "q_two"]},
        "request": None,
        "status": 200,
        "response": {"users": [], "total": 0},
    }
    assert panel.headers["Authorization"].removeprefix("Bearer ") not in answer.text


async def test_wiping_forgets_users_and_journal(panel: httpx.AsyncClient) -> None:
    await panel.post("/api/user", json={"username": "q_one"} | VLESS)

    await panel.post("/sandbox/wipe")

    assert (await panel.get("/sandbox/users")).json() == {}
    assert (await panel.get("/sandbox/requests")).json() == []


async def test_a_node_has_one_address_for_both_parts(site: Site) -> None:
    agent = create_agent(token="fake", store=site.store, troubles=site.troubles)
    async with serving(create_node(marzban=site.app(), agent=agent)) as node:
        await log_in(node)
        statuses = {
            path: (await node.get(path)).status_code
            for path in ("/api/core", "/agent/healthz", "/agent/v1/status", "/", "/v1/status", "/sandbox/users")
        }
        site.troubles.agent_down = True
        with pytest.raises(httpx.TransportError):
            await node.get("/agent/healthz")
        panel_paths = [each["path"] for each in (await node.get("/sandbox/marzban/requests")).json()]
        agent_paths = [each["path"] for each in (await node.get("/sandbox/agent/requests")).json()]

    assert statuses == {
        "/api/core": 200,
        "/agent/healthz": 200,
        "/agent/v1/status": 401,
        "/": 404,
        "/v1/status": 404,
        "/sandbox/users": 404,
    }
    assert panel_paths == ["/api/admin/token", "/api/core"]
    assert agent_paths == ["/agent/healthz", "/agent/v1/status"]


async def test_answers_are_dated_by_the_clock_of_the_node(site: Site, panel: httpx.AsyncClient) -> None:
    """Refusals too: whose clock is off says so in everything."""
    for path in ("/api/system", "/api/user/nobody"):
        assert (await panel.get(path)).headers["Date"] == "Wed, 18 Nov 2026 11:06:40 GMT"
    agent = create_agent(token="fake", store=site.store, troubles=site.troubles, clock=lambda: site.now + 60)
    async with serving(agent) as client:
        assert (await client.get("/v1/status")).headers["Date"] == "Wed, 18 Nov 2026 11:07:40 GMT"


# ── classic Shadowsocks beside VLESS, where the configuration has it ──

BOTH: dict[str, Any] = {
    "proxies": VLESS["proxies"] | {"shadowsocks": {"password": "fake-password", "method": "aes-256-gcm"}},
    "inbounds": VLESS["inbounds"] | {"shadowsocks": ["Shadowsocks TCP"]},
}


@pytest.fixture
async def wider(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(site.app(outline_port=8388)) as client:
        await log_in(client)
        yield client


async def test_a_user_may_have_both(wider: httpx.AsyncClient) -> None:
    created = (await wider.post("/api/user", json={"username": "q_one"} | BOTH)).json()

    assert (created["proxies"], created["inbounds"]) == (BOTH["proxies"], BOTH["inbounds"])
    assert [link.partition("://")[0] for link in created["links"]] == ["vless", "ss"]
    told = (await wider.get("/api/inbounds")).json()
    assert [(one["tag"], one["port"], one["tls"]) for one in told["shadowsocks"]] == [("Shadowsocks TCP", 8388, "none")]


async def test_a_modification_takes_away_the_kind_that_it_leaves_out(wider: httpx.AsyncClient) -> None:
    await wider.post("/api/user", json={"username": "q_one"} | BOTH)

    left = (await wider.put("/api/user/q_one", json=VLESS)).json()
    again = (await wider.put("/api/user/q_one", json=BOTH)).json()

    assert (left["proxies"], left["inbounds"]) == (VLESS["proxies"], VLESS["inbounds"])
    assert (again["proxies"], again["inbounds"]) == (BOTH["proxies"], BOTH["inbounds"])


async def test_a_modification_makes_anew_what_it_leaves_out_of_a_kind(wider: httpx.AsyncClient) -> None:
    await wider.post("/api/user", json={"username": "q_one"} | BOTH)

    proxies = VLESS["proxies"] | {"shadowsocks": {}}
    made = (await wider.put("/api/user/q_one", json={"proxies": proxies})).json()["proxies"]["shadowsocks"]

    assert made["method"] == "chacha20-ietf-poly1305"
    assert len(made["password"]) == 22


async def test_without_that_inbound_its_users_are_shown_without_it_and_nobody_gets_it(
    site: Site, wider: httpx.AsyncClient
) -> None:
    await wider.post("/api/user", json={"username": "q_one"} | BOTH)

    async with serving(site.app()) as narrower:
        narrower.headers["Authorization"] = wider.headers["Authorization"]
        held = (await narrower.get("/api/user/q_one")).json()
        refused = await narrower.put("/api/user/q_one", json={"proxies": BOTH["proxies"]})

    assert (held["proxies"], held["inbounds"]) == (BOTH["proxies"], VLESS["inbounds"] | {"shadowsocks": []})
    assert (refused.status_code, refused.json()) == (
        400,
        {"detail": "Protocol ProxyTypes.Shadowsocks is disabled on your server"},
    )
