"""Traffic from the nodes' counters to the limit: counted once, suspended in time, working again in time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from node_a.application.ports import Count, Urgency
from node_a.application.traffic import MOST_COUNTED
from node_a.domain.access import AccessId, HeldAccess, HeldPage
from node_a.domain.customer import CustomerId
from node_a.domain.errors import LedgerUnavailable, NodeRefused, NodeUnavailable
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.payment import Payment
from node_a.domain.plan import Plan
from node_a.domain.subscription import SubscriptionState
from tests.builders import ANNA, DAY, MONTH, NOW, YEAR, a_node
from tests.fakes.operations import Operations
from tests.fakes.ports import FakeNode
from tests.fakes.shop import ShopUnderTest

HOUR = timedelta(hours=1)
LIMIT = 10**12
assert YEAR.traffic_limit == LIMIT
HELSINKI = "fi1"


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    """With two nodes."""
    shop = ShopUnderTest(database_url, nodes=[a_node(), a_node(HELSINKI)])
    yield shop
    shop.close()


def buys(shop: ShopUnderTest, plan: Plan = YEAR) -> Payment:
    """Pays, gets the keys, and a moment later everything has been said of it."""
    payment = shop.buys_and_gets(plan)
    shop.passes(timedelta(seconds=3))
    shop.delivers()
    shop.passes(-timedelta(seconds=3))
    return payment


def access(shop: ShopUnderTest, protocol: Protocol = Protocol.VLESS, node: str = "de1") -> AccessId:
    return AccessId(shop.subscription().id, NodeCode(node), protocol)


def uses(shop: ShopUnderTest, amount: int, protocol: Protocol = Protocol.VLESS, node: str = "de1") -> None:
    """So many bytes go through a key, if the node lets them."""
    id, held = access(shop, protocol, node), shop.nodes[NodeCode(node)]
    assert id in held.holds, "a customer without a key uses nothing"
    limit, before = held.holds[id].traffic_limit, held.counters.get(id, 0)
    held.counters[id] = before + amount if limit is None else min(before + amount, limit)


def used(shop: ShopUnderTest) -> int:
    with shop.ledger() as ledger:
        found: int = ledger.traffic.used(shop.subscription().id)
        return found


def uses_it_up(shop: ShopUnderTest) -> None:
    uses(shop, LIMIT)
    shop.counts()
    shop.works()


def keys_held(shop: ShopUnderTest) -> int:
    return sum(len(node.holds) for node in shop.nodes.values())


def state(shop: ShopUnderTest) -> SubscriptionState:
    return shop.subscription().state(shop.now)


# ── counting ──


def test_all_keys_on_all_nodes_are_added_up(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    for amount, (protocol, node) in enumerate([(p, n) for p in Protocol for n in ("de1", HELSINKI)], start=1):
        uses(shop, amount * 1000, protocol, node)

    assert shop.counts() == []
    assert used(shop) == 10_000


def test_counting_again_adds_nothing(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses(shop, 1000)
    shop.counts()
    shop.counts()

    assert used(shop) == 1000


def test_many_customers_are_counted_page_by_page_and_strangers_left_out(shop: ShopUnderTest) -> None:
    shop.node.page_size = 2
    for number in range(5):
        shop.buys(YEAR, CustomerId(100 + number))
    shop.works()
    shop.node.strangers = [
        (Protocol.VLESS, HeldAccess(name, "c", None, None, 5)) for name in ("friend", "q_" + "a" * 26)
    ]
    for id in shop.node.holds:
        shop.node.counters[id] = 7

    shop.counts()

    with shop.ledger() as ledger:
        for number in range(5):
            assert ledger.traffic.used(ledger.subscriptions.of_customer(CustomerId(100 + number)).id) == 14


@pytest.mark.parametrize("error", [NodeUnavailable("down"), NodeRefused("wrong token")])
def test_a_dead_node_costs_the_others_nothing_and_is_counted_when_it_is_back(
    shop: ShopUnderTest, error: NodeUnavailable | NodeRefused
) -> None:
    buys(shop, YEAR)
    uses(shop, 1000)
    uses(shop, 100, Protocol.SHADOWSOCKS)
    uses(shop, 10, node=HELSINKI)
    shop.node.fails_with = {Protocol.VLESS: error}

    assert shop.counts() == [Keeper(NodeCode("de1"), Protocol.VLESS)]
    assert used(shop) == 110

    shop.node.fails_with = {}
    assert shop.counts() == []
    assert used(shop) == 1110


class DiesAfterAPage(FakeNode):
    async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
        if after is not None:
            raise NodeUnavailable("gone")
        return await super().held(protocol, after)


def test_a_node_that_dies_between_two_pages_keeps_what_was_booked(shop: ShopUnderTest) -> None:
    customers = [CustomerId(100), CustomerId(101)]
    for id in customers:
        shop.buys(YEAR, id)
    shop.works()
    everyone = dict.fromkeys(shop.node.holds, 7)
    shop.nodes[NodeCode("de1")] = DiesAfterAPage(shop.node.holds, everyone, page_size=1)

    assert {keeper.node for keeper in shop.counts()} == {NodeCode("de1")}
    with shop.ledger() as ledger:
        assert sorted(ledger.traffic.used(ledger.subscriptions.of_customer(id).id) for id in customers) == [0, 14]


class TakesItsTime(FakeNode):
    """Six minutes for each page; `asked`: for how many of them."""

    shop: ShopUnderTest
    asked: int = 0

    async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
        self.asked += 1
        self.shop.passes(timedelta(minutes=6))
        page = await super().held(protocol, after)
        return HeldPage(page.held, page.next or "z")  # and the last one never comes


def test_pages_that_never_end_are_read_until_another_would_begin_to_read_them_too(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses(shop, 5)
    uses(shop, 50, node=HELSINKI)
    slow = TakesItsTime(shop.node.holds, shop.node.counters, page_size=1)
    slow.shop = shop
    shop.nodes[NodeCode("de1")] = slow

    assert {keeper.node for keeper in shop.counts()} == {NodeCode("de1")}

    assert slow.asked <= 3 * len(Protocol)
    assert used(shop) == 55


@pytest.mark.parametrize("lie", [2**70, -5, MOST_COUNTED + 1])
def test_a_count_that_no_node_can_have_come_to_is_left_out(shop: ShopUnderTest, lie: int) -> None:
    buys(shop, YEAR)
    uses(shop, 5)
    uses(shop, 50, Protocol.SHADOWSOCKS)
    shop.counts()
    shop.node.counters[access(shop)] = lie
    uses(shop, 100, Protocol.SHADOWSOCKS)

    assert shop.counts() == []

    assert used(shop) == 155
    shop.node.counters[access(shop)] = 7
    shop.counts()
    assert used(shop) == 157


def test_what_is_wrong_with_the_ledger_is_raised_after_all_others_were_counted(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses(shop, 5, node=HELSINKI)
    shop.node.fails_with = {Protocol.VLESS: LedgerUnavailable("full")}
    with pytest.raises(LedgerUnavailable):
        shop.counts()
    assert used(shop) == 5


# ── the limit ──


def test_at_the_limit_the_keys_are_withdrawn_everywhere_and_the_customer_is_told_once(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    assert keys_held(shop) == 4
    uses(shop, LIMIT - 10)
    uses(shop, 10, Protocol.SHADOWSOCKS, HELSINKI)

    shop.counts()
    shop.works()
    shop.counts()
    shop.works()

    assert keys_held(shop) == 0
    assert state(shop) is SubscriptionState.SUSPENDED
    assert shop.subscription().paid_until == NOW + 360 * DAY
    assert shop.letters() == ["KeysReady", "TrafficUsedUp"]


def test_below_the_limit_nothing_happens(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses(shop, LIMIT // 2)
    shop.counts()
    shop.works()

    assert keys_held(shop) == 4
    assert shop.letters() == ["KeysReady"]


def test_who_has_used_most_of_it_is_told_once(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    for _ in range(3):
        uses(shop, LIMIT * 3 // 10)
        shop.counts()
        shop.works()
    uses(shop, LIMIT // 100)
    shop.counts()
    shop.works()

    assert shop.letters() == ["KeysReady", "TrafficRunsLow"]
    assert state(shop) is SubscriptionState.ACTIVE


def test_unlimited_is_counted_and_never_suspended(shop: ShopUnderTest) -> None:
    buys(shop, MONTH)
    uses(shop, 10**15)
    shop.counts()
    shop.works()

    assert used(shop) == 10**15
    assert keys_held(shop) == 4
    assert {wanted.traffic_limit for wanted in shop.node.applied} == {None}


def test_a_worker_killed_between_counting_and_suspending_suspends_next_time(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    held = [(protocol, id, wanted) for protocol in Protocol for id, wanted in shop.node.held_now(protocol)]
    counts = [Count(id, LIMIT) for _, id, _ in held]
    shop.database.write(lambda ledger: ledger.traffic.count(counts, shop.now))  # and here it ends

    shop.node.counters = {id: LIMIT + 1 for _, id, _ in held}
    shop.counts()
    shop.works()

    assert keys_held(shop) == 0


def test_with_the_next_period_the_keys_work_again(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses_it_up(shop)
    shop.passes(29 * DAY)
    shop.works()
    assert keys_held(shop) == 0

    shop.passes(DAY)
    shop.works()

    assert keys_held(shop) == 4
    assert used(shop) == 0
    assert state(shop) is SubscriptionState.ACTIVE
    uses(shop, 1000)
    shop.counts()
    assert used(shop) == 1000
    uses_it_up(shop)
    assert shop.letters() == ["KeysReady", "TrafficUsedUp", "TrafficUsedUp"]


def test_a_renewal_at_the_limit_works_at_once(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses_it_up(shop)
    shop.passes(DAY)

    buys(shop, YEAR)

    assert keys_held(shop) == 4
    assert used(shop) == 0
    assert shop.subscription().paid_until == NOW + 720 * DAY
    assert shop.letters() == ["KeysReady", "TrafficUsedUp", "KeysReady"]
    uses(shop, LIMIT - 1)
    shop.counts()
    assert state(shop) is SubscriptionState.ACTIVE


def test_a_renewal_while_the_keys_are_being_withdrawn_keeps_them(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses(shop, LIMIT)
    shop.counts()

    def renews() -> None:
        shop.buys(YEAR)
        shop.settles()

    shop.node.meanwhile = renews
    shop.provides()
    shop.works()

    assert keys_held(shop) == 4
    assert "TrafficUsedUp" not in shop.letters()
    assert {wanted.traffic_limit for wanted in shop.node.holds.values()} <= {LIMIT, 2 * LIMIT}


def test_the_days_run_out_while_suspended_and_it_ends_as_always(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    shop.passes(355 * DAY)
    shop.works()
    uses(shop, shop.node.holds[access(shop)].traffic_limit or 0)
    shop.counts()
    shop.works()
    assert state(shop) is SubscriptionState.SUSPENDED

    shop.passes(5 * DAY)
    shop.works()
    assert state(shop) is SubscriptionState.EXPIRED
    assert shop.letters()[-1] == "Ended"

    shop.passes(30 * DAY)
    buys(shop, YEAR)
    assert state(shop) is SubscriptionState.ACTIVE
    assert keys_held(shop) == 4
    assert used(shop) == 0


def test_a_refund_of_the_renewal_leaves_the_traffic_that_it_gave(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses_it_up(shop)
    renewal = buys(shop, YEAR)
    shop.refunds(renewal)
    shop.works()

    assert state(shop) is SubscriptionState.ACTIVE
    assert keys_held(shop) == 4


def test_a_refund_that_brings_the_next_grant_ends_the_suspension(shop: ShopUnderTest) -> None:
    first = buys(shop, YEAR)
    buys(shop, MONTH)
    uses_it_up(shop)
    assert keys_held(shop) == 0

    shop.refunds(first)
    shop.works()
    shop.works()

    assert state(shop) is SubscriptionState.ACTIVE
    assert keys_held(shop) == 4
    assert {wanted.traffic_limit for wanted in shop.node.holds.values()} == {None}


def test_a_refund_of_all_ends_a_suspended_subscription(shop: ShopUnderTest) -> None:
    payment = buys(shop, YEAR)
    uses_it_up(shop)
    shop.refunds(payment)
    shop.works()
    shop.works()

    assert state(shop) is SubscriptionState.EXPIRED
    assert keys_held(shop) == 0


def test_a_ban_while_suspended_gives_back_no_traffic_but_that_of_a_new_period(shop: ShopUnderTest) -> None:
    operations = Operations(shop)
    buys(shop, YEAR)
    uses_it_up(shop)
    operations.ban(operations.says(), ANNA.id)
    operations.unban(operations.says(), ANNA.id)
    shop.works()
    assert state(shop) is SubscriptionState.SUSPENDED
    assert keys_held(shop) == 0

    operations.ban(operations.says(), ANNA.id)
    shop.passes(31 * DAY)
    shop.works()
    assert keys_held(shop) == 0

    operations.unban(operations.says(), ANNA.id)
    shop.works()
    assert keys_held(shop) == 4


def test_keys_of_whoever_is_banned_are_counted_and_change_nothing(shop: ShopUnderTest) -> None:
    operations = Operations(shop)
    buys(shop, YEAR)
    uses(shop, LIMIT)
    operations.ban(operations.says(), ANNA.id)  # and the node does not know it yet
    shop.counts()
    shop.works()
    assert used(shop) == LIMIT
    assert not shop.subscription().suspended

    shop.passes(31 * DAY)
    shop.works()
    assert keys_held(shop) == 0


def test_money_back_for_whoever_is_banned_brings_no_keys_with_the_next_period(shop: ShopUnderTest) -> None:
    operations = Operations(shop)
    buys(shop, YEAR)
    renewal = buys(shop, YEAR)
    operations.ban(operations.says(), ANNA.id)
    shop.works()
    shop.refunds(renewal)
    shop.works()

    shop.passes(31 * DAY)
    shop.works()

    assert shop.subscription().paid_until == NOW + 360 * DAY
    assert keys_held(shop) == 0


def test_who_leaves_while_suspended_is_forgotten_with_all_the_traffic(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses_it_up(shop)
    shop.passes(HOUR)
    shop.leaves()
    shop.works()

    assert not shop.has_subscription()


def test_counting_while_somebody_is_being_erased_books_nothing_more(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses(shop, 5)
    shop.passes(HOUR)
    shop.leaves()
    shop.works()
    gone = HeldAccess("q_" + "a" * 26, "c", None, None, LIMIT)
    shop.node.strangers = [(Protocol.VLESS, gone)]

    assert shop.counts() == []


def test_a_period_whose_beginning_nobody_saw_begins_when_its_traffic_is_counted(shop: ShopUnderTest) -> None:
    """As after an upgrade from a release that knew no periods, or when the worker was away."""
    buys(shop, YEAR)
    uses(shop, LIMIT - 10)
    shop.counts()
    before = shop.subscription()
    with shop.database.open_ledger() as ledger:
        ledger.subscriptions.save(before, remind_at=None, expire_at=before.paid_until)
    shop.passes(31 * DAY)
    uses(shop, 5)

    shop.counts()
    shop.works()

    assert state(shop) is SubscriptionState.ACTIVE
    assert shop.subscription().counted_from == NOW + 30 * DAY
    assert used(shop) == 0
    assert shop.node.holds[access(shop)].traffic_limit == 2 * LIMIT - 5


# ── the backstop: the node's own limit ──


def test_who_cannot_be_counted_for_a_month_still_ends_at_the_nodes_own_limit(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    for _ in range(29):
        shop.passes(DAY)
        uses(shop, LIMIT // 10)

    assert shop.node.counters[access(shop)] == LIMIT


def test_normal_use_never_meets_the_nodes_limit_of_an_earlier_period(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    expected = 0
    for day in range(0, 120, 3):
        uses(shop, LIMIT // 11)
        expected += LIMIT // 11
        shop.counts()
        shop.passes(3 * DAY)
        shop.works()
        assert shop.node.counters[access(shop)] == expected, f"cut off on day {day}"
    assert state(shop) is SubscriptionState.ACTIVE
    assert shop.letters().count("TrafficRunsLow") == 4


def test_a_wiped_node_is_told_a_limit_from_zero_again(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses(shop, LIMIT - 10)
    shop.counts()
    shop.passes(30 * DAY)
    shop.works()
    assert shop.node.holds[access(shop)].traffic_limit == 2 * LIMIT - 10

    shop.node.counters.clear()
    uses(shop, 7)
    shop.counts()
    shop.works()

    assert used(shop) == 7
    assert shop.node.holds[access(shop)].traffic_limit == LIMIT


def test_a_plan_without_a_limit_takes_the_old_limit_away(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    buys(shop, MONTH)
    assert {wanted.traffic_limit for wanted in shop.node.holds.values()} == {LIMIT}

    for _ in range(12):
        shop.passes(30 * DAY)
        shop.works()

    assert shop.subscription().plan_at(shop.now) == MONTH
    assert {wanted.traffic_limit for wanted in shop.node.holds.values()} == {None}


def test_a_new_period_of_many_waits_behind_whoever_buys(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    shop.passes(30 * DAY)
    shop.expires()

    with shop.database.open_ledger() as ledger:
        claims = ledger.accesses.claim_due(shop.now, shop.now + HOUR, 10)
    assert {claim.urgency for claim in claims} == {Urgency.UPKEEP}


def test_the_keys_of_whoever_was_suspended_wait_behind_nobody(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    uses_it_up(shop)
    shop.passes(30 * DAY)
    shop.expires()

    with shop.database.open_ledger() as ledger:
        claims = ledger.accesses.claim_due(shop.now, shop.now + HOUR, 10)
    assert {claim.urgency for claim in claims} == {Urgency.CUSTOMER}


# ── what is shown, and what is kept ──


def books(shop: ShopUnderTest, at: datetime, amount: int) -> None:
    now, shop.now = shop.now, at
    uses(shop, amount)
    shop.counts()
    shop.now = now


def test_thirty_days_are_shown_in_moscows_days_with_those_without_traffic(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    evening = datetime(2026, 12, 1, 20, 59, tzinfo=UTC)  # one minute before midnight in Moscow
    books(shop, evening, 5)
    books(shop, evening + timedelta(minutes=1), 7)
    shop.now = datetime(2026, 12, 20, 21, 30, tzinfo=UTC)
    books(shop, shop.now, 11)

    days = shop.show_traffic(shop.subscription().id)

    assert [day for day, _ in days] == [date(2026, 11, 22) + n * DAY for n in range(30)]
    assert {day: amount for day, amount in days if amount} == {
        date(2026, 12, 1): 5,
        date(2026, 12, 2): 7,
        date(2026, 12, 21): 11,
    }


def test_what_is_older_than_thirty_days_is_not_shown(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    books(shop, NOW, 5)
    shop.passes(30 * DAY)

    assert sum(amount for _, amount in shop.show_traffic(shop.subscription().id)) == 0


def test_hours_older_than_ninety_days_become_days(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    for hour in range(4):
        books(shop, NOW + hour * HOUR, 10)
    shop.now = NOW + 90 * DAY + 2 * HOUR

    shop.roll_up_traffic()

    with shop.ledger() as ledger:
        booked = ledger.traffic.by_hour(shop.subscription().id, NOW - DAY)
    assert booked == {NOW.replace(hour=0): 20, NOW + 2 * HOUR: 10, NOW + 3 * HOUR: 10}
