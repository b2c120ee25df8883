"""Each keeper has its own desks: one that hangs, or has much to do, costs nobody else anything."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from node_a.application.provisioning import READY_WAITS_FOR
from node_a.domain.access import WantedAccess
from node_a.domain.customer import CustomerId
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import Keeper, NodeCode, NodeState, Protocol
from node_a.worker.providing import BATCH, BATCHES_AT_ONCE
from tests.fakes.ports import FakeNode
from tests.fakes.shop import ShopUnderTest
from tests.node_a.worker.test_worker import a_worker
from tests.waiting import until_in_thread

DE, FI = NodeCode("de1"), NodeCode("fi1")
# More than all desks of a keeper together handle side by side.
CUSTOMERS = [CustomerId(100 + number) for number in range(12)]


@dataclass
class HangingNode(FakeNode):
    """Answers nobody of whom `hangs` is true, until it is `let_go`."""

    hangs: Callable[[WantedAccess], bool] = lambda wanted: True
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    async def apply(self, wanted: WantedAccess) -> None:
        if self.hangs(wanted):
            self.waiting += 1
            await self.let_go.wait()
            self.waiting -= 1
        await super().apply(wanted)


@asynccontextmanager
async def a_working_shop(shop: ShopUnderTest) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    running = asyncio.create_task(a_worker(shop).run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await running


def all_buy(shop: ShopUnderTest) -> None:
    for customer in CUSTOMERS:
        shop.buys(customer_id=customer)


def known_as_held(shop: ShopUnderTest, node: NodeCode) -> int:
    with shop.ledger() as ledger:
        return sum(len(ledger.accesses.settled_at(Keeper(node, protocol), None, 100)) for protocol in Protocol)


async def test_a_node_that_hangs_keeps_no_other_node_waiting(shop: ShopUnderTest) -> None:
    shop.sets("fi1", NodeState.ACTIVE)
    hanging = shop.nodes[DE] = HangingNode()
    async with a_working_shop(shop):
        await asyncio.to_thread(all_buy, shop)
        await until_in_thread(lambda: known_as_held(shop, FI) == 2 * len(CUSTOMERS))
        assert hanging.waiting > 0
        assert hanging.holds == {}
        shop.passes(READY_WAITS_FOR)
        await until_in_thread(lambda: shop.letters().count("KeysReady") == len(CUSTOMERS))

        hanging.let_go.set()
        await until_in_thread(lambda: len(hanging.holds) == 2 * len(CUSTOMERS))


async def test_a_panel_that_hangs_keeps_its_nodes_agent_from_nothing(shop: ShopUnderTest) -> None:
    hanging = shop.nodes[DE] = HangingNode(hangs=lambda wanted: wanted.id.protocol is Protocol.VLESS)
    async with a_working_shop(shop):
        await asyncio.to_thread(all_buy, shop)
        await until_in_thread(lambda: len(hanging.held_now(Protocol.SHADOWSOCKS)) == len(CUSTOMERS))
        assert hanging.held_now(Protocol.VLESS) == []
        hanging.let_go.set()


async def test_however_much_upkeep_a_node_has_in_hand_a_customer_goes_on_beside_it(shop: ShopUnderTest) -> None:
    await asyncio.to_thread(all_buy, shop)
    await asyncio.to_thread(shop.works)
    known = {id.subscription_id for id in shop.node.holds}
    shop.sets("fi1", NodeState.ACTIVE)
    hanging = shop.nodes[FI] = HangingNode(hangs=lambda wanted: wanted.id.subscription_id in known)
    await asyncio.to_thread(shop.fills)
    async with a_working_shop(shop):
        await until_in_thread(lambda: hanging.waiting == len(Protocol))

        await asyncio.to_thread(shop.buys)
        await until_in_thread(lambda: len(hanging.holds) == len(Protocol))
        await until_in_thread(lambda: shop.letters()[len(CUSTOMERS) :] == ["KeysReady"])

        assert hanging.waiting == len(Protocol)
        hanging.let_go.set()
        await until_in_thread(lambda: len(hanging.holds) == len(Protocol) * (len(CUSTOMERS) + 1))


async def test_a_node_that_is_filled_is_told_everything_in_batches(shop: ShopUnderTest) -> None:
    await asyncio.to_thread(all_buy, shop)
    await asyncio.to_thread(shop.works)
    shop.sets("fi1", NodeState.ACTIVE)
    await asyncio.to_thread(shop.fills)

    with structlog.testing.capture_logs() as lines:
        async with a_working_shop(shop):
            await until_in_thread(lambda: len(shop.nodes[FI].holds) == 2 * len(CUSTOMERS))

    assert len(shop.nodes[FI].applied) == 2 * len(CUSTOMERS)
    told = [line for line in lines if line["event"] == "done"]
    assert len(told) == len(Protocol), "one line for a batch, not for each access"


async def test_a_node_that_is_not_in_the_settings_any_more_is_said_to_be_missing(shop: ShopUnderTest) -> None:
    shop.sets("fi1", NodeState.ACTIVE)
    await asyncio.to_thread(shop.buys)
    await asyncio.to_thread(shop.settles)
    del shop.nodes[FI]

    with structlog.testing.capture_logs() as lines:
        async with a_working_shop(shop):
            await until_in_thread(lambda: len(shop.node.holds) == 2)
            await until_in_thread(lambda: sum("not in the settings" in str(line) for line in lines) >= len(Protocol))


async def test_a_node_that_does_not_answer_is_said_once_for_a_batch(shop: ShopUnderTest) -> None:
    await asyncio.to_thread(all_buy, shop)
    await asyncio.to_thread(shop.works)
    shop.sets("fi1", NodeState.ACTIVE)
    shop.nodes[FI].fails_with = {Protocol.VLESS: NodeUnavailable("no answer")}
    await asyncio.to_thread(shop.fills)

    with structlog.testing.capture_logs() as lines:
        async with a_working_shop(shop):
            await until_in_thread(lambda: any(line["event"] == "not now" for line in lines))
            await until_in_thread(lambda: len(shop.nodes[FI].holds) == len(CUSTOMERS))

    [line] = [line for line in lines if line["event"] == "not now"]
    assert line["problem"] == "no answer"
    assert len(CUSTOMERS) < BATCH * BATCHES_AT_ONCE, "all of them were one batch"
