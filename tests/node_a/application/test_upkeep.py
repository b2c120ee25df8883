"""Upkeep: many accesses of one keeper at once; one that fails keeps nobody else, a node that is down is left alone."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from node_a.application.ports import AccessClaim, Urgency
from node_a.application.upkeep import UpkeepReport
from node_a.domain.access import WantedAccess
from node_a.domain.customer import CustomerId
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
from node_a.domain.node import Keeper, NodeCode, NodeState, Protocol
from node_a.domain.subscription import SubscriptionId
from tests.builders import YEAR
from tests.databases import on_sqlite
from tests.fakes.ports import FakeNode
from tests.fakes.shop import LEASE, ShopUnderTest
from tests.waiting import until

FI = NodeCode("fi1")
KEEPER = Keeper(FI, Protocol.VLESS)
CUSTOMERS = [CustomerId(100 + number) for number in range(5)]


@dataclass
class PickyNode(FakeNode):
    """Fails on the access that it is told as the so many-th."""

    fails_at: dict[int, Exception] = field(default_factory=dict)
    takes: timedelta = timedelta(0)
    shop: ShopUnderTest | None = None

    async def apply(self, wanted: WantedAccess) -> None:
        if self.shop is not None:
            self.shop.passes(self.takes)
        if error := self.fails_at.get(len(self.applied)):
            self.applied.append(wanted)
            raise error
        await super().apply(wanted)


@pytest.fixture
def node(shop: ShopUnderTest) -> PickyNode:
    """A second one, that everybody's keys are to be filled into."""
    for customer in CUSTOMERS:
        shop.buys(customer_id=customer)
    shop.works()
    shop.sets("fi1", NodeState.ACTIVE)
    node = PickyNode()
    shop.nodes[FI] = node
    shop.fills()
    return node


def claimed(shop: ShopUnderTest) -> Sequence[AccessClaim]:
    with shop.database.open_ledger() as ledger:
        return ledger.accesses.claim_due(shop.now, shop.now + LEASE, 100, keeper=KEEPER, urgency=Urgency.UPKEEP)


def kept_up(shop: ShopUnderTest, batch: Sequence[AccessClaim]) -> UpkeepReport:
    return asyncio.run(shop.provide_upkeep(batch))


def held(node: FakeNode) -> set[SubscriptionId]:
    return {id.subscription_id for id in node.holds}


def applied(shop: ShopUnderTest, claims: Sequence[AccessClaim]) -> int:
    """How many of them the ledger knows as held, with nothing left to do."""
    with shop.ledger() as ledger:
        records = ledger.accesses.find_all([claim.id for claim in claims])
    return sum(record.settled and record.applied_revision > 0 for record in records.values())


def test_a_batch_is_told_and_recorded_as_a_whole(shop: ShopUnderTest, node: PickyNode) -> None:
    batch = claimed(shop)

    report = kept_up(shop, batch)

    assert len(report.done) == len(held(node)) == len(CUSTOMERS)
    assert applied(shop, batch) == len(CUSTOMERS)
    assert claimed(shop) == []


@pytest.mark.parametrize("error", [NodeRefused("422"), NodeUnavailable("500", answered=True)])
def test_an_access_that_the_node_does_not_take_keeps_nobody_else_of_the_batch(
    shop: ShopUnderTest, node: PickyNode, error: Exception
) -> None:
    node.fails_at = {1: error}
    batch = claimed(shop)

    report = kept_up(shop, batch)

    assert [found for _, found in report.failed] == [error]
    assert held(node) == {claim.id.subscription_id for claim in batch} - {batch[1].id.subscription_id}
    assert claimed(shop) == [], "it waits"
    shop.passes(timedelta(seconds=10))
    [again] = claimed(shop)
    assert (again.id, again.attempts, again.urgency) == (batch[1].id, 1, Urgency.UPKEEP)


def test_a_node_that_goes_down_is_tried_once_and_the_rest_of_the_batch_is_let_go_at_once(
    shop: ShopUnderTest, node: PickyNode
) -> None:
    node.fails_at = {2: NodeUnavailable("no answer")}
    batch = claimed(shop)

    report = kept_up(shop, batch)

    assert len(node.applied) == 3
    assert report.down is not None
    assert [claim.id for claim in report.untried] == [claim.id for claim in batch[3:]]
    assert applied(shop, batch) == 2
    with shop.ledger() as ledger:
        [gates] = [record.gates for record in ledger.nodes.all() if record.code == FI]
    assert set(gates) == {Protocol.VLESS}
    assert claimed(shop) == [], "the gate is closed"

    shop.passes(timedelta(seconds=2))
    [trying] = claimed(shop)
    kept_up(shop, [trying])
    rest = claimed(shop)
    assert sorted([trying.attempts, *(claim.attempts for claim in rest)]) == [0, 0, 1], "only one was tried before"
    kept_up(shop, rest)
    assert len(held(node)) == len(CUSTOMERS)


def test_batches_that_meet_a_dead_node_at_the_same_time_close_its_gate_once(
    shop: ShopUnderTest, node: PickyNode
) -> None:
    node.fails_with = {Protocol.VLESS: NodeUnavailable("no answer")}
    batch = claimed(shop)

    kept_up(shop, batch[:2])
    kept_up(shop, batch[2:])

    shop.passes(timedelta(seconds=2))
    assert len(claimed(shop)) == 1, "after two failures it would be four seconds"


def test_when_its_time_is_over_a_batch_lets_the_rest_go(shop: ShopUnderTest, node: PickyNode) -> None:
    node.shop, node.takes = shop, timedelta(seconds=8)
    batch = claimed(shop)

    report = kept_up(shop, batch)

    assert len(report.done) == 2, "the third would begin after 16 s"
    assert applied(shop, batch) == 2
    assert [claim.id for claim in claimed(shop)] == [claim.id for claim in batch[2:]]


def test_what_a_node_holds_is_recorded_whatever_else_goes_wrong(shop: ShopUnderTest, node: PickyNode) -> None:
    node.fails_at = {2: RuntimeError("a bug")}
    batch = claimed(shop)

    with pytest.raises(RuntimeError):
        kept_up(shop, batch)

    assert applied(shop, batch) == 2
    again = claimed(shop)
    assert [claim.id for claim in again] == [claim.id for claim in batch[3:]], "the one that it broke at waits"


def test_what_was_sent_is_recorded_and_a_renewal_meanwhile_is_told_after_it(
    shop: ShopUnderTest, node: PickyNode
) -> None:
    batch = claimed(shop)

    def renews() -> None:
        shop.passes(timedelta(seconds=1))
        shop.buys(YEAR, CUSTOMERS[0])
        shop.settles()

    node.meanwhile = renews
    kept_up(shop, batch)
    with shop.ledger() as ledger:
        renewed = ledger.subscriptions.of_customer(CUSTOMERS[0])
        record = next(
            record
            for id, record in ledger.accesses.find_all([claim.id for claim in batch]).items()
            if id.subscription_id == renewed.id
        )
    assert (record.applied_revision, record.settled) == (1, False)

    shop.works()

    assert {wanted.revision for id, wanted in node.holds.items() if id.subscription_id == renewed.id} == {2}


def test_a_node_that_is_ahead_is_overtaken_from_a_batch_too(shop: ShopUnderTest, node: PickyNode) -> None:
    node.fails_at = {0: NodeIsAhead("409", revision=7)}
    batch = claimed(shop)

    kept_up(shop, batch)
    shop.works()

    of_it = [wanted for id, wanted in node.holds.items() if id.subscription_id == batch[0].id.subscription_id]
    assert {wanted.revision for wanted in of_it} == {8}
    assert len(held(node)) == len(CUSTOMERS)


def test_what_a_node_is_told_to_forget_goes_with_the_whole_batch(shop: ShopUnderTest, node: PickyNode) -> None:
    shop.works()
    shop.sets("fi1", NodeState.RETIRED)
    shop.fills()
    node.applied.clear()
    node.fails_at = {1: NodeRefused("no")}
    batch = claimed(shop)

    kept_up(shop, batch)

    assert not any(wanted.present for wanted in node.applied)
    with shop.ledger() as ledger:
        left = ledger.accesses.find_all([claim.id for claim in batch])
    assert list(left) == [batch[1].id], "its row stays until the node has confirmed"


@on_sqlite
@pytest.mark.parametrize("one_by_one", [True, False])
def test_what_a_node_must_hold_is_read_without_waiting_for_whoever_writes(
    shop: ShopUnderTest, node: PickyNode, one_by_one: bool
) -> None:
    batch = claimed(shop)

    def provide() -> None:
        if one_by_one:
            asyncio.run(replace(shop.provide_access, nodes=shop.nodes)(batch[0]))
        else:
            kept_up(shop, batch)

    with ThreadPoolExecutor(1) as beside:
        with shop.database.open_ledger():  # SQLite's one writer
            providing = beside.submit(provide)
            until(lambda: bool(node.applied))
        providing.result(60)

    assert applied(shop, batch) >= 1
