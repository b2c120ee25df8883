"""The panel's stand-in with the real core: who the panel says may connect does, and nobody else.

The original's jobs come every ten seconds; here the rounds are quicker. `tests/node_b/carrying` keeps the real pace.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from sandbox.marzban import create_app
from sandbox.marzban.xray import BadConfig, XrayCore, read_config
from sandbox.store import Store
from sandbox.troubles import NodeTroubles
from shared.inbounds import VLESS_TAG
from tests.programs import free_port, program
from tests.sandbox.marzban.serving import serving
from tests.sandbox.marzban.test_panel import log_in
from tests.sandbox.marzban.vless import a_bare_config, a_tunnel, an_echo, is_answered, lets_in
from tests.waiting import until_in_thread

ANNA, BORIS = "a0a0a0a0-0000-4000-8000-000000000001", "b0b0b0b0-0000-4000-8000-000000000002"


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.marzban.xray.driving.ROUND", 0.2)


@dataclass
class Node:
    """A panel with its core on loopback, and an echo behind it."""

    directory: Path
    echo: int
    port: int = field(default_factory=free_port)
    store: Store = field(default_factory=lambda: Store(None))
    client: httpx.AsyncClient = field(init=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        core = XrayCore(program("xray"), a_bare_config(self.port), self.directory / "xray.log")
        app = create_app(username="admin", password="fake", store=self.store, troubles=NodeTroubles(), core=core)
        async with serving(app) as self.client:
            await log_in(self.client)
            yield

    async def create(self, name: str, id: str, **more: Any) -> None:
        body = {"username": name, "proxies": {"vless": {"id": id, "flow": ""}}, "inbounds": {"vless": [VLESS_TAG]}}
        (await self.client.post("/api/user", json=body | more)).raise_for_status()

    async def modify(self, name: str, **changes: Any) -> None:
        (await self.client.put(f"/api/user/{name}", json=changes)).raise_for_status()

    async def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = (await self.client.get(f"/api/user/{name}")).raise_for_status().json()
        return status

    def lets_in(self, id: str) -> bool:
        return lets_in(self.port, id, self.echo)

    async def let_in(self, id: str) -> None:
        await until_in_thread(lambda: self.lets_in(id))

    async def shut_out(self, id: str) -> None:
        await until_in_thread(lambda: not self.lets_in(id))

    def core(self) -> psutil.Process:
        return next(one for one in psutil.Process().children() if one.name().startswith("xray"))


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    with an_echo() as port:
        node = Node(tmp_path, port)
        async with node.running():
            yield node
        node.store.close()


async def test_whoever_is_created_gets_in_at_once_and_nobody_else(node: Node) -> None:
    await node.create("anna", ANNA)

    await node.let_in(ANNA)
    assert not await asyncio.to_thread(node.lets_in, BORIS)


@pytest.mark.parametrize(
    "end",
    [
        lambda client: client.delete("/api/user/anna"),
        lambda client: client.put("/api/user/anna", json={"status": "disabled"}),
        lambda client: client.put("/api/user/anna", json={"inbounds": {"vless": []}}),
        lambda client: client.put("/api/user/anna", json={"expire": 1_700_000_000}),
        lambda client: client.put("/api/user/anna", json={"proxies": {"vless": {"id": BORIS, "flow": ""}}}),
        lambda client: client.post("/sandbox/wipe"),
    ],
    ids=["deleted", "disabled", "without an inbound", "at its end", "with another id", "wiped"],
)
async def test_whoever_may_not_any_more_opens_no_new_connection(node: Node, end: Callable[..., Any]) -> None:
    await node.create("anna", ANNA)
    await node.let_in(ANNA)

    (await end(node.client)).raise_for_status()

    await node.shut_out(ANNA)


async def test_what_is_open_stays_open(node: Node) -> None:
    await node.create("anna", ANNA)
    await node.let_in(ANNA)
    with a_tunnel(node.port, ANNA, node.echo) as tunnel:
        assert await asyncio.to_thread(is_answered, tunnel)
        await node.client.delete("/api/user/anna")
        await node.shut_out(ANNA)

        assert await asyncio.to_thread(is_answered, tunnel)


async def test_an_end_and_an_extension_come_to_the_core_by_themselves(node: Node) -> None:
    await node.create("anna", ANNA, expire=int(time.time()) + 2)
    await node.let_in(ANNA)

    await node.shut_out(ANNA)
    # Asked only now: asking for the user is not what ended it.
    assert (await node.status("anna"))["status"] == "expired"

    await node.modify("anna", expire=int(time.time()) + 1000)
    await node.let_in(ANNA)


async def test_traffic_is_counted_and_ends_whoever_is_at_the_limit(node: Node) -> None:
    await node.create("anna", ANNA, data_limit=1)
    await node.create("boris", BORIS)
    await node.let_in(ANNA)

    await node.shut_out(ANNA)

    anna = await node.status("anna")
    assert (anna["status"], anna["used_traffic"] >= len("hello") * 2, anna["online_at"] is not None) == (
        "limited",
        True,
        True,
    )
    assert (await node.status("boris"))["used_traffic"] == 0
    assert await asyncio.to_thread(node.lets_in, BORIS)


async def test_a_killed_core_comes_back_with_everybody(node: Node) -> None:
    await node.create("anna", ANNA)
    await node.let_in(ANNA)
    killed = node.core()

    killed.kill()

    await until_in_thread(lambda: not killed.is_running())
    await node.let_in(ANNA)
    assert (await node.client.get("/api/core")).json()["started"] is True


async def test_a_restart_of_the_core_is_another_process(node: Node) -> None:
    await node.create("anna", ANNA)
    await node.let_in(ANNA)
    before = node.core().pid

    (await node.client.post("/api/core/restart")).raise_for_status()

    await until_in_thread(lambda: not psutil.pid_exists(before))
    await node.let_in(ANNA)


async def test_a_restarted_panel_lets_in_whom_it_let_in(tmp_path: Path, node: Node) -> None:
    await node.create("anna", ANNA)
    await node.create("boris", BORIS, note="to be disabled")
    await node.modify("boris", status="disabled")

    again = Node(tmp_path, node.echo, store=node.store)
    async with again.running():
        await again.let_in(ANNA)
        assert not await asyncio.to_thread(again.lets_in, BORIS)


def a_config(**changes: Any) -> dict[str, Any]:
    config = a_bare_config(1)
    config["inbounds"][0].update(changes)
    return config


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"outbounds": [{}]}, "config doesn't have inbounds"),
        ({"inbounds": [{"tag": "A"}]}, "config doesn't have outbounds"),
        (a_config(tag=""), "all inbounds must have a unique tag"),
        (a_config(tag="A,B"), "not allowed in inbound tag"),
        (a_config(streamSettings={"realitySettings": {"shortIds": ["aa"]}}), "publicKey is missing"),
        (a_config(streamSettings={"realitySettings": {"publicKey": "x", "shortIds": []}}), "at least one shortID"),
    ],
)
def test_a_configuration_is_refused_that_the_original_refuses(
    config: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "vless.json"
    file.write_text(json.dumps(config), encoding="utf-8")

    with pytest.raises(BadConfig, match=complaint):
        read_config(file)
