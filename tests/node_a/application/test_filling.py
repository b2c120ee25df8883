"""Filling: what the settings say of a node comes into effect: keys for everybody, for nobody, or as they are."""

import asyncio
from datetime import timedelta

import pytest

from node_a.application.acts import Instruction, PerformAct
from node_a.application.banning import BanCustomer
from node_a.application.filling import hasten_filling
from node_a.application.jobs import Job, ensure_jobs
from node_a.application.ports import AccessClaim, Activity, Urgency
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import Keeper, NodeCode, NodeState, Protocol
from tests.builders import ANNA, DAY, OLGA
from tests.fakes.shop import LEASE, ShopUnderTest

DE, FI = NodeCode("de1"), NodeCode("fi1")
CUSTOMERS = [CustomerId(100 + number) for number in range(5)]
DOWN = {protocol: NodeUnavailable("down") for protocol in Protocol}


def everybody_buys(shop: ShopUnderTest) -> None:
    for customer in CUSTOMERS:
        shop.buys(customer_id=customer)
    shop.works()


def rows_at(shop: ShopUnderTest, node: NodeCode) -> int:
    with shop.ledger() as ledger:
        subscriptions = [ledger.subscriptions.of_customer(customer) for customer in [ANNA.id, *CUSTOMERS]]
        ids = [one.id for one in subscriptions if one is not None]
        return sum(access.node == node for id in ids for access in ledger.accesses.of_subscription(id))


def bans(shop: ShopUnderTest, number: int = 1) -> None:
    perform = PerformAct(write=shop.database.write, clock=lambda: shop.now)
    BanCustomer(perform=perform, operators=frozenset())(Instruction(number, OLGA), ANNA.id)


def test_a_node_that_is_added_gets_a_key_of_everybody(shop: ShopUnderTest) -> None:
    everybody_buys(shop)
    shop.sets("fi1", NodeState.ACTIVE)

    filling = shop.fills()
    shop.provides()

    assert filling.added == {FI: 2 * len(CUSTOMERS)}
    assert len(shop.nodes[FI].holds) == 2 * len(CUSTOMERS)
    assert {id.subscription_id for id in shop.nodes[FI].holds} == {id.subscription_id for id in shop.node.holds}
    assert {wanted.revision for wanted in shop.nodes[FI].holds.values()} == {1}


def test_filling_twice_changes_nothing(shop: ShopUnderTest) -> None:
    everybody_buys(shop)
    shop.sets("fi1", NodeState.ACTIVE)
    shop.fills()
    shop.provides()
    told = len(shop.nodes[FI].applied)

    again = shop.fills()
    shop.provides()

    assert (again.added, again.removed) == ({}, {})
    assert len(shop.nodes[FI].applied) == told


def test_keys_that_are_filled_in_are_no_news_to_the_customer(shop: ShopUnderTest) -> None:
    everybody_buys(shop)
    shop.messenger.sent.clear()
    shop.sets("fi1", NodeState.ACTIVE)

    shop.fills()
    shop.works()
    shop.passes(timedelta(minutes=1))
    shop.works()

    assert shop.messenger.sent == []


def test_keys_ready_is_said_once_although_a_filled_node_is_the_first_to_have_them(shop: ShopUnderTest) -> None:
    shop.node.fails_with = DOWN
    shop.buys()
    shop.works()
    shop.sets("fi1", NodeState.ACTIVE)

    shop.fills()
    shop.provides()
    shop.passes(timedelta(seconds=1))
    shop.delivers()

    assert shop.letters() == ["KeysReady"]
    shop.node.fails_with = {}
    shop.passes(timedelta(minutes=5))
    shop.works()
    assert shop.letters() == ["KeysReady"]
    assert len(shop.node.holds) == 2


def test_a_purchase_goes_before_the_keys_that_are_filled_in(shop: ShopUnderTest) -> None:
    everybody_buys(shop)
    shop.sets("fi1", NodeState.ACTIVE)
    shop.fills()
    shop.buys()
    shop.settles()

    with shop.database.open_ledger() as ledger:
        claims = ledger.accesses.claim_due(shop.now, shop.now + LEASE, 3, keeper=Keeper(FI, Protocol.VLESS))

    assert [claim.urgency for claim in claims] == [Urgency.CUSTOMER, Urgency.UPKEEP, Urgency.UPKEEP]
    assert claims[0].id.subscription_id == shop.subscription().id


def nothing_of_anna_is_filled_in(shop: ShopUnderTest) -> None:
    shop.sets("fi1", NodeState.ACTIVE)
    assert shop.fills().added == {}
    shop.works()
    assert rows_at(shop, FI) == 0
    assert shop.nodes[FI].applied == []


def test_a_banned_customer_is_not_filled_in(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    bans(shop)

    nothing_of_anna_is_filled_in(shop)


def test_of_somebody_banned_nothing_is_filled_in_even_while_the_days_are_still_planned(shop: ShopUnderTest) -> None:
    """The standing counts, and not only that nothing more is planned for the subscription."""
    shop.buys_and_gets()
    with shop.database.open_ledger() as ledger:
        customer = ledger.customers.find(ANNA.id)
        assert customer is not None
        ledger.customers.save(customer.now_in(Standing.BANNED))

    nothing_of_anna_is_filled_in(shop)


def test_a_customer_who_is_being_erased_is_not_filled_in(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.leaves()

    nothing_of_anna_is_filled_in(shop)


def test_an_expired_subscription_is_not_filled_in(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(30 * DAY)

    nothing_of_anna_is_filled_in(shop)


def test_a_suspended_subscription_is_not_filled_in(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    with shop.database.open_ledger() as ledger:
        suspended = shop.subscription().suspended_now()
        ledger.subscriptions.save(suspended, remind_at=None, expire_at=suspended.next_change(shop.now))

    nothing_of_anna_is_filled_in(shop)


def test_somebody_banned_between_filling_and_the_work_gets_no_key(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.sets("fi1", NodeState.ACTIVE)
    shop.fills()

    bans(shop)
    shop.works()

    assert shop.nodes[FI].holds == {}
    assert rows_at(shop, FI) == 0


def test_a_retired_node_is_emptied_and_each_row_goes_when_the_node_has_confirmed(shop: ShopUnderTest) -> None:
    shop.sets("fi1", NodeState.ACTIVE)
    everybody_buys(shop)
    assert len(shop.nodes[FI].holds) == 2 * len(CUSTOMERS)
    shop.sets("fi1", NodeState.RETIRED)
    shop.nodes[FI].fails_with = DOWN

    assert shop.fills().removed == {FI: 2 * len(CUSTOMERS)}
    shop.provides()
    assert rows_at(shop, FI) == 2 * len(CUSTOMERS)

    shop.nodes[FI].fails_with = {Protocol.VLESS: NodeUnavailable("down")}
    shop.passes(timedelta(minutes=1))
    for _ in range(2):  # the first one finds the gate open
        shop.provides()
    assert {id.protocol for id in shop.nodes[FI].holds} == {Protocol.VLESS}
    assert rows_at(shop, FI) == len(CUSTOMERS)

    shop.nodes[FI].fails_with = {}
    shop.passes(timedelta(minutes=5))
    for _ in range(2):
        shop.provides()
    assert shop.nodes[FI].holds == {}
    assert rows_at(shop, FI) == 0
    assert len(shop.node.holds) == 2 * len(CUSTOMERS)


def test_a_draining_node_keeps_what_it_has_and_gets_nothing_new(shop: ShopUnderTest) -> None:
    shop.sets("fi1", NodeState.ACTIVE)
    everybody_buys(shop)
    shop.sets("fi1", NodeState.DRAINING)

    assert shop.fills() == shop.fills()
    shop.buys_and_gets()

    assert len(shop.nodes[FI].holds) == 2 * len(CUSTOMERS)
    assert len(shop.node.holds) == 2 * len(CUSTOMERS) + 2


def test_while_no_node_is_active_the_draining_ones_are_filled(shop: ShopUnderTest) -> None:
    everybody_buys(shop)
    shop.sets("fi1", NodeState.DRAINING)
    assert shop.fills().added == {}

    shop.sets("de1", NodeState.RETIRED)
    filling = shop.fills()
    shop.provides()

    assert (filling.added, filling.removed) == ({FI: 2 * len(CUSTOMERS)}, {DE: 2 * len(CUSTOMERS)})
    assert (len(shop.node.holds), len(shop.nodes[FI].holds)) == (0, 2 * len(CUSTOMERS))


@pytest.mark.parametrize("removed_before", [True, False])
def test_a_node_that_becomes_active_again_is_filled_again(shop: ShopUnderTest, removed_before: bool) -> None:
    shop.sets("fi1", NodeState.ACTIVE)
    everybody_buys(shop)
    shop.sets("fi1", NodeState.RETIRED)
    shop.fills()
    if removed_before:
        shop.provides()
    shop.passes(timedelta(minutes=10))
    shop.sets("fi1", NodeState.ACTIVE)

    filling = shop.fills()
    shop.provides()

    assert filling.added == {FI: 2 * len(CUSTOMERS)}
    assert len(shop.nodes[FI].holds) == 2 * len(CUSTOMERS)
    assert rows_at(shop, FI) == 2 * len(CUSTOMERS)


def test_a_node_that_becomes_active_again_while_it_is_told_to_forget_holds_everything_in_the_end(
    shop: ShopUnderTest,
) -> None:
    shop.sets("fi1", NodeState.ACTIVE)
    shop.buys_and_gets()
    shop.sets("fi1", NodeState.RETIRED)
    shop.fills()

    def is_active_again() -> None:
        shop.passes(timedelta(seconds=1))
        shop.sets("fi1", NodeState.ACTIVE)
        with shop.database.open_ledger() as ledger:
            for protocol in Protocol:
                ledger.accesses.fill(Keeper(FI, protocol), None, shop.now, 100)

    shop.nodes[FI].meanwhile = is_active_again
    shop.provides()
    shop.passes(timedelta(minutes=2))
    shop.provides()

    assert len(shop.nodes[FI].holds) == 2
    with shop.ledger() as ledger:
        progress = ledger.accesses.progress(shop.subscription().id, shop.now)
    assert progress.applied == progress.wanted


def test_filling_goes_on_over_many_pages(shop: ShopUnderTest) -> None:
    everybody_buys(shop)
    keeper, now = Keeper(FI, Protocol.VLESS), shop.now
    seen, added, after = [], 0, None
    while True:
        with shop.database.open_ledger() as ledger:
            page = ledger.accesses.fill(keeper, after, now, 2)
        added, after = added + page.count, page.last
        if after is None:
            break
        seen.append(after)

    assert added == len(CUSTOMERS)
    assert len(seen) == 3
    assert seen == sorted(seen)


def test_a_worker_that_starts_with_other_settings_puts_them_into_effect_at_once(shop: ShopUnderTest) -> None:
    def starts() -> bool:
        """Whether there is something to do at once."""
        with shop.database.open_ledger() as ledger:
            ensure_jobs(ledger, shop.now)
            hasten_filling(ledger, shop.domain_nodes, shop.now)
        return Activity.JOB in shop.agenda.due(shop.now)

    def is_run() -> None:
        shop.fills()
        with shop.database.open_ledger() as ledger:
            [claim] = ledger.jobs.claim_due([Job.FILL_NODES], shop.now, shop.now + LEASE, 1)
            ledger.jobs.finished(claim, shop.now + timedelta(minutes=10))

    assert starts(), "nobody knows of this node yet"
    is_run()
    assert not starts()
    shop.sets("de1", NodeState.DRAINING)
    assert starts()
    is_run()
    shop.sets("de1", NodeState.ACTIVE)
    shop.sets("fi1", NodeState.ACTIVE)
    assert starts()
    is_run()
    assert not starts()


def test_work_of_a_batch_whose_customer_is_gone_ends_quietly(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    claims = [
        AccessClaim(access, shop.now, 0, shop.now + LEASE, Urgency.UPKEEP) for access in list(shop.node.holds)[:1]
    ]
    shop.leaves()
    shop.works()
    shop.erases()
    shop.node.applied.clear()

    report = asyncio.run(shop.provide_upkeep(claims))

    assert (report.done, report.failed, report.untried) == ([], [], [])
    assert shop.node.applied == []


def test_keys_that_were_taken_while_our_clock_was_wrong_come_back(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    before = dict(shop.node.holds)
    shop.passes(800 * DAY)
    shop.works()
    assert shop.node.holds == {}

    shop.passes(-800 * DAY)
    shop.fills()
    shop.expires()
    shop.fills()
    shop.provides()

    assert {id: held.credential for id, held in shop.node.holds.items()} == {
        id: held.credential for id, held in before.items()
    }


def test_a_ban_is_nothing_that_was_forgotten(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    bans(shop)
    shop.works()

    shop.fills()
    shop.expires()
    shop.fills()
    shop.provides()

    assert shop.node.holds == {}


def test_filling_that_a_killed_worker_had_in_hand_is_not_waited_for(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ensure_jobs(ledger, shop.now)
        ledger.jobs.hasten(Job.FILL_NODES, shop.now)
        assert ledger.jobs.claim_due([Job.FILL_NODES], shop.now, shop.now + timedelta(minutes=20), 1)

    shop.sets("fi1", NodeState.ACTIVE)
    with shop.database.open_ledger() as ledger:
        hasten_filling(ledger, shop.domain_nodes, shop.now)

    with shop.database.open_ledger() as ledger:
        assert ledger.jobs.claim_due([Job.FILL_NODES], shop.now, shop.now + timedelta(minutes=20), 1)
