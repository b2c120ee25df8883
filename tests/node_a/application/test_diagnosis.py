"""It does not work? Each cause is found, has one remedy, and what is told to the support holds no secret."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.application.diagnosis import CaseFacts, Finding, KeyFacts, Remedy, Trouble, diagnose
from node_a.application.ports import Count
from node_a.application.repair import NOT_AGAIN_FOR, Repaired
from node_a.application.statistics import NodeTroubles
from node_a.domain.customer import CustomerId, Language, Standing
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId, SubscriptionState
from tests.builders import ANNA, DAY, MONTH, NOW
from tests.fakes.operations import Operations
from tests.fakes.shop import ShopUnderTest

DE1, DE2 = NodeCode("de1"), NodeCode("de2")
BOTH = frozenset(Protocol)
JUST_NOW = NOW - timedelta(minutes=20)


def keys(**changes: Any) -> list[KeyFacts]:
    """Two nodes, each protocol; all of them work and were used."""
    return [
        replace(KeyFacts(Keeper(code, protocol), works=True, used_at=JUST_NOW), **changes)
        for code in (DE1, DE2)
        for protocol in Protocol
    ]


def a_case(**changes: Any) -> CaseFacts:
    case = CaseFacts(
        ANNA.id,
        Standing.GOOD,
        SubscriptionId(UUID(int=5)),
        SubscriptionState.ACTIVE,
        NOW + 3 * DAY,
        keys=keys(),
        nodes={code: NodeTroubles(is_known=True) for code in (DE1, DE2)},
        may_rotate=True,
    )
    return replace(case, **changes)


def troubles_with(code: NodeCode, **changes: Any) -> dict[NodeCode, NodeTroubles]:
    return {**a_case().nodes, code: NodeTroubles(is_known=True, **changes)}


def said(case: CaseFacts) -> list[tuple[Trouble, Remedy]]:
    return [(finding.trouble, finding.remedy) for finding in diagnose(case, NOW)]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"standing": Standing.BANNED}, (Trouble.BANNED, Remedy.SUPPORT)),
        ({"standing": Standing.DELETED}, (Trouble.BEING_ERASED, Remedy.SUPPORT)),
        ({"state": None, "keys": ()}, (Trouble.NOTHING_BOUGHT, Remedy.CHOOSE_PLAN)),
        ({"state": SubscriptionState.EXPIRED}, (Trouble.EXPIRED, Remedy.RENEW)),
        ({"state": SubscriptionState.SUSPENDED}, (Trouble.TRAFFIC_USED_UP, Remedy.RENEW)),
    ],
)
def test_where_no_key_can_work_only_that_is_said(changes: dict[str, Any], found: Any) -> None:
    everything_else = {"nodes": troubles_with(DE1, broken=BOTH, clock_off=60.0), "keys": keys(works=False)}
    assert said(a_case(**{**everything_else, **changes})) == [found]


def test_in_grace_renewing_comes_first_and_what_else_is_wrong_after_it() -> None:
    case = a_case(state=SubscriptionState.GRACE, nodes=troubles_with(DE1, broken=BOTH))
    assert said(case) == [(Trouble.IN_GRACE, Remedy.RENEW), (Trouble.SERVER_DOWN, Remedy.REFRESH_LINK)]
    assert said(a_case(state=SubscriptionState.GRACE)) == [(Trouble.IN_GRACE, Remedy.RENEW)]


def test_a_server_that_is_down_is_named_and_the_link_has_the_others() -> None:
    [finding] = diagnose(a_case(nodes=troubles_with(DE1, broken=BOTH)), NOW)
    both = [Keeper(DE1, protocol) for protocol in Protocol]
    assert finding == Finding(Trouble.SERVER_DOWN, Remedy.REFRESH_LINK, both)


def test_one_protocol_that_is_down_is_named_alone() -> None:
    [finding] = diagnose(a_case(nodes=troubles_with(DE2, broken=frozenset({Protocol.VLESS}))), NOW)
    assert finding.keepers == [Keeper(DE2, Protocol.VLESS)]


def test_when_no_server_answers_nobody_is_sent_to_another_one() -> None:
    down = {code: NodeTroubles(is_known=True, broken=BOTH) for code in (DE1, DE2)}
    assert said(a_case(nodes=down)) == [(Trouble.NO_SERVER_ANSWERS, Remedy.LOOK_AGAIN)]


def test_a_key_that_its_node_does_not_hold_yet_can_be_sent_again() -> None:
    some = [replace(keys()[0], works=False), *keys()[1:]]
    [finding] = diagnose(a_case(keys=some), NOW)
    assert finding == Finding(Trouble.KEYS_ON_THE_WAY, Remedy.REPAIR, [some[0].keeper])


def test_a_key_on_a_server_that_is_down_is_not_called_on_its_way() -> None:
    some = [replace(keys()[0], works=False), *keys()[1:]]
    nodes = troubles_with(DE1, broken=frozenset({some[0].keeper.protocol}))
    assert said(a_case(keys=some, nodes=nodes)) == [(Trouble.SERVER_DOWN, Remedy.REFRESH_LINK)]


def test_a_subscription_without_any_key_gets_some() -> None:
    assert said(a_case(keys=())) == [(Trouble.KEYS_ON_THE_WAY, Remedy.REPAIR)]


def test_a_server_whose_clock_is_off_matters_to_its_shadowsocks_key_alone() -> None:
    [finding] = diagnose(a_case(nodes=troubles_with(DE1, clock_off=-45.0)), NOW)
    assert finding == Finding(Trouble.SERVER_CLOCK, Remedy.REFRESH_LINK, [Keeper(DE1, Protocol.SHADOWSOCKS)])


def test_a_key_that_was_never_used_leads_to_the_guide_and_to_the_phones_clock() -> None:
    expected = [(Trouble.NEVER_USED, Remedy.GUIDE), (Trouble.PHONE_CLOCK, Remedy.LOOK_AGAIN)]
    assert said(a_case(keys=keys(used_at=None))) == expected


def test_keys_that_rest_for_more_than_a_day_are_sent_again() -> None:
    found = said(a_case(keys=keys(used_at=NOW - timedelta(hours=25))))
    assert found == [(Trouble.NOT_USED_LATELY, Remedy.REPAIR), (Trouble.PHONE_CLOCK, Remedy.LOOK_AGAIN)]


@pytest.mark.parametrize(("may_rotate", "remedy"), [(True, Remedy.NEW_KEYS), (False, Remedy.SUPPORT)])
def test_where_nothing_is_found_new_keys_help_or_a_person_does(may_rotate: bool, remedy: Remedy) -> None:
    assert said(a_case(may_rotate=may_rotate)) == [(Trouble.NOTHING_FOUND, remedy)]


def test_shadowsocks_alone_unused_hints_at_the_phones_clock() -> None:
    unused = [replace(key, used_at=None) if key.keeper.protocol is Protocol.SHADOWSOCKS else key for key in keys()]
    assert said(a_case(keys=unused))[-1] == (Trouble.PHONE_CLOCK, Remedy.LOOK_AGAIN)


moments = st.none() | st.timedeltas(timedelta(0), 60 * DAY).map(lambda ago: NOW - ago)
some_keys = st.lists(
    st.builds(
        KeyFacts,
        st.builds(Keeper, st.sampled_from([DE1, DE2]), st.sampled_from(Protocol)),
        st.booleans(),
        moments,
    ),
    max_size=4,
)
some_nodes = st.builds(
    NodeTroubles, st.just(True), st.frozensets(st.sampled_from(Protocol)), st.none() | st.floats(21, 90)
)


@given(
    standing=st.sampled_from(Standing),
    state=st.none() | st.sampled_from(SubscriptionState),
    keys=some_keys,
    nodes=st.dictionaries(st.sampled_from([DE1, DE2]), some_nodes),
    may_rotate=st.booleans(),
)
def test_something_is_always_said_and_nothing_twice(**changes: Any) -> None:
    found = [finding.trouble for finding in diagnose(a_case(**changes), NOW)]
    assert found
    assert len(found) == len(set(found))


# ── asked of a shop ──


def asked(shop: ShopUnderTest, id: CustomerId = ANNA.id) -> list[tuple[Trouble, Remedy]]:
    return [(one.trouble, one.remedy) for one in shop.diagnose(id, Language.RUSSIAN).findings]


def all_used(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.traffic.count([Count(id, 1000) for id in shop.node.holds], shop.now)


def test_somebody_without_a_subscription_is_shown_the_plans(shop: ShopUnderTest) -> None:
    assert asked(shop) == [(Trouble.BEING_ERASED, Remedy.SUPPORT)], "nobody knows them (any more)"
    shop.registers()
    assert asked(shop) == [(Trouble.NOTHING_BOUGHT, Remedy.CHOOSE_PLAN)]


def test_a_customers_way_from_the_purchase_to_the_end(shop: ShopUnderTest) -> None:
    shop.buys()
    shop.settles()
    assert asked(shop) == [(Trouble.KEYS_ON_THE_WAY, Remedy.REPAIR)]
    shop.provides()
    assert asked(shop)[0] == (Trouble.NEVER_USED, Remedy.GUIDE)
    all_used(shop)
    assert asked(shop) == [(Trouble.NOTHING_FOUND, Remedy.NEW_KEYS)]
    for number in range(3):
        shop.rotate_keys(ANNA.id, shown=number)
    shop.provides()
    assert asked(shop) == [(Trouble.NOTHING_FOUND, Remedy.SUPPORT)]
    shop.passes(MONTH.period)
    assert asked(shop) == [(Trouble.EXPIRED, Remedy.RENEW)]


def test_a_banned_customer_is_sent_to_the_support(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    operations = Operations(shop)
    operations.ban(operations.says(), ANNA.id)
    assert asked(shop) == [(Trouble.BANNED, Remedy.SUPPORT)]
    assert shop.diagnose(ANNA.id, Language.RUSSIAN).link is None


def test_a_node_that_was_seen_down_is_found(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    seen = replace(shop.node.observation, at=shop.now, vless_ready=False, clock_off=41.0)
    with shop.database.open_ledger() as ledger:
        ledger.nodes.observed({DE1: seen})

    found = shop.diagnose(ANNA.id, Language.RUSSIAN).findings

    assert [(one.trouble, list(one.keepers)) for one in found[:2]] == [
        (Trouble.SERVER_DOWN, [Keeper(DE1, Protocol.VLESS)]),
        (Trouble.SERVER_CLOCK, [Keeper(DE1, Protocol.SHADOWSOCKS)]),
    ]


def test_the_facts_hold_no_key_and_no_link(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    diagnosis = shop.diagnose(ANNA.id, Language.RUSSIAN)
    assert diagnosis.link is not None
    secrets = [diagnosis.link, diagnosis.link.rpartition("/")[2], *(one.credential for one in shop.node.holds.values())]
    assert len(secrets) == 4
    assert not any(secret in repr(diagnosis) for secret in secrets)


# ── a repair ──


def test_a_repair_sends_every_key_to_every_node_once_more(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    before = dict(shop.node.holds)
    shop.node.holds.clear()  # somebody has wiped the panel
    shop.passes(timedelta(minutes=1))

    assert shop.repair_keys(ANNA.id) is Repaired.SENT
    assert shop.provides() == []

    assert shop.node.holds == before
    assert shop.letters() == ["KeysReady"], "nothing is told twice"


def test_a_repair_brings_back_an_access_that_was_forgotten(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    with shop.database.open_ledger() as ledger:
        ledger.accesses.want(ledger.accesses.of_subscription(shop.subscription().id), present=False, due_at=shop.now)
    shop.provides()
    assert shop.node.holds == {}

    shop.repair_keys(ANNA.id)
    shop.provides()

    assert len(shop.node.holds) == 2


def test_a_second_repair_waits_for_a_few_minutes(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.repair_keys(ANNA.id)
    shop.provides()
    shop.node.applied.clear()

    assert shop.repair_keys(ANNA.id) is Repaired.SENT_BEFORE
    assert shop.provides() == []
    assert shop.node.applied == []

    shop.passes(NOT_AGAIN_FOR)
    assert shop.repair_keys(ANNA.id) is Repaired.SENT


def test_ones_repair_does_not_make_another_wait(shop: ShopUnderTest) -> None:
    boris = CustomerId(7_000_000_002)
    for id in (ANNA.id, boris):
        shop.buys(customer_id=id)
    shop.works()
    assert [shop.repair_keys(id) for id in (ANNA.id, boris)] == [Repaired.SENT] * 2


def test_where_no_days_are_left_nothing_is_sent(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(MONTH.period)
    assert shop.repair_keys(ANNA.id) is Repaired.NOTHING_TO_SEND
    shop.works()
    assert shop.node.holds == {}


def test_the_banned_are_not_repaired(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    operations = Operations(shop)
    operations.ban(operations.says(), ANNA.id)
    assert shop.repair_keys(ANNA.id) is Repaired.NOTHING_TO_SEND
    shop.works()
    assert shop.node.holds == {}


def test_what_could_not_be_sent_goes_as_soon_as_the_node_answers(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.node.fails_with = {Protocol.VLESS: NodeUnavailable("down")}
    shop.repair_keys(ANNA.id)
    shop.node.holds.clear()
    shop.provides()
    shop.node.fails_with = {}
    shop.passes(timedelta(minutes=5))
    shop.provides()
    assert len(shop.node.holds) == 2
