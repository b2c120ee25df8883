"""`python -m bench.fill [SUBSCRIPTIONS]`: a new node is filled by the worker while customers buy, beside the bare calls
to a node, with as many side by side; in one run, as a ratio. Once with a panel that takes as long for a user as the
original does, and once with one that is as fast as this machine's processor, which both sides then share. On PostgreSQL
too, where there is a server."""

import asyncio
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import select

from bench.nodes import serving_nodes
from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.migration import migrate
from node_a.adapters.database.tables import accesses, customers, grants, messages, subscriptions
from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.adapters.threads import Threads
from node_a.application.jobs import Job
from node_a.application.ports import Urgency
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.customer import CustomerId
from node_a.domain.message import MessageKind
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId
from node_a.worker.desks import desks
from node_a.worker.providing import BATCHES_AT_ONCE
from node_a.worker.worker import Worker
from shared import logs
from tests.builders import MONTH, a_node
from tests.fakes.shop import ShopUnderTest
from tests.postgresql import NoServer, running_cluster

T = TypeVar("T")

SUBSCRIPTIONS: Final = 10_000
# Seconds for a user, one after another (FACTS: Marzban, Times), and none.
PACES: Final = {"as the original": 0.013, "as fast as it goes": 0.0}
A_PURCHASE_EVERY: Final = 2.0
LOOK_EVERY: Final = 0.05
OLD, NEW = NodeCode("de1"), NodeCode("fi1")
BEGAN: Final = datetime.now(UTC) - timedelta(days=1)


class RealTime(ShopUnderTest):
    """The shop under test, with the time as it is."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @now.setter
    def now(self, value: datetime) -> None:
        """It cannot be set."""


def stocked(url: str, count: int) -> RealTime:
    """So many customers with a month on the old node, who know their keys; the new node is in the settings."""
    engine = open_engine(url)
    migrate(engine)
    plan = {"plan_code": MONTH.code, "plan_days": 30, "price_minor_units": 19_900, "price_currency": "RUB"}
    ends_at = BEGAN + MONTH.period
    settled = {"node": OLD, "present": True, "applied_revision": 1, "applied_rotation": 0, "applied_until": ends_at}
    numbers = range(1, count + 1)
    rows: dict[Any, list[dict[str, Any]]] = {
        customers: [{"id": n, "language": "ru", "standing": "good", "reachable": True} for n in numbers],
        subscriptions: [
            {"id": its(n), "customer_id": n, "secret_number": 1, "rotation": 0, "revision": 1, "expire_at": ends_at}
            for n in numbers
        ],
        grants: [
            {"id": its(n), "source": f"payment:{n}", "subscription_id": its(n), "starts_at": BEGAN, "ends_at": ends_at}
            | plan
            for n in numbers
        ],
        accesses: [
            settled | {"subscription_id": its(n), "protocol": protocol.value, "attempts": 0}
            for n in numbers
            for protocol in Protocol
        ],
        messages: [
            {"id": its(n), "unique_key": f"{MessageKind.KEYS_READY}:{its(n)}", "customer_id": n, "attempts": 0}
            | {"kind": MessageKind.KEYS_READY.value, "priority": 0, "subject": its(n), "finished_at": BEGAN}
            | {"due": BEGAN, "valid_until": ends_at}
            for n in numbers
        ],
    }
    with engine.begin() as connection:
        for table, values in rows.items():
            connection.execute(table.insert(), values)
    engine.dispose()
    return RealTime(url, nodes=[a_node(OLD), a_node(NEW)])


def its(number: int) -> SubscriptionId:
    # Evenly spread, as the random ones are.
    return SubscriptionId(UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4))


# ── the bare calls ──


async def bare(account: NodeAccount, everything: Sequence[WantedAccess]) -> float:
    """Seconds. As many side by side for each keeper as the worker has."""

    async def apply(some: Iterator[WantedAccess], node: NodeB) -> None:
        for wanted in some:
            await node.apply(wanted)

    async with NodeB(account, clock=lambda: datetime.now(UTC)) as node:
        shared = [iter([one for one in everything if one.id.protocol is protocol]) for protocol in Protocol]
        began = time.perf_counter()
        await asyncio.gather(*(apply(some, node) for some in shared for _ in range(BATCHES_AT_ONCE)))
        return time.perf_counter() - began


def wanted_by(shop: RealTime, count: int) -> list[WantedAccess]:
    """What the new node must hold of everybody."""
    ids = [its(number) for number in range(1, count + 1)]
    with shop.ledger() as ledger:
        found = ledger.subscriptions.find_all(ids)
        records = ledger.accesses.find_all([AccessId(id, OLD, protocol) for id in ids for protocol in Protocol])
    return [shop.wanting(found[id.subscription_id], record, shop.now) for id, record in records.items()]


# ── the worker ──


@asynccontextmanager
async def working(shop: RealTime, nodes: dict[NodeCode, NodeB]) -> AsyncIterator[None]:
    """The real desks, with the fakes at Telegram and the provider."""
    shop.nodes.clear()
    shop.nodes.update(nodes)  # type: ignore[arg-type]
    threads, stopping = Threads("bench", 8), asyncio.Event()
    ledger = threads.transaction(shop.database.write)
    worker = Worker(
        agenda=shop.agenda,
        desks=desks(
            settle=shop.settle_payment,
            settle_refunds=shop.settle_refunds,
            provide=shop.provide_access,
            keep_up=shop.provide_upkeep,
            deliver=shop.deliver_message,
            remind=shop.remind_customer,
            expire=shop.expire_subscription,
            erase=shop.erase_customer,
            jobs={Job.FILL_NODES: shop.put_nodes_into_effect},
            ledger=ledger,
            in_provider_thread=Threads("bench-provider", 4).run,
            in_thread=threads.run,
            clock=lambda: shop.now,
        ),
        observe=_nothing,
        in_thread=threads.run,
        clock=lambda: shop.now,
    )
    running = asyncio.create_task(worker.run(stopping))
    yield
    stopping.set()
    await running


async def _nothing() -> None:
    """Nobody looks at the nodes here."""


@dataclass(frozen=True, slots=True)
class Filled:
    """`seconds` until everybody had keys on the new node; `waited`: each of those who bought meanwhile, until the keys
    worked on both nodes."""

    seconds: float
    waited: Sequence[float]


async def filled(shop: RealTime, accounts: Sequence[NodeAccount]) -> Filled:
    async with AsyncExitStack() as stack:
        old, new = [await stack.enter_async_context(NodeB(account, clock=lambda: shop.now)) for account in accounts]
        await stack.enter_async_context(working(shop, {OLD: old, NEW: new}))
        await asyncio.sleep(1)  # the worker is at work before it is measured
        waited: list[float] = []
        began = time.perf_counter()
        buying = asyncio.create_task(purchases(shop, waited))
        await asyncio.to_thread(shop.database.write, lambda ledger: ledger.jobs.ensure(Job.FILL_NODES, shop.now))
        while not await asyncio.to_thread(is_filled, shop):  # noqa: ASYNC110 — the database tells nobody
            await asyncio.sleep(4 * LOOK_EVERY)
        took = time.perf_counter() - began
        buying.cancel()
        with suppress(asyncio.CancelledError):
            await buying
        return Filled(took, waited)


def is_filled(shop: RealTime) -> bool:
    with shop.ledger() as ledger:
        in_effect = any(record.state is not None for record in ledger.nodes.all() if record.code == NEW)
    query = select(accesses.c.node).where(accesses.c.due_at.is_not(None), accesses.c.urgency == Urgency.UPKEEP)
    with shop.engine.connect() as connection:
        return in_effect and connection.execute(query.limit(1)).first() is None


async def purchases(shop: RealTime, waited: list[float]) -> None:
    """One after another, until it is cancelled."""
    for number in itertools.count(1_000_000_000):
        customer = CustomerId(number)
        began = time.perf_counter()
        await asyncio.to_thread(shop.buys, MONTH, customer)
        while not await asyncio.to_thread(is_provided, shop, customer):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)
        waited.append(time.perf_counter() - began)
        await asyncio.sleep(A_PURCHASE_EVERY)


def is_provided(shop: RealTime, customer: CustomerId) -> bool:
    with shop.ledger() as ledger:
        subscription = ledger.subscriptions.of_customer(customer)
        if subscription is None:
            return False
        progress = ledger.accesses.progress(subscription.id, shop.now)
        return bool(progress.applied == progress.wanted)


# ── side by side ──


def measured(url: str, count: int, pace: float) -> dict[str, float]:
    """Half of the bare calls before, half of them after: the machine may be busier at one time than at another."""
    shop = stocked(url, count)
    everything = wanted_by(shop, count)
    halves = everything[: len(everything) // 2], everything[len(everything) // 2 :]
    with serving_nodes(1, pace=pace) as [account]:
        before, before_cpu = timed(bare(account, halves[0]))
    with serving_nodes(2, pace=pace) as accounts:
        fill, fill_cpu = timed(filled(shop, accounts))
    with serving_nodes(1, pace=pace) as [account]:
        after, after_cpu = timed(bare(account, halves[1]))
    shop.close()
    seconds = before + after
    return {
        "subscriptions": count,
        "bare_per_second": round(len(everything) / seconds, 1),
        "filled_per_second": round(len(everything) / fill.seconds, 1),
        "ratio": round(seconds / fill.seconds, 3),
        "bare_cpu_ms": round(1000 * (before_cpu + after_cpu) / len(everything), 3),
        "filled_cpu_ms": round(1000 * fill_cpu / len(everything), 3),
        "purchases": len(fill.waited),
        "longest_purchase_seconds": round(max(fill.waited, default=math.inf), 3),
    }


def timed(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """What it gives, and the seconds of processor time that this process took for it."""
    began = time.process_time()
    result = asyncio.run(work)
    return result, time.process_time() - began


def on_each(directory: Path, count: int) -> Iterator[tuple[str, dict[str, float]]]:
    """PostgreSQL's server is one for tests, which brings nothing to the disk: its commits are not SQLite's."""
    with ExitStack() as stack:
        urls = {f"sqlite, {pace}": f"sqlite:///{directory / pace}.db" for pace in PACES}
        with suppress(NoServer):
            cluster = stack.enter_context(running_cluster())
            urls |= {f"postgresql, {pace}": stack.enter_context(cluster.database(migrated=False)) for pace in PACES}
        for name, url in urls.items():
            yield name, measured(url, count, PACES[name.partition(", ")[2]])


if __name__ == "__main__":
    logs.configure(process="bench", format="readable", level="WARNING", secrets=[])
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(dict(on_each(Path(directory), int(sys.argv[1]) if sys.argv[1:] else SUBSCRIPTIONS))))
