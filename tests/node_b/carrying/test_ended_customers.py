"""Whoever may not any more opens no new connection with the keys that the shop delivered; others notice nothing."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any, Final

import httpx
import pytest

from sandbox.customer import Customer
from tests.node_b.carrying.apps import App, Config
from tests.node_b.carrying.conftest import NewPerson, StartApp
from tests.node_b.carrying.people import Person
from tests.node_b.world.names import PAGE_NAME
from tests.node_b.world.node import AGENT_PORT, PANEL_PORT, Node
from tests.node_b.world.sites import LARGE
from tests.node_b.world.world import World
from tests.waiting import until

pytestmark = [pytest.mark.proof, pytest.mark.slow]

OPERATOR: Final = 1
# Seconds after an end: what the agent promises, and what the panel's own habit is.
AGENT_ACTS: Final = 2.0
PANEL_ACTS: Final = 12.0
PANEL_COUNTS: Final = 25.0
BOTH: Final = ("vless", "shadowsocks")


@pytest.fixture
def boris(new_person: NewPerson) -> Person:
    boris = new_person()
    boris.buys()
    return boris


@pytest.fixture
def phone(boris: Person, start_app: StartApp) -> App:
    """Boris's, with all that he has now."""
    app = start_app(Config.of("sing-box", vless=boris.vless, shadowsocks=boris.shadowsocks, outline=boris.outline))
    until(lambda: all(app.gets_through(key) for key in (*BOTH, "outline")))
    return app


@pytest.fixture
def others(world: World, anna: Person, start_app: StartApp) -> Iterator[None]:
    """Anna, who loads something large the whole time, over new connections: none fails, all of it is right."""
    app = start_app(Config.of("sing-box", vless=anna.vless, shadowsocks=anna.shadowsocks))
    until(lambda: all(app.gets_through(key) for key in BOTH))
    with loading(app) as seen:
        yield
    assert set(seen) == {world.sites.digest}


@contextmanager
def loading(app: App) -> Iterator[list[str]]:
    seen: list[str] = []
    enough = Event()

    def load() -> None:
        while not enough.is_set():
            seen.extend(app.digest_of(f"http://{PAGE_NAME}{LARGE}", key) for key in BOTH)

    with ThreadPoolExecutor(1) as pool:
        loads = pool.submit(load)
        try:
            yield seen
        finally:
            enough.set()
        loads.result()


def is_shut_out(app: App, *keys: str) -> bool:
    return not any(app.gets_through(key) for key in keys)


@pytest.mark.usefixtures("others")
def test_new_keys_end_the_old_ones(boris: Person, phone: App, start_app: StartApp) -> None:
    boris.takes_new_keys()

    fresh = start_app(Config.of("sing-box", vless=boris.vless, shadowsocks=boris.shadowsocks))
    until(lambda: all(fresh.gets_through(key) for key in BOTH))
    until(lambda: is_shut_out(phone, *BOTH, "outline"))
    assert all(fresh.gets_through(key) for key in BOTH)


@pytest.mark.usefixtures("others")
def test_who_is_banned_is_shut_out_and_let_in_again_by_the_same_keys(world: World, boris: Person, phone: App) -> None:
    operator_says(world, f"/ban {boris.chat.user_id} test")
    until(lambda: is_shut_out(phone, *BOTH, "outline"))
    assert held_by(world.node, boris) == (False, False)

    operator_says(world, f"/unban {boris.chat.user_id} test")
    until(lambda: all(phone.gets_through(key) for key in (*BOTH, "outline")))


@pytest.mark.usefixtures("others")
def test_who_has_expired_is_shut_out_by_the_node_itself(world: World, boris: Person, phone: App) -> None:
    end = int(time.time()) + 3
    changes_at_the_node(world.node, boris, end=end)
    assert all(phone.gets_through(key) for key in BOTH)

    until(lambda: time.time() >= end + AGENT_ACTS)
    assert is_shut_out(phone, "shadowsocks")
    until(lambda: time.time() >= end + PANEL_ACTS)
    assert is_shut_out(phone, "vless", "outline")


@pytest.mark.usefixtures("others")
def test_who_has_used_everything_up_is_suspended_by_the_node_itself(world: World, boris: Person, phone: App) -> None:
    changes_at_the_node(world.node, boris, limit=50_000_000)
    began = time.time()
    for key in BOTH:
        assert phone.digest_of(f"http://{PAGE_NAME}{LARGE}", key) == world.sites.digest
    ended = time.time()

    until(lambda: time.time() >= ended + AGENT_ACTS)
    assert is_shut_out(phone, "shadowsocks")
    until(lambda: time.time() >= began + PANEL_COUNTS)
    until(lambda: is_shut_out(phone, "vless", "outline"))


def operator_says(world: World, command: str) -> None:
    with world.shop_network.entered():
        operator = Customer(world.shop.shop, OPERATOR)
        try:
            operator.write(command)
        finally:
            operator.close()


def agent_name(node: Node, person: Person) -> str | None:
    key = person.shadowsocks.password.partition(":")[2]
    return next((name for name, user in node.agent_users().items() if user.key == key), None)


def panel_name(node: Node, person: Person) -> str | None:
    id = person.vless.id
    users = node.panel_users().items()
    return next((name for name, user in users if user["proxies"].get("vless", {}).get("id") == id), None)


def held_by(node: Node, person: Person) -> tuple[bool, bool]:
    """Whether panel and agent have a user with these keys."""
    return panel_name(node, person) is not None, agent_name(node, person) is not None


def changes_at_the_node(node: Node, person: Person, *, end: int | None = None, limit: int | None = None) -> None:
    """As Node A would tell it: seconds since the epoch, bytes."""
    of_agent, of_panel = agent_name(node, person), panel_name(node, person)
    assert of_agent is not None
    held = node.agent_users()[of_agent].model_dump(include={"key", "expires_at", "traffic_limit", "revision"})
    changed: dict[str, Any] = {"expires_at": end} if end is not None else {"traffic_limit": limit}
    keys = node.keys()
    with node.network.entered():
        token = {"Authorization": f"Bearer {keys['AGENT_TOKEN']}"}
        agent = f"http://127.0.0.1:{AGENT_PORT}/v1/users/{of_agent}"
        httpx.put(agent, json=held | changed, headers=token, trust_env=False).raise_for_status()
        panel = f"http://127.0.0.1:{PANEL_PORT}/api"
        login = {"username": keys["PANEL_USERNAME"], "password": keys["PANEL_PASSWORD"]}
        logged_in = httpx.post(f"{panel}/admin/token", data=login, trust_env=False).raise_for_status().json()
        token = {"Authorization": f"Bearer {logged_in['access_token']}"}
        body = {"expire": end} if end is not None else {"data_limit": limit}
        httpx.put(f"{panel}/user/{of_panel}", json=body, headers=token, trust_env=False).raise_for_status()
