"""What the nodes hold, page by page, whatever else lives there."""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.domain.access import AccessId, HeldAccess, WantedAccess, subscription_of_user
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId
from tests.node_a.adapters.node_b.conftest import (
    ENDS_AT,
    GIGABYTE,
    NAME,
    START,
    SUBSCRIPTION,
    VLESS_ID,
    Site,
    wanted_access,
)
from tests.sandbox.marzban.openapi import check_exchange

BOTH = pytest.mark.parametrize("protocol", list(Protocol))
PARTS = {Protocol.VLESS: "marzban", Protocol.SHADOWSOCKS: "agent"}
URL = "http://127.0.0.1:9"


def many(protocol: Protocol, count: int) -> list[WantedAccess]:
    def credential(number: int) -> str:
        if protocol is Protocol.VLESS:
            return str(UUID(int=number, version=4))
        return base64.b64encode(number.to_bytes(16)).decode()

    return [
        wanted_access(
            protocol,
            id=AccessId(SubscriptionId(UUID(int=number, version=4)), NodeCode("de1"), protocol),
            credential=credential(number),
        )
        for number in range(1, count + 1)
    ]


async def whole(node: NodeB, protocol: Protocol) -> list[Sequence[HeldAccess]]:
    pages, after = [], None
    while True:
        page = await node.held(protocol, after)
        pages.append(page.held)
        if page.next is None:
            return pages
        after = page.next


async def only(node: NodeB, protocol: Protocol) -> HeldAccess:
    [[user]] = await whole(node, protocol)
    return user


@BOTH
async def test_what_was_applied_is_listed_without_a_difference(node: NodeB, protocol: Protocol) -> None:
    wanted = wanted_access(protocol, ends_at=ENDS_AT + timedelta(milliseconds=1))
    await node.apply(wanted)

    held = await only(node, protocol)

    assert held.user_name == wanted.user_name
    assert held.differences(wanted) == []
    assert held.used == 0


@BOTH
async def test_an_unlimited_plan_is_listed_without_a_difference(node: NodeB, protocol: Protocol) -> None:
    await node.apply(wanted_access(protocol, traffic_limit=None))

    assert (await only(node, protocol)).differences(wanted_access(protocol, traffic_limit=None)) == []


@BOTH
async def test_everybody_is_on_one_page_of_a_hundred(node: NodeB, site: Site, protocol: Protocol) -> None:
    everybody = many(protocol, 205)
    for wanted in everybody:
        await node.apply(wanted)

    pages = await whole(node, protocol)

    assert [len(page) for page in pages] == [100, 100, 5]
    names = [held.user_name for page in pages for held in page]
    assert sorted(names) == sorted(wanted.user_name for wanted in everybody)


@BOTH
async def test_an_empty_node_is_one_empty_page(node: NodeB, protocol: Protocol) -> None:
    assert await whole(node, protocol) == [[]]


@BOTH
async def test_the_bytes_of_a_user_are_listed(node: NodeB, site: Site, protocol: Protocol) -> None:
    await node.apply(wanted_access(protocol))
    await site.control("traffic", PARTS[protocol], name=NAME, bytes=12_345)

    assert (await only(node, protocol)).used == 12_345


@BOTH
async def test_an_end_or_limit_that_has_acted_is_no_difference(node: NodeB, site: Site, protocol: Protocol) -> None:
    used_up = wanted_access(protocol, traffic_limit=100)
    await node.apply(used_up)
    await site.control("traffic", PARTS[protocol], name=NAME, bytes=150)
    assert (await only(node, protocol)).differences(used_up) == []

    ended = wanted_access(protocol, traffic_limit=None)
    await node.apply(ended)
    site.time.now = ENDS_AT + timedelta(seconds=1)

    assert (await only(node, protocol)).differences(ended) == []


@pytest.mark.parametrize(
    ("tampering", "difference"),
    [
        ({"proxies": {"vless": {"id": VLESS_ID.replace("1", "2"), "flow": "xtls-rprx-vision"}}}, "key"),
        ({"proxies": {"vless": {"id": VLESS_ID, "flow": ""}}}, "state"),
        ({"inbounds": {"vless": []}}, "state"),
        ({"status": "disabled"}, "state"),
        ({"data_limit_reset_strategy": "month"}, "state"),
        ({"expire": int(ENDS_AT.timestamp()) + 1}, "end"),
        ({"expire": 0}, "end"),
        ({"data_limit": 0}, "limit"),
        ({"data_limit": 99 * GIGABYTE}, "limit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_was_changed_by_hand_is_a_difference(
    node: NodeB, site: Site, tampering: dict[str, Any], difference: str
) -> None:
    await node.apply(wanted_access())
    answer = await site.panel("PUT", f"/api/user/{NAME}", tampering)
    assert answer.status_code == 200, answer.text

    assert (await only(node, Protocol.VLESS)).differences(wanted_access()) == [difference]


async def test_a_user_put_on_hold_by_hand_does_not_fit(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    on_hold = {"status": "on_hold", "on_hold_expire_duration": 60, "expire": 0}
    assert (await site.panel("PUT", f"/api/user/{NAME}", on_hold)).status_code == 200

    assert not (await only(node, Protocol.VLESS)).fits


async def test_an_agent_that_is_behind_differs_in_revision_and_one_ahead_does_not(node: NodeB) -> None:
    wanted = wanted_access(Protocol.SHADOWSOCKS, revision=5)
    await node.apply(wanted)
    held = await only(node, Protocol.SHADOWSOCKS)

    assert held.differences(replace(wanted, revision=6)) == ["revision"]
    assert held.differences(replace(wanted, revision=4)) == []


async def test_foreign_users_are_listed_as_such_and_hide_nobody(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    by_hand = {"proxies": {"vless": {}}, "inbounds": {"vless": ["VLESS TCP REALITY"]}}
    for name in ("admin_s_phone", "q_100", "Q_mfrggzdfmztwq2lk", "abc.d-e@f"):
        made = await site.panel("POST", "/api/user", {"username": name} | by_hand)
        assert made.status_code == 200, made.text

    [page] = await whole(node, Protocol.VLESS)

    foreign = [held.user_name for held in page if subscription_of_user(held.user_name) is None]
    assert sorted(foreign) == ["Q_mfrggzdfmztwq2lk", "abc.d-e@f", "admin_s_phone", "q_100"]
    assert [held.differences(wanted_access()) for held in page if held.user_name == NAME] == [[]]


async def test_pages_are_asked_for_as_the_panels_own_document_has_it(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await node.held(Protocol.VLESS, None)

    exchanges = await site.journal()
    assert exchanges[-1]["query"] == {"offset": ["0"], "limit": ["100"], "sort": ["username"]}
    assert [problem for exchange in exchanges for problem in check_exchange(exchange)] == []


async def test_a_row_that_the_panel_cannot_show_hides_only_itself(node: NodeB, site: Site) -> None:
    everybody = many(Protocol.VLESS, 120)
    for wanted in everybody:
        await node.apply(wanted)
    poisoned = everybody[7].user_name
    # Milliseconds instead of seconds: FACTS, Marzban, Calls.
    await site.panel("PUT", f"/api/user/{poisoned}", {"expire": int(ENDS_AT.timestamp()) * 1000})
    assert (await site.panel("GET", "/api/users")).status_code == 500

    pages = await whole(node, Protocol.VLESS)

    names = [held.user_name for page in pages for held in page]
    assert sorted(names) == sorted(wanted.user_name for wanted in everybody if wanted.user_name != poisoned)
    assert [len(page) for page in pages] == [99, 20]


async def test_a_panel_that_can_show_hardly_anybody_has_no_list(node: NodeB, site: Site) -> None:
    for number in range(9):
        assert (await site.panel("POST", "/api/user", {"username": f"poison_{number}"})).status_code == 500

    with pytest.raises(NodeUnavailable) as raised:
        await node.held(Protocol.VLESS, None)

    assert raised.value.answered
    assert len(await site.calls()) < 100


@BOTH
@pytest.mark.parametrize("fault", ["500_after_work", "drop"])
async def test_a_page_that_broke_off_is_asked_for_again(
    node: NodeB, site: Site, protocol: Protocol, fault: str
) -> None:
    await node.apply(wanted_access(protocol))
    await site.control("faults", PARTS[protocol], next=fault, method="GET")

    assert (await only(node, protocol)).user_name == NAME


@BOTH
async def test_a_keeper_that_is_down_has_no_list(node: NodeB, site: Site, protocol: Protocol) -> None:
    site.troubles.marzban_down = site.troubles.agent_down = True

    with pytest.raises(NodeUnavailable) as raised:
        await node.held(protocol, None)

    assert not raised.value.answered


@BOTH
async def test_a_user_without_a_subscription_is_removed_and_absence_is_no_error(
    node: NodeB, site: Site, protocol: Protocol
) -> None:
    await node.apply(wanted_access(protocol, revision=17))
    held = await only(node, protocol)

    for _ in range(2):
        await node.remove_user(protocol, held)

    assert await site.users(PARTS[protocol]) == {}


async def test_whoever_was_changed_since_the_look_is_not_removed(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access(Protocol.SHADOWSOCKS, revision=5))
    seen = await only(node, Protocol.SHADOWSOCKS)
    await node.apply(wanted_access(Protocol.SHADOWSOCKS, revision=6))

    with pytest.raises(NodeIsAhead):
        await node.remove_user(Protocol.SHADOWSOCKS, seen)

    assert NAME in await site.users("agent")


@BOTH
async def test_nobody_but_our_own_users_is_ever_removed(node: NodeB, site: Site, protocol: Protocol) -> None:
    before = await site.calls(PARTS[protocol])

    with pytest.raises(NodeRefused):
        await node.remove_user(protocol, HeldAccess("admin_s_phone", "", None, None, 0))

    assert await site.calls(PARTS[protocol]) == before


# ── what the stand-ins never answer ──

ODD_USER: dict[str, Any] = {"username": NAME, "used_traffic": 77}
AN_AGENTS_USER: dict[str, Any] = {
    "name": NAME,
    "key": base64.b64encode(bytes(16)).decode(),
    "expires_at": int(ENDS_AT.timestamp()),
    "traffic_limit": 0,
    "revision": 3,
    "used_traffic": 77,
    "enabled": True,
}


@pytest.fixture
async def strange(respx_mock: respx.MockRouter) -> AsyncIterator[NodeB]:
    """A node whose answers the test makes up."""
    respx_mock.post(f"{URL}/api/admin/token").respond(json={"access_token": "fake-token", "token_type": "bearer"})
    account = NodeAccount(url=URL, certificate=None, panel_username="", panel_password="", agent_token="fake-token")
    async with NodeB(account, clock=lambda: START) as node:
        yield node


@pytest.mark.respx(assert_all_called=False)
@pytest.mark.parametrize(
    "shape",
    [
        {"proxies": {"trojan": {"password": "fake"}}, "inbounds": {"trojan": []}, "status": "active"},
        {"proxies": {"vless": {"id": "no uuid", "flow": None}}, "inbounds": {}, "status": "active"},
        {"proxies": {}, "inbounds": {}, "expire": "never", "data_limit": 1.5, "status": "of a later panel"},
        {},
    ],
)
async def test_a_panels_user_of_any_shape_is_listed_with_its_bytes(
    strange: NodeB, respx_mock: respx.MockRouter, shape: dict[str, Any]
) -> None:
    respx_mock.get(f"{URL}/api/users").respond(json={"users": [ODD_USER | shape], "total": 1})

    held = await only(strange, Protocol.VLESS)

    assert (held.user_name, held.used, held.fits, held.ends_at) == (NAME, 77, False, None)
    assert subscription_of_user(held.user_name) == SUBSCRIPTION


@pytest.mark.respx(assert_all_called=False)
@pytest.mark.parametrize("change", [{"key": "c2hvcnQ="}, {"expires_at": None}, {"enabled": "perhaps"}])
async def test_an_agents_user_of_any_shape_is_listed_with_its_bytes(
    strange: NodeB, respx_mock: respx.MockRouter, change: dict[str, Any]
) -> None:
    page = {"users": [AN_AGENTS_USER | change], "next_after": None}
    respx_mock.get(f"{URL}/agent/v1/users").respond(json=page)

    held = await only(strange, Protocol.SHADOWSOCKS)

    assert (held.user_name, held.used, held.fits, held.revision) == (NAME, 77, False, 3)


@pytest.mark.respx(assert_all_called=False)
async def test_an_end_in_no_calendar_is_no_end(strange: NodeB, respx_mock: respx.MockRouter) -> None:
    page = {"users": [AN_AGENTS_USER | {"expires_at": 10**18}], "next_after": None}
    respx_mock.get(f"{URL}/agent/v1/users").respond(json=page)

    assert (await only(strange, Protocol.SHADOWSOCKS)).ends_at is None


@pytest.mark.respx(assert_all_called=False)
@pytest.mark.parametrize(
    ("status", "used", "expire", "fits"),
    [
        ("limited", 100 * GIGABYTE, ENDS_AT, True),
        ("limited", 1, ENDS_AT, False),
        ("expired", 1, START, True),
        ("expired", 1, ENDS_AT, False),
        ("active", 1, ENDS_AT, True),
    ],
)
async def test_a_state_must_follow_from_the_numbers(
    strange: NodeB, respx_mock: respx.MockRouter, status: str, used: int, expire: Any, fits: bool
) -> None:
    user = ODD_USER | {
        "proxies": {"vless": {"id": VLESS_ID, "flow": "xtls-rprx-vision"}},
        "inbounds": {"vless": ["VLESS TCP REALITY"]},
        "expire": int(expire.timestamp()),
        "data_limit": 100 * GIGABYTE,
        "status": status,
        "used_traffic": used,
    }
    respx_mock.get(f"{URL}/api/users").respond(json={"users": [user], "total": 1})

    assert (await only(strange, Protocol.VLESS)).fits is fits


@pytest.mark.respx(assert_all_called=False)
@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"users": [{}], "total": 1, "next_after": None}),
        httpx.Response(200, text="<html>"),
        httpx.Response(400, json={"detail": "no"}),
        httpx.Response(422, json={"detail": {"sort": "no"}}),
    ],
    ids=["no page", "no user", "no JSON", "400", "422"],
)
async def test_what_is_no_list_is_no_empty_list(
    strange: NodeB, respx_mock: respx.MockRouter, protocol: Protocol, answer: httpx.Response
) -> None:
    respx_mock.get(url__regex=f"{URL}/(api|agent/v1)/users.*").mock(return_value=answer)

    with pytest.raises(NodeUnavailable):
        await strange.held(protocol, None)


@pytest.mark.respx(assert_all_called=False)
async def test_an_agent_whose_pages_go_round_in_circles_is_not_followed(
    strange: NodeB, respx_mock: respx.MockRouter
) -> None:
    respx_mock.get(f"{URL}/agent/v1/users").respond(json={"users": [AN_AGENTS_USER], "next_after": NAME})
    assert (await strange.held(Protocol.SHADOWSOCKS, None)).next == NAME

    with pytest.raises(NodeUnavailable):
        await strange.held(Protocol.SHADOWSOCKS, NAME)
