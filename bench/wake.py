"""`python -m bench.wake`: how long after a commit the worker takes the work, beside how long the commit itself took."""

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.ledger import Database
from node_a.adapters.database.migration import migrate
from node_a.adapters.threads import Threads
from node_a.application.ports import Activity, MessageClaim
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.message import Message, MessageId
from node_a.domain.money import Money
from node_a.domain.payment import Payment, PaymentId, Shop
from node_a.domain.plan import Plan
from node_a.worker.desk import Desk
from node_a.worker.worker import Worker
from shared import logs
from tests.postgresql import NoServer, running_cluster

ROUNDS: Final = 200
LOOKS: Final = 10_000
PROMISE_MS: Final = 50.0
CUSTOMER: Final = Customer(CustomerId(1), Language.RUSSIAN)


def now() -> datetime:
    return datetime.now(UTC)


def queue_one(database: Database) -> None:
    payment = Payment(PaymentId(uuid4()), CUSTOMER.id, Plan("month", 30, Money(19_900)), Shop("1", True), now())
    with database.open_ledger() as ledger:
        ledger.messages.queue(Message.payment_declined(MessageId(uuid4()), payment, now()))


async def measure(url: str) -> dict[str, float]:
    engine = open_engine(url)
    migrate(engine)
    database, threads, taken = Database(engine), Threads("bench", 4), asyncio.Event()
    with database.open_ledger() as ledger:
        ledger.customers.save(CUSTOMER)

    async def claim(limit: int) -> Sequence[MessageClaim]:
        return await threads.transaction(database.write)(lambda ledger: ledger.messages.claim_due(now(), now(), limit))

    async def handle(claim: MessageClaim) -> None:
        taken.set()
        await threads.transaction(database.write)(lambda ledger: ledger.messages.sent(claim, now()))

    desk = Desk(activity=Activity.DELIVER, claim=claim, handle=handle, ids=lambda _: {}, at_once=1)
    agenda, stopping = SqlAgenda(engine), asyncio.Event()

    async def observe() -> None:
        """Nothing is observed here."""

    # The tick is far away: only the watch on the database wakes anybody.
    worker = Worker(agenda=agenda, desks=[desk], observe=observe, in_thread=threads.run, clock=now, tick=3600)
    running = asyncio.create_task(worker.run(stopping))
    commits, waits = [], []
    for _ in range(ROUNDS):
        await asyncio.sleep(random.uniform(0.01, 0.05))  # noqa: S311 — not for secrets
        taken.clear()
        started = time.perf_counter()
        await asyncio.to_thread(queue_one, database)
        committed = time.perf_counter()
        await taken.wait()
        commits.append((committed - started) * 1000)
        waits.append((time.perf_counter() - committed) * 1000)
    stopping.set()
    await running
    agenda.close()
    engine.dispose()
    late = statistics.quantiles(waits, n=100)[98]
    return {
        "commit_ms": round(statistics.median(commits), 1),
        "wake_ms": round(statistics.median(waits), 1),
        "wake_ms_99th": round(late, 1),
        "wake_99th_of_promise": round(late / PROMISE_MS, 2),
    }


def what_a_look_costs(url: str) -> float:
    """Microseconds for asking whether anybody wrote, when nobody did; the worker asks a hundred times a second."""
    engine = open_engine(url)
    agenda = SqlAgenda(engine)
    agenda.due(now())
    agenda.changed()
    started = time.perf_counter()
    for _ in range(LOOKS):
        agenda.changed()
    took = time.perf_counter() - started
    agenda.close()
    engine.dispose()
    return round(took / LOOKS * 1e6, 1)


def both(directory: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """PostgreSQL's server is one for tests, which brings nothing to the disk: its commits are not SQLite's."""
    with ExitStack() as stack:
        urls = {"sqlite": f"sqlite:///{directory / 'bench.db'}"}
        with suppress(NoServer):
            cluster = stack.enter_context(running_cluster())
            urls["postgresql"] = stack.enter_context(cluster.database(migrated=False))
        for name, url in urls.items():
            yield name, {**asyncio.run(measure(url)), "look_us": what_a_look_costs(url)}


if __name__ == "__main__":
    logs.configure(process="bench", format="readable", level="ERROR", secrets=[])
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(dict(both(Path(directory)))))
