"""What is said of the servers is what was seen, and the best key comes first."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from node_a.application.overview import ViewSubscription
from node_a.application.ports import NodeRecord
from node_a.application.statistics import NodeTroubles, ServerView, ShowServers, troubles
from node_a.domain.access import AccessId
from node_a.domain.customer import Language
from node_a.domain.node import Node, NodeCode, NodeObservation, NodeState, Protocol
from tests.builders import NOW, a_node
from tests.fakes.shop import ShopUnderTest

DE1, FI1, OLD = NodeCode("de1"), NodeCode("fi1"), NodeCode("old")
WELL: Final = NodeObservation(NOW, True, True, vless_reachable=True, shadowsocks_reachable=True, clock_off=0.1)
BUSY: Final = replace(WELL, cpu_percent=95.0)
DEAD: Final = NodeObservation(NOW, False, False)
EVERY: Final = timedelta(seconds=30)
BOTH: Final = frozenset(Protocol)


def looks(shop: ShopUnderTest, nodes: list[Node], *sights: NodeObservation, times: int) -> None:
    record = replace(shop.record_observations, nodes=nodes)
    for _ in range(times):
        now = shop.now
        seen = {node.code: replace(sight, at=now) for node, sight in zip(nodes, sights, strict=True)}
        shop.database.write(lambda ledger: record(ledger, seen, now))  # noqa: B023 — at once
        shop.passes(EVERY)


def records(shop: ShopUnderTest) -> list[NodeRecord]:
    with shop.ledger() as ledger:
        return list(ledger.nodes.all())


def troubles_of(shop: ShopUnderTest, sight: NodeObservation) -> NodeTroubles:
    """After the node has looked so twice."""
    nodes = [a_node()]
    looks(shop, nodes, sight, times=2)
    return troubles(nodes, records(shop), shop.now)[DE1]


@pytest.mark.parametrize(
    ("sight", "broken"),
    [
        (WELL, frozenset()),
        (DEAD, BOTH),
        (replace(WELL, vless_ready=False, vless_reachable=None), {Protocol.VLESS}),
        (replace(WELL, shadowsocks_reachable=False), {Protocol.SHADOWSOCKS}),
        (replace(WELL, vless_ready=False, shadowsocks_reachable=False), {Protocol.SHADOWSOCKS}),
        (replace(WELL, vless_ready=False, shadowsocks_ready=False), frozenset()),  # its ports answer
    ],
)
def test_troubles_are_what_customers_would_notice(
    shop: ShopUnderTest, sight: NodeObservation, broken: frozenset[Protocol]
) -> None:
    seen = troubles_of(shop, sight)
    assert (seen.is_known, seen.broken, seen.is_reachable) == (True, broken, broken != BOTH)
    assert (seen.since == NOW) == bool(broken)


@pytest.mark.parametrize(("clock_off", "told"), [(20.5, 20.5), (-25.0, -25.0), (20.0, None), (None, None)])
def test_a_clock_is_a_trouble_when_it_is_far_off(
    shop: ShopUnderTest, clock_off: float | None, told: float | None
) -> None:
    assert troubles_of(shop, replace(WELL, clock_off=clock_off)).clock_off == told


def test_of_a_node_that_nobody_looks_at_nothing_is_claimed(shop: ShopUnderTest) -> None:
    nodes = [a_node("de1"), a_node("fi1")]
    looks(shop, nodes[:1], DEAD, times=6)
    shop.passes(timedelta(minutes=6))

    seen = troubles(nodes, records(shop), shop.now)

    assert seen == {DE1: NodeTroubles(), FI1: NodeTroubles()}
    assert seen[DE1].is_reachable


def views(shop: ShopUnderTest, nodes: list[Node], for_operator: bool = False) -> list[ServerView]:
    show = ShowServers(read_ledger=shop.database.read_ledger, nodes=nodes, clock=lambda: shop.now)
    return show(for_operator)


NODES: Final = [
    a_node("old", state=NodeState.RETIRED),
    a_node("fi1", state=NodeState.DRAINING),
    a_node("de1"),
]


def test_customers_see_what_they_may_have_keys_on_and_operators_everything(shop: ShopUnderTest) -> None:
    assert [view.node.code for view in views(shop, NODES)] == [DE1, FI1]
    assert [view.node.code for view in views(shop, NODES, for_operator=True)] == [DE1, FI1, OLD]


def test_operators_see_how_many_keys_are_still_on_a_node_that_is_to_go(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    subscription = shop.subscription().id
    with shop.database.open_ledger() as ledger:
        for node, present in ((FI1, True), (OLD, False)):
            ledger.accesses.want([AccessId(subscription, node, Protocol.VLESS)], present=present, due_at=shop.now)

    assert [view.keys_left for view in views(shop, NODES, for_operator=True)] == [None, 1, 1]
    assert [view.keys_left for view in views(shop, NODES)] == [None, None]


def test_since_when_a_server_is_silent_is_known_before_it_is_sure(shop: ShopUnderTest) -> None:
    nodes = [a_node("de1")]
    looks(shop, nodes, WELL, times=1)
    looks(shop, nodes, DEAD, times=1)
    assert views(shop, nodes)[0].since == NOW + EVERY
    looks(shop, nodes, DEAD, times=20)
    assert views(shop, nodes)[0].since == NOW + EVERY
    looks(shop, nodes, WELL, times=1)
    assert views(shop, nodes)[0].since is None


def test_gates_that_are_closed_now_are_shown(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.nodes.observed({DE1: WELL})
        ledger.nodes.gate_closed(DE1, Protocol.VLESS, shop.now, 0.5)
    assert views(shop, [a_node("de1")])[0].waiting == {Protocol.VLESS}
    shop.passes(timedelta(minutes=2))
    assert views(shop, [a_node("de1")])[0].waiting == frozenset()


# ── the order of keys ──


def labels(shop: ShopUnderTest, nodes: list[Node]) -> list[str]:
    view: ViewSubscription = replace(shop.view, nodes=nodes)
    with shop.ledger() as ledger:
        return [key.label for key in view(ledger, shop.subscription(), Language.ENGLISH).keys]


def has_keys_on(shop: ShopUnderTest, nodes: list[Node]) -> None:
    shop.buys_and_gets()
    subscription = shop.subscription().id
    ids = [AccessId(subscription, node.code, protocol) for node in nodes for protocol in Protocol]
    with shop.database.open_ledger() as ledger:
        ledger.accesses.want(ids, present=True, due_at=shop.now)
    gateways = {node.code: shop.node for node in nodes}
    shop.provide_access = replace(shop.provide_access, nodes=gateways)
    assert shop.provides() == []


def keys_of(*codes: str) -> list[str]:
    return [f"Germany {code} · {protocol}" for code in codes for protocol in ("VLESS", "Shadowsocks")]


def test_keys_of_the_healthy_and_idle_come_first_and_of_the_silent_last(shop: ShopUnderTest) -> None:
    nodes = [a_node("dead"), a_node("busy"), a_node("idle")]
    has_keys_on(shop, nodes)
    assert labels(shop, nodes) == keys_of("dead", "busy", "idle"), "as in the settings while nothing is known"

    looks(shop, nodes, DEAD, BUSY, replace(WELL, cpu_percent=5.0), times=6)
    assert labels(shop, nodes) == keys_of("idle", "busy", "dead")


def test_the_order_waits_until_an_outage_is_sure(shop: ShopUnderTest) -> None:
    nodes = [a_node("de1"), a_node("fi1")]
    has_keys_on(shop, nodes)
    looks(shop, nodes, WELL, WELL, times=1)
    looks(shop, nodes, DEAD, WELL, times=2)
    assert labels(shop, nodes) == keys_of("de1", "fi1")
    looks(shop, nodes, DEAD, WELL, times=5)
    assert labels(shop, nodes) == keys_of("fi1", "de1")


def test_a_node_that_is_to_go_is_offered_behind_those_that_stay(shop: ShopUnderTest) -> None:
    nodes = [a_node("fi1", state=NodeState.DRAINING), a_node("de1"), a_node("old", state=NodeState.RETIRED)]
    has_keys_on(shop, nodes)
    looks(shop, nodes, WELL, BUSY, WELL, times=2)
    assert labels(shop, nodes) == keys_of("de1", "fi1")


def test_the_protocol_that_works_is_the_first_of_its_node(shop: ShopUnderTest) -> None:
    nodes = [a_node("de1")]
    has_keys_on(shop, nodes)
    looks(shop, nodes, replace(WELL, vless_reachable=False), times=6)
    assert labels(shop, nodes) == ["Germany de1 · Shadowsocks", "Germany de1 · VLESS"]
