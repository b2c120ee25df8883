"""A key for Outline's client: the panel holds it beside VLESS for the same user, where a node has an inbound for it."""

from typing import Any

import pytest
import respx

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.adapters.node_b.payloads import as_json, user_wanted
from node_a.domain.customer import CustomerId
from node_a.domain.errors import NodeRefused, NodeUnavailable
from node_a.domain.node import NodeCode, Protocol
from tests.builders import ANNA, OUTLINE, RING, a_node
from tests.fakes.shop import ShopUnderTest
from tests.node_a.adapters.node_b.conftest import NAME, START, VLESS_ID, Site, wanted_access
from tests.node_a.adapters.node_b.test_audit_over_http import Worker
from tests.node_a.adapters.node_b.test_listing import only
from tests.sandbox.marzban.openapi import check_exchange

PASSWORD = "fake-outline-password"
VLESS = {"id": VLESS_ID, "flow": "xtls-rprx-vision"}
CLASSIC = {"password": PASSWORD, "method": "chacha20-ietf-poly1305"}
BOTH = wanted_access(outline_password=PASSWORD)
VLESS_ALONE = wanted_access()
OTHER_PASSWORD = wanted_access(outline_password="another-fake-password")

without_that_inbound = pytest.mark.parametrize("outline_port", [None])


@pytest.fixture
def outline_port() -> int | None:
    return OUTLINE.port


async def test_one_user_has_both(node: NodeB, site: Site) -> None:
    await node.apply(BOTH)

    held = (await site.users())[NAME]
    assert held["proxies"] == {"vless": VLESS, "shadowsocks": CLASSIC}
    assert held["inbounds"] == {"vless": ["VLESS TCP REALITY"], "shadowsocks": ["Shadowsocks TCP"]}
    links = (await site.panel("GET", f"/api/user/{NAME}")).json()["links"]
    assert [link.partition("://")[0] for link in links] == ["vless", "ss"]


@without_that_inbound
async def test_a_node_without_that_inbound_hears_no_word_of_it(node: NodeB, site: Site) -> None:
    await node.apply(VLESS_ALONE)
    await node.apply(VLESS_ALONE)

    whole = {
        "proxies": {"vless": VLESS},
        "inbounds": {"vless": ["VLESS TCP REALITY"]},
        "expire": int(VLESS_ALONE.ends_at.timestamp()),
        "data_limit": VLESS_ALONE.traffic_limit,
        "data_limit_reset_strategy": "no_reset",
        "status": "active",
    }
    bodies = [each["request"] for each in await site.journal() if "/user" in each["path"]]
    assert bodies == [whole, whole | {"username": NAME}, whole]


async def test_every_exchange_is_valid_by_the_panels_own_document_and_holds_no_null(node: NodeB, site: Site) -> None:
    for wanted in (BOTH, OTHER_PASSWORD, VLESS_ALONE, wanted_access(present=False)):
        await node.apply(wanted)

    exchanges = await site.journal()
    assert [problem for exchange in exchanges for problem in check_exchange(exchange)] == []
    bodies = [each["request"] for each in exchanges if each["method"] in {"PUT", "POST"} and "/user" in each["path"]]
    assert len(bodies) == 4
    assert all(
        value is not None for body in bodies for part in ("proxies", "inbounds") for value in body[part].values()
    )


@pytest.mark.parametrize("before", [VLESS_ALONE, OTHER_PASSWORD, BOTH], ids=["VLESS alone", "other password", "both"])
@pytest.mark.parametrize("after", [VLESS_ALONE, BOTH], ids=["VLESS alone", "both"])
async def test_what_is_wanted_replaces_whatever_was_held(node: NodeB, site: Site, before: Any, after: Any) -> None:
    await node.apply(before)
    await node.apply(after)

    assert (await only(node, Protocol.VLESS)).differences(after) == []
    proxies = (await site.users())[NAME]["proxies"]
    assert proxies == {"vless": VLESS} | ({"shadowsocks": CLASSIC} if after is BOTH else {})


@pytest.mark.parametrize(
    ("tampering", "differences"),
    [
        ({"proxies": {"vless": VLESS}}, ["outline"]),
        ({"proxies": {"vless": VLESS, "shadowsocks": {}}}, ["outline"]),
        ({"proxies": {"vless": VLESS, "shadowsocks": CLASSIC | {"method": "aes-256-gcm"}}}, ["state"]),
        ({"inbounds": {"shadowsocks": []}}, ["state"]),
    ],
    ids=["gone", "another password", "another method", "not let in"],
)
async def test_what_was_changed_by_hand_is_a_difference_and_put_right(
    node: NodeB, site: Site, tampering: dict[str, Any], differences: list[str]
) -> None:
    await node.apply(BOTH)
    right = await site.users()
    answer = await site.panel("PUT", f"/api/user/{NAME}", tampering)
    assert answer.status_code == 200, answer.text
    assert (await only(node, Protocol.VLESS)).differences(BOTH) == differences

    await node.apply(BOTH)

    assert await site.users() == right


async def test_a_key_that_nobody_wants_any_more_is_a_difference(node: NodeB) -> None:
    await node.apply(BOTH)

    assert (await only(node, Protocol.VLESS)).differences(VLESS_ALONE) == ["outline"]


@without_that_inbound
async def test_a_panel_without_that_inbound_refuses_and_the_reason_is_named(node: NodeB, site: Site) -> None:
    with pytest.raises(NodeRefused, match="asked for a key for Outline") as raised:
        await node.apply(BOTH)

    assert PASSWORD not in f"{raised.value} {raised.value.__cause__}"
    assert await site.users() == {}


@pytest.mark.parametrize(
    "held",
    [None, CLASSIC | {"password": "another-fake-password"}, CLASSIC | {"method": "aes-256-gcm"}],
    ids=["nothing", "another password", "another method"],
)
async def test_a_panel_that_answers_with_something_else_is_not_believed(
    respx_mock: respx.MockRouter, held: dict[str, str] | None
) -> None:
    whole = as_json(user_wanted(BOTH)) | {"username": NAME, "used_traffic": 0}
    respx_mock.post("http://127.0.0.1:9/api/admin/token").respond(json={"access_token": "fake", "token_type": "bearer"})
    answer = whole | {"proxies": {"vless": VLESS, "shadowsocks": held}}
    respx_mock.put(f"http://127.0.0.1:9/api/user/{NAME}").respond(json=answer)
    account = NodeAccount(
        url="http://127.0.0.1:9", certificate=None, panel_username="", panel_password="", agent_token="fake"
    )

    async with NodeB(account, clock=lambda: START) as node:
        with pytest.raises(NodeUnavailable, match=r"something else.*: outline$"):
            await node.apply(BOTH)


# ── over a whole shop ──


@pytest.fixture
def worker(shop: ShopUnderTest, node: NodeB) -> Worker:
    assert shop.now == START
    return Worker(shop, node)


async def passwords(site: Site) -> list[str | None]:
    """Of all users that the panel holds."""
    users = (await site.users()).values()
    return [user["proxies"].get("shadowsocks", {}).get("password") for user in users]


def rightful(shop: ShopUnderTest, customer_id: CustomerId = ANNA.id) -> str:
    with shop.ledger() as ledger:
        return RING.outline_password(ledger.subscriptions.of_customer(customer_id), NodeCode("de1"))


async def test_a_node_that_gets_the_inbound_later_is_brought_up_to_date_by_the_audit(
    worker: Worker, site: Site
) -> None:
    await worker.sells()
    assert (await worker.audits()).is_as_it_should_be
    worker.shop.domain_nodes[0] = a_node(outline=OUTLINE)

    findings = await worker.audits()
    await worker.works()

    assert findings.keepers[Protocol.VLESS].differing == 1
    assert await passwords(site) == [rightful(worker.shop)]
    assert (await worker.audits()).is_as_it_should_be


async def test_a_node_that_loses_the_inbound_is_brought_up_to_date_by_the_audit(worker: Worker, site: Site) -> None:
    worker.shop.domain_nodes[0] = a_node(outline=OUTLINE)
    await worker.sells()
    assert await passwords(site) == [rightful(worker.shop)]
    worker.shop.domain_nodes[0] = a_node()

    findings = await worker.audits()
    await worker.works()

    assert findings.keepers[Protocol.VLESS].differing == 1
    assert await passwords(site) == [None]
    assert (await worker.audits()).is_as_it_should_be


@pytest.mark.parametrize(
    "tampering",
    [
        {"proxies": {"vless": VLESS}},
        {"proxies": {"vless": VLESS, "shadowsocks": {}}},
        {"inbounds": {"shadowsocks": []}},
        {"status": "disabled"},
    ],
    ids=["gone", "another password", "not let in", "switched off"],
)
async def test_what_was_done_by_hand_is_put_right_by_itself(
    worker: Worker, site: Site, tampering: dict[str, Any]
) -> None:
    worker.shop.domain_nodes[0] = a_node(outline=OUTLINE)
    await worker.sells()
    right = await site.users()
    await site.panel("PUT", f"/api/user/{next(iter(right))}", tampering)
    assert await site.users() != right

    findings = await worker.audits()
    await worker.works()

    assert findings.keepers[Protocol.VLESS].differing == 1
    assert await site.users() == right
    assert (await worker.audits()).is_as_it_should_be


async def test_new_keys_are_new_for_outline_too(worker: Worker, site: Site) -> None:
    worker.shop.domain_nodes[0] = a_node(outline=OUTLINE)
    await worker.sells()
    [before] = await passwords(site)

    worker.shop.rotate_keys(ANNA.id, 0)
    await worker.works()

    [after] = await passwords(site)
    assert before != after == rightful(worker.shop)
