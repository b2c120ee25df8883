"""The worker notices work at once, does each kind side by side, and survives what breaks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from node_a.adapters.threads import Threads
from node_a.application.ports import Activity
from node_a.application.statistics import ObserveNodes, ShowServers
from node_a.bootstrap import PROVIDER_THREADS
from node_a.domain.errors import LedgerUnavailable, NodeRefused, NodeUnavailable
from node_a.domain.money import Money
from node_a.domain.node import NodeCode, NodeState
from node_a.worker.desk import Desk
from node_a.worker.desks import desks
from node_a.worker.worker import Worker
from tests.builders import DAY, a_node
from tests.databases import on_both
from tests.fakes.shop import ShopUnderTest
from tests.waiting import until_in_thread


def a_worker(shop: ShopUnderTest, **changes: Any) -> Worker:
    threads = Threads("worker-test", 4)
    ledger = threads.transaction(shop.database.write)
    nodes = {NodeCode("de1"): shop.node}
    parts: dict[str, Any] = {
        "agenda": shop.agenda,
        "desks": desks(
            settle=shop.settle_payment,
            settle_refunds=shop.settle_refunds,
            provide=shop.provide_access,
            keep_up=shop.provide_upkeep,
            deliver=shop.deliver_message,
            remind=shop.remind_customer,
            expire=shop.expire_subscription,
            erase=shop.erase_customer,
            jobs={},
            ledger=ledger,
            in_provider_thread=Threads("worker-test-provider", PROVIDER_THREADS).run,
            in_thread=threads.run,
            clock=lambda: shop.now,
        ),
        "observe": ObserveNodes(ledger=ledger, nodes=nodes, record=shop.record_observations, clock=lambda: shop.now),
        "in_thread": threads.run,
        "clock": lambda: shop.now,
        **changes,
    }
    return Worker(**parts)


@on_both
async def test_a_purchase_is_noticed_by_its_commit_alone_and_runs_to_the_keys(shop: ShopUnderTest) -> None:
    """The tick is an hour away: only the watch on the database can wake anybody."""
    stopping = asyncio.Event()
    running = asyncio.create_task(a_worker(shop, tick=3600.0).run(stopping))
    await asyncio.sleep(0)

    await asyncio.to_thread(shop.buys)
    await until_in_thread(lambda: shop.letters() == ["KeysReady"])
    stopping.set()
    await running

    assert len(shop.node.holds) == 2


async def test_what_becomes_due_by_time_alone_is_noticed_by_the_tick(shop: ShopUnderTest) -> None:
    await asyncio.to_thread(shop.buys_and_gets)
    stopping = asyncio.Event()
    running = asyncio.create_task(a_worker(shop, tick=0.02).run(stopping))

    shop.passes(27 * DAY)
    await until_in_thread(lambda: "EndsSoon" in shop.letters())
    shop.passes(3 * DAY)
    await until_in_thread(lambda: "Ended" in shop.letters() and not shop.node.holds)
    stopping.set()
    await running


async def test_nodes_are_observed_for_the_statistics(shop: ShopUnderTest) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(a_worker(shop).run(stopping))
    show = ShowServers(
        read_ledger=shop.database.read_ledger,
        nodes=[a_node("de1"), a_node("fi1"), a_node("old", state=NodeState.RETIRED)],
        clock=lambda: shop.now,
    )

    await until_in_thread(lambda: show()[0].observation is not None)
    stopping.set()
    await running

    de1, fi1 = show()
    assert de1.observation == shop.node.observation
    assert fi1.observation is None
    shop.passes(DAY)
    assert show()[0].observation is None, "yesterday's observation says nothing about now"


async def test_statistics_that_fail_do_not_end_the_work(shop: ShopUnderTest) -> None:
    async def fails() -> None:
        raise RuntimeError("a bug")

    stopping = asyncio.Event()
    running = asyncio.create_task(a_worker(shop, observe=fails).run(stopping))

    await asyncio.to_thread(shop.buys)
    await until_in_thread(lambda: shop.letters() == ["KeysReady"])
    stopping.set()
    await running


async def test_an_agenda_that_cannot_be_read_is_read_again(shop: ShopUnderTest) -> None:
    class Failing:
        calls = 0

        def changed(self) -> bool:
            return True

        def due(self, now: object) -> frozenset[Activity]:
            self.calls += 1
            raise LedgerUnavailable("locked")

    agenda, stopping = Failing(), asyncio.Event()
    running = asyncio.create_task(a_worker(shop, agenda=agenda).run(stopping))

    await until_in_thread(lambda: agenda.calls > 1)
    stopping.set()
    await running


@contextlib.asynccontextmanager
async def serving(desk: Desk[int]) -> AsyncIterator[None]:
    """The desk is rung once, serves while the test looks, and closes afterwards."""
    stopping = asyncio.Event()
    served = asyncio.create_task(desk.serve(stopping))
    desk.bell.set()
    yield
    stopping.set()
    desk.bell.set()
    await served


class Counter:
    """Claims to hand out, and what was handled."""

    def __init__(self, claims: Sequence[int]) -> None:
        self.waiting = list(claims)
        self.handled: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go_on = asyncio.Event()

    async def claim(self, limit: int) -> Sequence[int]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    async def handle(self, claim: int) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.go_on.wait()
        self.at_once -= 1
        self.handled.append(claim)

    def desk(self, **changes: Any) -> Desk[int]:
        parts: dict[str, Any] = {
            "activity": Activity.PROVIDE,
            "claim": self.claim,
            "handle": self.handle,
            "ids": lambda claim: {"claim": str(claim)},
            "at_once": 2,
            "pause_after_a_bug": 0.0,
            "pause_without_a_ledger": 0.0,
            **changes,
        }
        return Desk(**parts)


async def test_a_desk_takes_no_more_at_once_than_it_may_and_all_in_the_end() -> None:
    counter = Counter(range(7))
    desk = counter.desk()
    async with serving(desk):
        await until_in_thread(lambda: counter.at_once == 2)
        counter.go_on.set()
        await until_in_thread(lambda: len(counter.handled) == 7)

    assert counter.most_at_once == 2
    assert await desk.finish(1) == 0


async def test_what_is_left_at_the_end_is_counted() -> None:
    counter = Counter([1])
    desk = counter.desk()
    async with serving(desk):
        await until_in_thread(lambda: counter.at_once == 1)

    assert await desk.finish(0.01) == 1
    counter.go_on.set()
    assert await desk.finish(5) == 0


@pytest.mark.parametrize("error", [NodeRefused("no"), NodeUnavailable("later"), RuntimeError("a bug")])
async def test_one_piece_of_work_that_fails_does_not_keep_the_others(error: Exception) -> None:
    counter = Counter([1, 2, 3])
    counter.go_on.set()

    async def handle(claim: int) -> None:
        if claim == 1:
            raise error
        await counter.handle(claim)

    async with serving(counter.desk(handle=handle)):
        await until_in_thread(lambda: sorted(counter.handled) == [2, 3])


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("an unreadable row")])
async def test_a_claim_that_fails_in_an_unforeseen_way_does_not_close_the_desk(error: Exception) -> None:
    counter = Counter([1])
    counter.go_on.set()
    failures = [error]

    async def claim(limit: int) -> Sequence[int]:
        if failures:
            raise failures.pop()
        return await counter.claim(limit)

    async with serving(counter.desk(claim=claim)):
        await until_in_thread(lambda: counter.handled == [1])


async def test_a_full_disk_is_not_run_against_again_and_again() -> None:
    """Work that only reads when it is claimed, and cannot be done: without a pause it would be due at once."""
    tried: list[int] = []

    async def claim(limit: int) -> Sequence[int]:
        return [1]

    async def handle(claim: int) -> None:
        tried.append(claim)
        raise LedgerUnavailable("disk full")

    async with serving(Counter([]).desk(claim=claim, handle=handle, at_once=1, pause_without_a_ledger=3600.0)):
        await until_in_thread(lambda: tried == [1])
        for _ in range(100):
            await asyncio.sleep(0)

    assert tried == [1]


async def test_money_that_differs_is_said_loudly(shop: ShopUnderTest) -> None:
    def differs() -> None:
        payment = shop.chooses()
        shop.provider.pays(payment, amount=Money(1))
        shop.nudge(payment.id, None)

    stopping = asyncio.Event()
    with structlog.testing.capture_logs() as lines:
        running = asyncio.create_task(a_worker(shop).run(stopping))
        await asyncio.to_thread(differs)
        await until_in_thread(lambda: any(line["log_level"] == "error" for line in lines))
        stopping.set()
        await running

    [line] = [line for line in lines if line["log_level"] == "error"]
    assert line["problem"] == "differs: amount"


async def test_a_message_of_a_later_release_does_not_stand_in_the_way(shop: ShopUnderTest) -> None:
    await asyncio.to_thread(shop.buys_and_gets)
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE messages SET kind = 'birthday', finished_at = NULL, priority = 0"))
    assert Activity.DELIVER not in shop.agenda.due(shop.now + DAY)

    await asyncio.to_thread(shop.buys_and_gets)

    assert shop.letters() == ["KeysReady", "KeysReady"]


async def test_a_ledger_that_is_locked_is_asked_again() -> None:
    counter = Counter([1])
    counter.go_on.set()
    failures = [LedgerUnavailable("locked"), LedgerUnavailable("locked")]

    async def claim(limit: int) -> Sequence[int]:
        if failures:
            raise failures.pop()
        return await counter.claim(limit)

    async with serving(counter.desk(claim=claim)):
        await until_in_thread(lambda: counter.handled == [1])
