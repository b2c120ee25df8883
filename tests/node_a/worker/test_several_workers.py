"""Several workers side by side, on one database: everything is done, each thing once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from node_a.adapters.database.agenda import SqlAgenda
from node_a.domain.customer import CustomerId
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import Protocol
from tests.databases import on_both
from tests.fakes.shop import ShopUnderTest
from tests.node_a.worker.test_worker import a_worker
from tests.waiting import until_in_thread

pytestmark = on_both

CUSTOMERS = [CustomerId(number) for number in range(1, 13)]


@asynccontextmanager
async def two_workers(shop: ShopUnderTest) -> AsyncIterator[None]:
    """The ticks are an hour away: what one worker leaves to do, the other notices by the commit alone."""
    agendas = [SqlAgenda(shop.engine) for _ in range(2)]
    stopping = asyncio.Event()
    running = [asyncio.create_task(a_worker(shop, agenda=agenda, tick=3600.0).run(stopping)) for agenda in agendas]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*running)
        for agenda in agendas:
            agenda.close()


def all_buy(shop: ShopUnderTest, customers: Sequence[CustomerId] = CUSTOMERS) -> None:
    for customer in customers:
        shop.buys(customer_id=customer)


async def test_two_workers_settle_provide_and_deliver_each_thing_once(shop: ShopUnderTest) -> None:
    async with two_workers(shop):
        await asyncio.to_thread(all_buy, shop)
        await until_in_thread(lambda: len(shop.messenger.sent) >= len(CUSTOMERS))

    assert Counter(customer for customer, _ in shop.messenger.sent) == Counter(CUSTOMERS)
    assert set(shop.letters()) == {"KeysReady"}
    assert Counter(wanted.id for wanted in shop.node.applied) == Counter(list(shop.node.holds))
    assert len(shop.node.holds) == 2 * len(CUSTOMERS)
    assert shop.provider.finds == len(CUSTOMERS)


async def test_two_workers_try_a_node_that_was_dead_once_when_its_gate_opens(shop: ShopUnderTest) -> None:
    await asyncio.to_thread(all_buy, shop)
    await asyncio.to_thread(shop.settles)
    with shop.database.open_ledger() as ledger:
        ledger.nodes.gate_closed(shop.domain_node.code, Protocol.VLESS, shop.now, 0.5)
    shop.passes(timedelta(minutes=1))
    shop.node.fails_with = {Protocol.VLESS: NodeUnavailable("down")}

    async with two_workers(shop):
        await until_in_thread(lambda: len(shop.node.holds) == len(CUSTOMERS))

    tried = [wanted for wanted in shop.node.applied if wanted.id.protocol is Protocol.VLESS]
    assert len(tried) == 1
