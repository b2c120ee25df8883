"""The audit: what a node holds becomes what it should hold, and nobody who is in order is touched."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event, Lock
from typing import Any
from uuid import UUID

import pytest

from node_a.adapters.threads import Threads
from node_a.application.audit import AuditNodes
from node_a.application.audit_findings import KeeperFindings, NodeFindings
from node_a.application.keeper_audit import AuditKeeper
from node_a.application.orphans import FEW, ORPHANS_STAY_FOR, RemoveOrphans
from node_a.application.ports import Ledger, Urgency
from node_a.application.wanting import Wanting
from node_a.domain.access import AccessId, HeldAccess, HeldPage, WantedAccess, user_name
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import LedgerUnavailable, NodeRefused, NodeUnavailable
from node_a.domain.node import NodeCode, NodeObservation, NodeState, Protocol
from node_a.domain.subscription import SubscriptionId
from tests.builders import ANNA, DAY, MONTH, NOW, RING, YEAR, a_node
from tests.fakes.operations import Operations
from tests.fakes.ports import FakeNode
from tests.fakes.shop import ShopUnderTest

DE1, DE2 = NodeCode("de1"), NodeCode("de2")
VLESS, SHADOWSOCKS = Protocol.VLESS, Protocol.SHADOWSOCKS
DOWN = NodeUnavailable("down")
ORDER = KeeperFindings(compared=1)


@dataclass
class Interrupted:
    """A node of which `meanwhile` happens after each page was written and before anybody has read it; each of its
    keepers breaks off after so many pages, if `breaks_after` says so."""

    node: FakeNode
    meanwhile: Callable[[], None] = lambda: None
    breaks_after: int | None = None
    removed: list[HeldAccess] = field(default_factory=list)
    refuses: bool = False
    pages: Counter[Protocol] = field(default_factory=Counter)

    async def apply(self, wanted: WantedAccess) -> None:
        await self.node.apply(wanted)

    async def observe(self) -> NodeObservation:
        return await self.node.observe()

    async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
        if self.pages[protocol] == self.breaks_after:
            raise DOWN
        self.pages[protocol] += 1
        page = await self.node.held(protocol, after)
        await asyncio.to_thread(self.meanwhile)
        return page

    async def remove_user(self, protocol: Protocol, held: HeldAccess) -> None:
        if self.refuses:
            raise NodeRefused("changed meanwhile")
        self.removed.append(held)
        await self.node.remove_user(protocol, held)


def audits(
    shop: ShopUnderTest,
    gateways: Mapping[NodeCode, Any] | None = None,
    *,
    before_writing: Callable[[], None] = lambda: None,
    few: int = FEW,
) -> Mapping[NodeCode, NodeFindings]:
    """`before_writing`: happens after everything was judged, and before anything is done about it."""
    threads = Threads("audit", 2)
    transaction = threads.transaction(shop.database.write)

    async def ledger(work: Callable[[Ledger], Any]) -> Any:
        await asyncio.to_thread(before_writing)
        return await transaction(work)

    told: dict[str, Any] = {
        "read": threads.transaction(shop.database.read),
        "gateways": gateways or shop.nodes,
        "clock": lambda: shop.now,
    }
    remove_orphans = RemoveOrphans(**told, few=few)
    nodes = shop.domain_nodes
    audit_keeper = AuditKeeper(
        **told, ledger=ledger, nodes=nodes, wanting=Wanting(RING, nodes), remove_orphans=remove_orphans
    )
    return asyncio.run(AuditNodes(ledger=transaction, audit_keeper=audit_keeper, clock=lambda: shop.now)())


def once(work: Callable[[], object]) -> Callable[[], None]:
    """Both keepers are audited at the same time: `work` happens in the first that asks, and the other waits for it."""
    lock, done = Lock(), Event()

    def first() -> None:
        with lock:
            if not done.is_set():
                done.set()
                work()

    return first


def found_at(shop: ShopUnderTest, protocol: Protocol = VLESS, gateway: Any = None) -> KeeperFindings:
    """What the audit of the first node found at one keeper."""
    gateways = None if gateway is None else {**shop.nodes, DE1: gateway}
    return audits(shop, gateways)[DE1].keepers[protocol]


def is_quiet(shop: ShopUnderTest) -> bool:
    """Whether nothing is due of any access."""
    with shop.ledger() as ledger:
        return not ledger.accesses.behind_since(shop.now + 365 * DAY)


def an_orphan(number: int = 1, **changes: Any) -> HeldAccess:
    name = user_name(SubscriptionId(UUID(int=number, version=4)))
    return replace(HeldAccess(name, "fake", None, None, 0, revision=3), **changes)


@pytest.fixture
def shop(shop: ShopUnderTest) -> ShopUnderTest:
    """One customer, whose keys both keepers hold."""
    shop.buys_and_gets(YEAR)
    return shop


def access(shop: ShopUnderTest, protocol: Protocol = VLESS, node: NodeCode = DE1) -> AccessId:
    return AccessId(shop.subscription().id, node, protocol)


def tell_by_hand(shop: ShopUnderTest, id: AccessId, **changes: Any) -> None:
    shop.node.holds[id] = replace(shop.node.holds[id], **changes)


# ── order ──


def test_what_is_in_order_is_left_alone(shop: ShopUnderTest) -> None:
    told = len(shop.node.applied)

    findings = audits(shop)[DE1]

    assert findings.keepers == {VLESS: ORDER, SHADOWSOCKS: ORDER}
    assert is_quiet(shop)
    shop.works()
    assert len(shop.node.applied) == told


def test_what_was_found_is_remembered(shop: ShopUnderTest) -> None:
    shop.node.strangers.append((VLESS, an_orphan()))
    shop.node.strangers.append((VLESS, HeldAccess("admin_s_phone", "", None, None, 0)))

    findings = audits(shop)[DE1]

    with shop.ledger() as ledger:
        [record] = ledger.nodes.all()
    assert NodeFindings.of(record) == findings
    assert (findings.at, findings.foreign) == (shop.now, 1)
    assert findings.keepers[VLESS].orphans == {an_orphan().user_name: shop.now.isoformat()}


def test_findings_of_a_later_release_can_be_read(shop: ShopUnderTest) -> None:
    found = {"at": shop.now.isoformat(), "keepers": {"vless": {"compared": 1, "of a later release": []}}}
    shop.database.write(lambda ledger: ledger.nodes.remember_audit(DE1, found))

    with shop.ledger() as ledger:
        [record] = ledger.nodes.all()
    assert NodeFindings.of(record) == NodeFindings(at=shop.now, keepers={VLESS: ORDER})


# ── differences ──


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize(
    "changes",
    [
        {"ends_at": NOW + DAY},
        {"traffic_limit": None},
        {"traffic_limit": 1},
        {"credential": "somebody else's"},
        {"revision": 0},
    ],
    ids=["end", "unlimited", "limit", "key", "revision"],
)
def test_every_difference_is_put_right(shop: ShopUnderTest, protocol: Protocol, changes: dict[str, Any]) -> None:
    right = dict(shop.node.holds)
    tell_by_hand(shop, access(shop, protocol), **changes)

    found = found_at(shop, protocol)
    shop.works()

    assert (found.compared, found.differing) == (1, 1)
    assert shop.node.holds == right
    assert audits(shop)[DE1].is_as_it_should_be


def test_a_user_switched_off_by_hand_is_put_right(shop: ShopUnderTest) -> None:
    wanted = shop.node.holds.pop(access(shop))
    switched_off = HeldAccess(wanted.user_name, wanted.credential, wanted.ends_at, wanted.traffic_limit, 0, fits=False)
    shop.node.strangers.append((VLESS, switched_off))

    assert found_at(shop).differing == 1
    shop.works()

    assert shop.node.holds[access(shop)] == wanted


def test_a_wiped_node_gets_everybody_back(shop: ShopUnderTest) -> None:
    for number in range(2, 31):
        shop.buys(customer_id=CustomerId(number))
    shop.works()
    right = dict(shop.node.holds)
    shop.node.page_size = 7
    shop.node.holds.clear()

    findings = audits(shop)[DE1]
    assert not shop.works()

    assert len(right) == 2 * 30
    assert [found.missing for found in findings.keepers.values()] == [30, 30]
    assert shop.node.holds == right


def test_an_access_that_is_being_worked_on_is_not_judged(shop: ShopUnderTest) -> None:
    shop.buys(MONTH)
    shop.settles()
    shop.node.holds.pop(access(shop, SHADOWSOCKS))

    findings = audits(shop)[DE1]

    assert list(findings.keepers.values()) == [KeeperFindings(), KeeperFindings()]


def test_putting_right_never_makes_a_customer_wait(shop: ShopUnderTest) -> None:
    tell_by_hand(shop, access(shop), traffic_limit=1)
    audits(shop)

    with shop.database.open_ledger() as ledger:
        [claim] = ledger.accesses.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)
    assert claim.urgency is Urgency.UPKEEP


# ── a node that fails ──


def test_a_dead_keeper_costs_the_other_nothing(shop: ShopUnderTest) -> None:
    shop.node.holds.clear()
    shop.node.fails_with = {VLESS: DOWN}

    findings = audits(shop)[DE1]

    assert findings.keepers[VLESS] == KeeperFindings(problem="down")
    assert findings.keepers[SHADOWSOCKS].missing == 1
    assert not findings.is_as_it_should_be


def test_what_goes_wrong_on_our_side_costs_the_other_keeper_nothing_and_is_told(shop: ShopUnderTest) -> None:
    shop.node.holds.clear()
    shop.node.fails_with = {VLESS: LedgerUnavailable("locked")}

    with pytest.raises(LedgerUnavailable):
        audits(shop)

    with shop.ledger() as ledger:
        [record] = ledger.nodes.all()
    findings = NodeFindings.of(record)
    assert findings is not None
    assert findings.keepers == {SHADOWSOCKS: KeeperFindings(missing=1)}


def test_an_incomplete_walk_puts_right_what_it_saw_and_concludes_nothing_else(shop: ShopUnderTest) -> None:
    for number in range(2, 10):
        shop.buys(customer_id=CustomerId(number))
    shop.works()
    shop.node.page_size = 3
    for id, wanted in list(shop.node.held_now(VLESS)):
        shop.node.holds[id] = replace(wanted, traffic_limit=1)

    found = found_at(shop, gateway=Interrupted(shop.node, breaks_after=2))

    assert (found.differing, found.missing, found.problem) == (6, 0, "down")


def test_an_incomplete_walk_removes_nobody(shop: ShopUnderTest) -> None:
    for number in range(1, 6):
        shop.node.strangers.append((VLESS, an_orphan(number)))
    audits(shop)
    shop.passes(ORPHANS_STAY_FOR)
    shop.node.page_size = 2

    cut = Interrupted(shop.node, breaks_after=2)
    found = found_at(shop, gateway=cut)

    assert (found.removed, cut.removed, len(found.orphans)) == (0, [], 5)


def test_a_walk_that_takes_too_long_breaks_off_and_nobody_seems_to_be_missing(shop: ShopUnderTest) -> None:
    for number in range(6):
        shop.buys(MONTH, CustomerId(100 + number))
    shop.works()
    shop.node.page_size = 1

    slow = Interrupted(shop.node, lambda: shop.passes(timedelta(minutes=6)))
    found = found_at(shop, gateway=slow)

    assert found.problem is not None
    assert found.missing == 0
    assert slow.pages[VLESS] <= 3


# ── users without an access ──


def test_a_foreign_user_is_counted_and_left_alone(shop: ShopUnderTest) -> None:
    stranger = (VLESS, HeldAccess("admin_s_phone", "", None, None, 0, fits=False))
    shop.node.strangers.append(stranger)

    for _ in range(2):
        found_at(shop)
        shop.works()
        shop.passes(ORPHANS_STAY_FOR)

    assert found_at(shop) == KeeperFindings(compared=1, foreign=1)
    assert shop.node.strangers == [stranger]


def forgets(shop: ShopUnderTest, protocol: Protocol = VLESS, node: NodeCode = DE1) -> None:
    """Our database loses an access, as an older backup of it has never had it."""
    id = access(shop, protocol, node)

    def work(ledger: Any) -> None:
        ledger.accesses.want([id], present=False, due_at=shop.now)
        claims = ledger.accesses.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)
        for claim in claims:
            ledger.accesses.removed(claim)

    shop.database.write(work)


def test_a_key_that_was_paid_for_is_kept_even_if_we_have_forgotten_that_we_gave_it(shop: ShopUnderTest) -> None:
    forgets(shop)
    before = shop.node.holds[access(shop)]

    assert found_at(shop).unknown == 1
    shop.works()

    assert shop.node.holds[access(shop)] == before
    assert audits(shop)[DE1].keepers[VLESS] == ORDER


@pytest.mark.parametrize("why", ["ended", "banned", "draining", "retired"])
def test_a_key_that_nobody_owes_is_removed(shop: ShopUnderTest, why: str) -> None:
    forgets(shop)
    match why:
        case "ended":
            shop.passes(400 * DAY)
        case "banned":
            shop.database.write(lambda ledger: ledger.customers.save(ANNA.now_in(Standing.BANNED)))
        case _:
            shop.domain_nodes[:] = [a_node(state=NodeState(why)), a_node("de2")]

    assert found_at(shop).unknown == 1
    shop.provides()

    assert access(shop) not in shop.node.holds
    with shop.ledger() as ledger:
        assert ledger.accesses.find(access(shop)) is None


def test_orphans_are_removed_once_there_was_time_to_look(shop: ShopUnderTest) -> None:
    shop.node.strangers.append((VLESS, an_orphan(1)))
    since = shop.now
    assert found_at(shop).orphans == {an_orphan(1).user_name: since.isoformat()}

    shop.passes(ORPHANS_STAY_FOR / 2)
    shop.node.strangers.append((VLESS, an_orphan(2)))
    assert found_at(shop).removed == 0

    shop.passes(ORPHANS_STAY_FOR / 2)
    found = found_at(shop)

    assert found.removed == 1
    assert list(found.orphans) == [an_orphan(2).user_name]
    assert shop.node.strangers == [(VLESS, an_orphan(2))]
    assert len(shop.node.held_now(VLESS)) == 1


def test_an_orphan_that_changes_at_this_moment_is_left_to_the_next_audit(shop: ShopUnderTest) -> None:
    shop.node.strangers.append((SHADOWSOCKS, an_orphan()))
    audits(shop)
    shop.passes(ORPHANS_STAY_FOR)

    found = found_at(shop, SHADOWSOCKS, Interrupted(shop.node, refuses=True))

    assert (found.removed, found.problem, len(found.orphans)) == (0, None, 1)
    assert found_at(shop, SHADOWSOCKS).removed == 1


@pytest.mark.parametrize(("count", "removed"), [(FEW, FEW), (FEW + 1, 0)])
def test_orphans_in_bulk_are_a_sign_that_our_database_is_wrong(shop: ShopUnderTest, count: int, removed: int) -> None:
    for number in range(count):
        shop.node.strangers.append((VLESS, an_orphan(number)))
    first = found_at(shop)
    shop.passes(ORPHANS_STAY_FOR)

    found = found_at(shop)

    assert (found.removed, found.refused_orphans) == (removed, count - removed)
    assert first.refused_orphans == found.refused_orphans
    assert len(shop.node.strangers) == count - removed
    assert audits(shop)[DE1].is_as_it_should_be is (removed > 0)


def test_where_all_of_ours_are_orphans_even_few_of_them_stay(shop: ShopUnderTest) -> None:
    """Another shop's database, or a small one that was begun anew."""
    shop.node.holds.clear()
    shop.node.strangers.append((VLESS, an_orphan()))
    found_at(shop)
    shop.passes(ORPHANS_STAY_FOR)
    found = found_at(shop)

    assert (found.removed, found.refused_orphans) == (0, 1)
    assert shop.node.strangers == [(VLESS, an_orphan())]


def test_a_node_with_many_users_may_have_more_orphans(shop: ShopUnderTest) -> None:
    for number in range(2, 29):
        shop.buys(customer_id=CustomerId(number))
    shop.works()
    for number in range(3):
        shop.node.strangers.append((VLESS, an_orphan(number)))
    audits(shop, few=2)
    shop.passes(ORPHANS_STAY_FOR)

    assert audits(shop, few=2)[DE1].keepers[VLESS].removed == 3


def test_with_an_empty_database_nobody_is_removed(shop: ShopUnderTest, new_database: Any) -> None:
    """The wrong file, or one that was begun anew."""
    for number in range(2, 40):
        shop.buys(customer_id=CustomerId(number))
    shop.works()
    empty = ShopUnderTest(new_database("sqlite", True), world=shop)
    held = dict(shop.node.holds)
    for _ in range(3):
        node = Interrupted(shop.node)
        findings = audits(empty, {DE1: node})[DE1]
        empty.passes(ORPHANS_STAY_FOR)
        assert (node.removed, findings.refused_orphans) == ([], len(held))
    empty.close()


# ── what happens between a page and its comparison ──


def test_a_renewal_during_the_audit_is_harmless(shop: ShopUnderTest) -> None:
    found_at(shop, gateway=Interrupted(shop.node, once(lambda: shop.buys_and_gets(YEAR))))
    shop.works()

    end = shop.subscription().ends_at
    assert {wanted.ends_at for wanted in shop.node.holds.values()} == {end}
    assert len(shop.node.holds) == 2
    assert audits(shop)[DE1].is_as_it_should_be


def test_a_purchase_during_the_audit_is_no_orphan_and_not_missing(shop: ShopUnderTest) -> None:
    def buys() -> None:
        shop.buys(customer_id=CustomerId(2))
        shop.works()

    node = Interrupted(shop.node, once(buys))
    findings = audits(shop, {DE1: node})[DE1]

    assert [found.missing for found in findings.keepers.values()] == [0, 0]
    assert (node.removed, is_quiet(shop)) == ([], True)
    assert len(shop.node.holds) == 4


def test_a_user_on_no_page_because_pages_have_shifted_keeps_the_key(shop: ShopUnderTest) -> None:
    shop.buys(customer_id=CustomerId(2))
    shop.works()
    right = dict(shop.node.holds)

    class Shifted(Interrupted):
        async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
            page = await super().held(protocol, after)
            return replace(page, held=page.held[1:])

    assert found_at(shop, gateway=Shifted(shop.node)).missing == 1
    shop.works()

    assert shop.node.holds == right


def test_a_user_on_two_pages_is_compared_twice_and_nothing_else(shop: ShopUnderTest) -> None:
    class Twice(Interrupted):
        async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
            page = await self.node.held(protocol, None)
            return replace(page, next="again" if after is None else None)

    found = found_at(shop, gateway=Twice(shop.node))

    assert (found.differing, found.missing, is_quiet(shop)) == (0, 0, True)


def test_a_customer_erased_during_the_audit_is_not_brought_back(shop: ShopUnderTest) -> None:
    def leaves() -> None:
        shop.leaves()
        for _ in range(3):
            shop.works()
            shop.passes(timedelta(minutes=1))

    audits(shop, {DE1: Interrupted(shop.node, once(leaves))})
    shop.works()

    assert not shop.has_subscription()
    assert shop.node.holds == {}
    assert audits(shop)[DE1].keepers == {VLESS: KeeperFindings(), SHADOWSOCKS: KeeperFindings()}


def test_a_customer_erased_while_something_is_put_right_is_not_brought_back(shop: ShopUnderTest) -> None:
    def leaves() -> None:
        shop.leaves()
        for _ in range(3):
            shop.works()
            shop.passes(timedelta(minutes=1))

    forgets(shop)
    tell_by_hand(shop, access(shop, SHADOWSOCKS), traffic_limit=1)
    shop.node.holds.pop(access(shop))
    ghost = HeldAccess(user_name(shop.subscription().id), "fake", None, None, 0)
    shop.node.strangers.append((VLESS, ghost))

    audits(shop, before_writing=once(leaves))
    shop.works()

    assert not shop.has_subscription()
    assert shop.node.holds == {}


def test_a_customer_banned_while_something_is_put_right_gets_no_key(shop: ShopUnderTest) -> None:
    def bans() -> None:
        operations = Operations(shop)
        operations.ban(operations.says(), ANNA.id)
        shop.provides()

    forgets(shop)  # owed, when it is judged

    audits(shop, before_writing=once(bans))
    shop.provides()

    assert shop.node.holds == {}


def test_an_access_that_became_due_meanwhile_stays_as_urgent_as_it_is(shop: ShopUnderTest) -> None:
    tell_by_hand(shop, access(shop), traffic_limit=1)
    shop.node.holds.pop(access(shop, SHADOWSOCKS))

    def buys_again() -> None:
        shop.buys(YEAR)
        shop.settles()

    findings = audits(shop, before_writing=once(buys_again))[DE1]

    assert findings.keepers[SHADOWSOCKS].missing == 0
    with shop.database.open_ledger() as ledger:
        claims = ledger.accesses.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)
    assert {claim.urgency for claim in claims} == {Urgency.CUSTOMER}


def test_new_keys_during_the_audit_stay_the_new_ones(shop: ShopUnderTest) -> None:
    def rotates() -> None:
        def work(ledger: Ledger) -> None:
            rotated = shop.subscription().rotated()
            ledger.subscriptions.save(rotated, remind_at=None, expire_at=rotated.ends_at)
            ledger.accesses.make_due(rotated.id, shop.now)

        shop.database.write(work)
        shop.works()

    audits(shop, {DE1: Interrupted(shop.node, once(rotates))})
    shop.works()

    new = RING.credential(shop.subscription(), DE1, VLESS)
    assert shop.node.holds[access(shop)].credential == new
    assert audits(shop)[DE1].is_as_it_should_be


# ── several nodes ──


def test_every_node_of_the_settings_is_looked_at(database_url: str) -> None:
    shop = ShopUnderTest(database_url, nodes=[a_node("de1"), a_node("de2")])
    shop.buys_and_gets()
    shop.nodes[DE1].holds.clear()
    shop.nodes[DE2].fails_with = {SHADOWSOCKS: DOWN}

    findings = audits(shop)

    assert {code: len(one.problems) for code, one in findings.items()} == {DE1: 0, DE2: 1}
    assert [found.missing for found in findings[DE1].keepers.values()] == [1, 1]
    assert findings[DE2].keepers[VLESS] == ORDER
    shop.close()
