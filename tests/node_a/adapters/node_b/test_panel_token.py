"""The panel's token: fetched once, renewed once, shared."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from node_a.adapters.node_b import NodeB
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId
from tests.node_a.adapters.node_b.conftest import ENDS_AT, START, Site, wanted_access

LOGIN = "POST /api/admin/token 200"


def many_accesses(count: int) -> list[WantedAccess]:
    return [
        WantedAccess(
            id=AccessId(SubscriptionId(UUID(int=number)), NodeCode("de1"), Protocol.VLESS),
            revision=1,
            present=True,
            ends_at=ENDS_AT,
            traffic_limit=None,
            credential=str(UUID(int=number, version=4)),
        )
        for number in range(count)
    ]


async def test_twenty_calls_at_once_log_in_once(node: NodeB, site: Site) -> None:
    await asyncio.gather(*(node.apply(wanted) for wanted in many_accesses(20)))

    assert (await site.calls()).count(LOGIN) == 1
    assert len(await site.users()) == 20


async def test_twenty_calls_with_an_expired_token_renew_it_once(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    site.time.now = START + timedelta(hours=24)

    await asyncio.gather(*(node.apply(wanted) for wanted in many_accesses(20)))

    assert (await site.calls()).count(LOGIN) == 2
    assert len(await site.users()) == 21


async def test_a_single_401_is_overcome(node: NodeB, site: Site) -> None:
    await node.apply(wanted_access())
    await site.control("faults", next="401")

    await node.apply(wanted_access())

    assert (await site.calls()).count(LOGIN) == 2


async def test_a_panel_that_refuses_fresh_tokens_is_not_asked_for_ever(node: NodeB, site: Site) -> None:
    await site.control("faults", next="401", count=100)

    with pytest.raises(NodeUnavailable, match="credentials are refused") as refusal:
        await node.apply(wanted_access())

    assert not refusal.value.answered  # it is the same for every access

    assert (await site.calls()).count(LOGIN) == 2


async def test_a_wrong_password_holds_back_everybody_and_is_not_repeated_in_words(site: Site) -> None:
    account = site.account(panel_password="fake-wrong-password")
    async with NodeB(account, clock=lambda: START) as node:
        with pytest.raises(NodeUnavailable, match="credentials are refused") as refusal:
            await node.apply(wanted_access())

    assert not refusal.value.answered
    assert "fake-wrong-password" not in str(refusal.value)
    assert "fake-wrong-password" not in repr(account)


async def test_a_failed_login_is_shared_and_forgotten(node: NodeB, site: Site) -> None:
    site.troubles.marzban_down = True
    outcomes = await asyncio.gather(*(node.apply(wanted) for wanted in many_accesses(5)), return_exceptions=True)
    assert all(isinstance(outcome, NodeUnavailable) for outcome in outcomes)

    site.troubles.marzban_down = False
    await node.apply(wanted_access())

    assert len(await site.users()) == 1


async def test_a_caller_that_gives_up_does_not_take_the_login_from_the_others(node: NodeB, site: Site) -> None:
    first = asyncio.create_task(node.apply(wanted_access()))
    await asyncio.sleep(0)
    second = asyncio.create_task(node.apply(many_accesses(1)[0]))
    await asyncio.sleep(0)
    first.cancel()

    await second

    assert first.cancelled()
    assert (await site.calls()).count(LOGIN) == 1
