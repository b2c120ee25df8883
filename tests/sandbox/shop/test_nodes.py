"""Several stand-ins of nodes: each is a server of its own, and may go and come back."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.node import SLOW_SECONDS
from sandbox.shop import Shop, shop_without_node_a
from sandbox.stand_ins import PANEL_USERNAME
from sandbox.state import PORTS_FILE, SECRETS_FILE, NodeSecrets, Ports, Secrets
from sandbox.store import Store

STATE = {"expires_at": 4_000_000_000, "traffic_limit": 0, "revision": 1, "key": "mHOgDau2qR2tH5j8el1RZQ=="}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shop_without_node_a(tmp_path, nodes=2) as shop:
        yield shop


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client


def log_in(http: httpx.Client, shop: Shop, code: str, secrets: NodeSecrets) -> int:
    login = {"username": PANEL_USERNAME, "password": secrets.panel_password}
    return http.post(f"{shop.node_urls[code]}/api/admin/token", data=login).status_code


def put_user(http: httpx.Client, shop: Shop, code: str) -> None:
    token = {"Authorization": f"Bearer {shop.secrets.nodes[code].agent_token}"}
    http.put(f"{shop.node_urls[code]}/agent/v1/users/s_one", json=STATE, headers=token).raise_for_status()


def users(http: httpx.Client, shop: Shop, code: str) -> list[str]:
    return list(http.get(f"{shop.node_urls[code]}/sandbox/agent/users").raise_for_status().json())


def test_each_node_has_its_own_secrets_and_its_own_users(shop: Shop, http: httpx.Client) -> None:
    first, second = shop.secrets.nodes["de1"], shop.secrets.nodes["de2"]
    put_user(http, shop, "de2")

    assert [log_in(http, shop, "de2", secrets) for secrets in (second, first)] == [200, 401]
    assert (users(http, shop, "de1"), users(http, shop, "de2")) == ([], ["s_one"])
    values = [shop.settings()[f"NODES__{code}__AGENT_TOKEN"] for code in ("DE1", "DE2")]
    assert values == [first.agent_token, second.agent_token]


def test_a_stopped_node_cannot_be_reached_and_comes_back_with_what_it_held(shop: Shop, http: httpx.Client) -> None:
    put_user(http, shop, "de2")

    shop.stand_ins.stop_node("de2")
    with pytest.raises(httpx.ConnectError):
        users(http, shop, "de2")
    assert users(http, shop, "de1") == []

    shop.stand_ins.start_node("de2")
    assert users(http, shop, "de2") == ["s_one"]


def test_a_node_that_is_down_answers_nobody_but_those_who_meddle(shop: Shop, http: httpx.Client) -> None:
    shop.stand_ins.troubles.switch("de2.down", True)

    for path in ("/agent/healthz", "/api/core"):
        with pytest.raises(httpx.TransportError):
            http.get(f"{shop.node_urls['de2']}{path}")
    assert users(http, shop, "de2") == []
    assert http.get(f"{shop.node_urls['de1']}/agent/healthz").status_code == 200


def test_a_slow_node_answers_in_its_own_time(shop: Shop, http: httpx.Client) -> None:
    shop.stand_ins.troubles.switch("de2.slow", True)
    asked = time.monotonic()

    assert http.get(f"{shop.node_urls['de2']}/agent/healthz").status_code == 200

    assert time.monotonic() - asked >= SLOW_SECONDS


def test_a_node_may_be_added_and_all_are_there_again_at_the_next_start(tmp_path: Path, http: httpx.Client) -> None:
    with shop_without_node_a(tmp_path, nodes=2) as shop:
        assert shop.add_node() == "nl1"
        put_user(http, shop, "nl1")
        before, secrets = shop.node_urls, shop.secrets
        assert shop.settings()["NODES__NL1__URL"] == before["nl1"]

    with shop_without_node_a(tmp_path, nodes=2) as again:
        assert (again.node_urls, again.secrets) == (before, secrets)
        assert users(http, again, "nl1") == ["s_one"]


def test_a_directory_of_the_time_of_one_node_is_read(tmp_path: Path, http: httpx.Client) -> None:
    secrets, ports = Secrets.new(), Ports.free()
    [node] = secrets.nodes.values()
    shops = {name: getattr(secrets, name) for name in ("bot_token", "yookassa_secret_key", "key_secret")}
    nodes = {name: getattr(node, name) for name in NodeSecrets.__dataclass_fields__}
    (tmp_path / SECRETS_FILE).write_text(json.dumps({**shops, **nodes}), encoding="utf-8")
    flat = {"chat": ports.chat, "yookassa": ports.yookassa, "node": ports.nodes["de1"], "web": ports.web}
    (tmp_path / PORTS_FILE).write_text(json.dumps(flat), encoding="utf-8")
    store = Store(tmp_path / "agent.db")
    store.table("agent_users")["s_old"] = {**STATE, "used_traffic": 0, "active_at": 0}
    store.close()

    with shop_without_node_a(tmp_path, nodes=2) as shop:
        assert shop.secrets.nodes["de1"] == node
        assert shop.secrets.bot_token == secrets.bot_token
        assert shop.node_urls["de1"].endswith(f":{ports.nodes['de1']}")
        assert (users(http, shop, "de1"), users(http, shop, "de2")) == (["s_old"], [])
