"""Users with Shadowsocks keys, against the agent's stand-in."""

from datetime import timedelta
from typing import Any

import pytest

from node_a.adapters.node_b import NodeB
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
from node_a.domain.node import Protocol
from tests.node_a.adapters.node_b.conftest import (
    ENDS_AT,
    GIGABYTE,
    NAME,
    SHADOWSOCKS_KEY,
    START,
    Site,
    wanted_access,
)


def wanted(**changes: Any) -> Any:
    return wanted_access(Protocol.SHADOWSOCKS, **changes)


async def test_the_agent_is_told_everything(node: NodeB, site: Site) -> None:
    await node.apply(wanted())

    assert (await site.users("agent"))[NAME] == {
        "name": NAME,
        "key": SHADOWSOCKS_KEY,
        "expires_at": int(ENDS_AT.timestamp()),
        "traffic_limit": 100 * GIGABYTE,
        "revision": 3,
        "used_traffic": 0,
        "enabled": True,
    }
    assert await site.users("marzban") == {}


async def test_applying_again_changes_nothing(node: NodeB, site: Site) -> None:
    for _ in range(2):
        await node.apply(wanted())

    assert len(await site.users("agent")) == 1


async def test_a_user_that_is_not_wanted_goes_and_absence_is_no_error(node: NodeB, site: Site) -> None:
    await node.apply(wanted())
    for _ in range(2):
        await node.apply(wanted(present=False, revision=4))

    assert await site.users("agent") == {}


@pytest.mark.parametrize("present", [True, False])
async def test_an_overtaken_revision_is_refused(node: NodeB, site: Site, present: bool) -> None:
    await node.apply(wanted(revision=5))
    before = await site.users("agent")

    with pytest.raises(NodeIsAhead, match="newer revision \\(5\\)") as refusal:
        await node.apply(wanted(revision=4, present=present))

    assert refusal.value.revision == 5

    assert await site.users("agent") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"credential": "c2hvcnQ="},
        {"traffic_limit": 0},
        {"ends_at": ENDS_AT.replace(tzinfo=None)},
        {"ends_at": ENDS_AT.replace(year=9999)},
        {"revision": 0},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_what_the_agent_would_refuse_is_never_sent(node: NodeB, site: Site, changes: dict[str, Any]) -> None:
    with pytest.raises(NodeRefused) as refusal:
        await node.apply(wanted(**changes))

    assert await site.calls("agent") == []
    assert "c2hvcnQ=" not in _whole_story(refusal.value)


@pytest.mark.parametrize("fault", ["500_after_work", "drop", "drop_after_work"])
async def test_a_call_that_broke_in_the_middle_is_finished_at_once(node: NodeB, site: Site, fault: str) -> None:
    await site.control("faults", "agent", next=fault)

    await node.apply(wanted())

    assert NAME in await site.users("agent")


async def test_an_agent_that_is_down_is_unavailable(node: NodeB, site: Site) -> None:
    site.troubles.agent_down = True

    with pytest.raises(NodeUnavailable) as failure:
        await node.apply(wanted())

    assert not failure.value.answered


async def test_a_wrong_token_holds_back_everybody_and_is_not_repeated_in_words(site: Site) -> None:
    async with NodeB(site.account(agent_token="fake-wrong-token"), clock=lambda: START) as node:
        with pytest.raises(NodeUnavailable, match="credentials are refused") as refusal:
            await node.apply(wanted())

    assert not refusal.value.answered

    assert "fake-wrong-token" not in _whole_story(refusal.value)


async def test_an_end_in_the_past_is_held_and_not_enabled(node: NodeB, site: Site) -> None:
    await node.apply(wanted(ends_at=START - timedelta(seconds=1)))

    assert (await site.users("agent"))[NAME]["enabled"] is False


def _whole_story(error: BaseException | None) -> str:
    """The texts of an error and of all its causes, as a log would show them."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)
