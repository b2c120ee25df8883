"""Users with VLESS keys: each of Marzban's traps from FACTS.md, against its stand-in."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from node_a.adapters.node_b import NodeB
from node_a.domain.errors import NodeRefused, NodeUnavailable
from tests.node_a.adapters.node_b.conftest import ENDS_AT, GIGABYTE, NAME, START, VLESS_ID, Site, wanted_access
from tests.sandbox.marzban.openapi import check_exchange

PUT = f"PUT /api/user/{NAME}"
DELETE = f"DELETE /api/user/{NAME}"
LOGIN = "POST /api/admin/token 200"
OTHER_ID = "3f2b8a10-0000-4000-8000-00000000000f"


async def test_a_new_user_has_our_id_and_flow_and_inbound_and_end(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())

    held = (await site.users())[NAME]
    assert held["proxies"] == {"vless": {"id": VLESS_ID, "flow": "xtls-rprx-vision"}}
    assert held["inbounds"] == {"vless": ["VLESS TCP REALITY"]}
    assert held["expire"] == ENDS_AT.timestamp()
    assert held["data_limit"] == 100 * GIGABYTE
    assert held["status"] == "active"


async def test_a_new_user_can_connect_which_links_would_show(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())

    assert len((await site.panel("GET", f"/api/user/{NAME}")).json()["links"]) == 1


async def test_applying_again_changes_nothing(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    before = await site.users()
    await node.apply(wanted_access())

    assert await site.users() == before
    assert await site.calls() == [LOGIN, f"{PUT} 404", "POST /api/user 200", f"{PUT} 200"]


async def test_every_exchange_is_valid_by_the_panels_own_document(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await node.apply(wanted_access(ends_at=ENDS_AT + timedelta(days=30), traffic_limit=None))
    await node.observe()
    await node.apply(wanted_access(present=False))

    exchanges = await site.journal()
    assert [problem for exchange in exchanges for problem in check_exchange(exchange)] == []
    assert len(exchanges) >= 8


async def test_an_extension_moves_the_absolute_end(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await node.apply(wanted_access(revision=4, ends_at=ENDS_AT + timedelta(days=30), traffic_limit=7))

    held = (await site.users())[NAME]
    assert (held["expire"], held["data_limit"]) == (int((ENDS_AT + timedelta(days=30)).timestamp()), 7)
    assert held["proxies"]["vless"]["id"] == VLESS_ID


async def test_new_keys_replace_the_old_id(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await node.apply(wanted_access(revision=4, credential=OTHER_ID))

    assert (await site.users())[NAME]["proxies"]["vless"] == {"id": OTHER_ID, "flow": "xtls-rprx-vision"}


@pytest.mark.parametrize(
    "tampering",
    [
        {"proxies": {"vless": {}}},
        {"inbounds": {"vless": []}},
        {"status": "disabled"},
        {"expire": 0, "data_limit": 0},
        {"expire": int(START.timestamp()) - 5},
        {"expire": int(ENDS_AT.timestamp()) * 1000},
        {"data_limit_reset_strategy": "month"},
    ],
)
async def test_whatever_the_panel_holds_is_put_right(node: NodeB, site: Site, tampering: dict[str, Any]) -> None:
    await node.apply(wanted_access())
    before = await site.users()
    await site.panel("PUT", f"/api/user/{NAME}", tampering)
    assert await site.users() != before

    await node.apply(wanted_access())

    assert await site.users() == before


async def test_a_row_without_proxies_which_poisons_the_list_is_healed(node: NodeB, site: Site) -> None:
    await site.panel("POST", "/api/user", {"username": NAME})
    assert (await site.panel("GET", "/api/users")).status_code == 500

    await node.apply(wanted_access())

    listed = (await site.panel("GET", "/api/users")).json()
    assert [user["inbounds"] for user in listed["users"]] == [{"vless": ["VLESS TCP REALITY"]}]


async def test_an_unlimited_plan_sends_zero_and_a_limit_never_does(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access(traffic_limit=None))

    assert (await site.users())[NAME]["data_limit"] is None
    assert [each["request"]["data_limit"] for each in await site.journal() if each["path"] == "/api/user"] == [0]


async def test_a_part_of_a_second_is_rounded_up(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access(ends_at=ENDS_AT + timedelta(milliseconds=1)))

    assert (await site.users())[NAME]["expire"] == ENDS_AT.timestamp() + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"ends_at": datetime.max.replace(tzinfo=START.tzinfo)},
        {"ends_at": datetime.fromtimestamp(0, START.tzinfo)},
        {"ends_at": ENDS_AT.replace(tzinfo=None)},
        {"traffic_limit": 0},
        {"traffic_limit": -1},
        {"credential": "no uuid"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_what_the_panel_would_choke_on_is_never_sent(node: NodeB, site: Site, changes: dict[str, Any]) -> None:
    with pytest.raises(NodeRefused):
        await node.apply(wanted_access(**changes))

    assert await site.calls() == []


async def test_no_request_holds_a_null(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access(traffic_limit=None))
    await node.apply(wanted_access(traffic_limit=None))

    bodies = [each["request"] for each in await site.journal() if each["path"] != "/api/admin/token"]
    assert len(bodies) == 3
    assert all(value is not None for body in bodies for value in body.values())


async def test_a_user_over_its_limit_is_limited_and_that_is_no_failure(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access(traffic_limit=100))
    await site.control("traffic", name=NAME, bytes=100)

    await node.apply(wanted_access(traffic_limit=100))
    assert (await site.users())[NAME]["status"] == "limited"

    await node.apply(wanted_access(traffic_limit=101))
    assert (await site.users())[NAME]["status"] == "active"


async def test_an_end_in_the_past_is_applied_too(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await node.apply(wanted_access(ends_at=START - timedelta(hours=1)))

    assert (await site.users())[NAME]["status"] == "expired"


async def test_a_user_that_is_not_wanted_goes_and_absence_is_no_error(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await node.apply(wanted_access(present=False))
    await node.apply(wanted_access(present=False))

    assert await site.users() == {}
    assert (await site.calls())[-2:] == [f"{DELETE} 200", f"{DELETE} 404"]


async def test_a_user_that_appears_between_asking_and_creating_is_modified(node: NodeB, site: Site) -> None:
    # Two applications side by side: both find nobody, one creates, the other is told 409.
    first, second = NodeB(site.account(), clock=lambda: START), NodeB(site.account(), clock=lambda: START)
    async with first, second:
        await asyncio.gather(*(each.apply(wanted_access()) for each in (first, second) for _ in range(4)))

    calls = await site.calls()
    assert calls.count("POST /api/user 200") == 1
    assert "POST /api/user 409" in calls
    assert (await site.users())[NAME]["proxies"]["vless"]["id"] == VLESS_ID


@pytest.mark.parametrize("fault", ["500_after_work", "drop", "drop_after_work"])
@pytest.mark.parametrize("present", [True, False])
async def test_a_call_that_broke_in_the_middle_is_finished_at_once(
    node: NodeB, site: Site, fault: str, present: bool
) -> None:
    await node.apply(wanted_access(present=not present))
    await site.control("faults", next=fault)

    await node.apply(wanted_access(present=present))

    assert (NAME in await site.users()) is present


@pytest.mark.parametrize(("fault", "answer"), [("500_after_work", "500"), ("drop_after_work", "None")])
async def test_a_creation_with_an_unknown_outcome_is_found_again(
    node: NodeB, site: Site, fault: str, answer: str
) -> None:
    await node.observe()  # so that the next POST is no login
    await site.control("faults", next=fault, method="POST")

    await node.apply(wanted_access())

    assert (await site.calls())[-2:] == [f"POST /api/user {answer}", f"{PUT} 200"]
    assert (await site.users())[NAME]["expire"] == ENDS_AT.timestamp()


async def test_a_panel_that_keeps_failing_is_unavailable(node: NodeB, site: Site) -> None:
    await site.control("faults", next="500_after_work", count=2, method="PUT")  # the call and its one repetition

    with pytest.raises(NodeUnavailable):
        await node.apply(wanted_access())


async def test_after_a_500_the_closed_connection_harms_nobody(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    for round in range(20):
        await site.control("faults", next="500_after_work")
        await node.apply(wanted_access(ends_at=ENDS_AT + timedelta(seconds=round)))

    assert (await site.users())[NAME]["expire"] == ENDS_AT.timestamp() + 19


async def test_a_panel_that_is_down_is_unavailable_and_works_again_afterwards(node: NodeB, site: Site) -> None:
    site.troubles.marzban_down = True
    with pytest.raises(NodeUnavailable):
        await node.apply(wanted_access())

    site.troubles.marzban_down = False
    await node.apply(wanted_access())

    assert NAME in await site.users()
