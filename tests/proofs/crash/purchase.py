"""One run: a customer buys what is not bought yet, and the worker works until nothing waits any more."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from sqlalchemy import ColumnElement, select

from node_a.adapters.database.tables import accesses, messages, payments
from node_a.domain.payment import Payment
from node_a.worker.worker import Worker
from sandbox.stand_ins import SHOP_ID
from tests.builders import ANNA
from tests.proofs.crash.calls import Calls, doing
from tests.proofs.crash.composition import Shop, opened
from tests.proofs.crash.job import Job

# Seconds of the shop's time. A step is short enough that what is due one after another is done one after another.
STEP: Final = 1.0
LONGEST: Final = 300.0


class NeverQuiet(Exception):
    """Something still waits that should have been done long ago."""


@dataclass
class ShopTime:
    """Ours, and `ahead` seconds more; whoever waits for nothing but time lets it pass."""

    ahead: float

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)


@dataclass
class Purchase:
    job: Job
    calls: Calls
    time: ShopTime
    # All is plain http here, and making a context for https takes longer than all the rest.
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, verify=False))
    _left: float = field(default=LONGEST)

    async def run(self) -> None:
        async with opened(self.job.world, self.calls, self.time) as shop:
            shop.register(ANNA.id, ANNA.language)
            bought = self._bought()
            for stage in self.job.stages:
                self._buys(shop, [plan for plan in stage if not _take(bought, plan)])
                await (self._by_worker(shop) if self.job.by_worker else self._desk_by_desk(shop))

    # ── what the customer does ──

    def _bought(self) -> Counter[str]:
        """What the customer has paid for: after a crash as before, the customer knows."""
        world = self.job.world
        answer = self.http.get(
            f"{world.yookassa_url}/v3/payments",
            params={"status": "succeeded", "limit": 100},
            auth=(SHOP_ID, world.yookassa_secret_key),
        )
        return Counter(payment["metadata"]["plan_code"] for payment in answer.raise_for_status().json()["items"])

    def _buys(self, shop: Shop, plans: Sequence[str]) -> None:
        opened_payments = [shop.open_payment(ANNA.id, plan) for plan in plans]
        for payment in opened_payments:
            self._pays(payment)
        for payment in opened_payments:
            shop.nudge(payment.id, None)  # what the webhook does; after a crash it has got lost

    def _pays(self, payment: Payment) -> None:
        assert payment.link is not None
        page = payment.link.rpartition("/")[2]
        self.http.post(f"{self.job.world.yookassa_url}/sandbox/payments/{page}/pay").raise_for_status()

    # ── what the worker does ──

    async def _desk_by_desk(self, shop: Shop) -> None:
        """One thing after another, so that the same call has the same number in every run."""
        while True:
            due = shop.agenda.due(self.time())
            for desk in shop.desks:
                if desk.activity in due:
                    doing.set(desk.activity)
                    for claim in await desk.claim(desk.at_once):
                        await desk.handle(claim)
            doing.set("buy")
            if not due:
                if not self._is(shop, _WAITING):
                    return
                self._pass()

    async def _by_worker(self, shop: Shop) -> None:
        """The worker as it is; while it has nothing to do, time passes quickly."""
        stopping = asyncio.Event()
        worker = Worker(
            agenda=shop.agenda,
            desks=shop.desks,
            observe=_nothing,
            in_thread=shop.threads.run,
            clock=self.time,
            tick=0.05,  # what becomes due by its time alone, and our time passes quickly
        )
        running = asyncio.create_task(worker.run(stopping))
        while self._is(shop, _WAITING):
            if not self._is(shop, _LEASED) and not shop.agenda.due(self.time()):
                self._pass()
            await asyncio.sleep(0.02)
        stopping.set()
        await running

    def _pass(self) -> None:
        self._left -= STEP
        if self._left < 0:
            raise NeverQuiet
        self.time.ahead += STEP

    def _is(self, shop: Shop, which: Sequence[ColumnElement[bool]]) -> bool:
        with shop.engine.connect() as connection:
            return any(connection.execute(select(1).where(one).limit(1)).first() is not None for one in which)


_WAITING: Final = (payments.c.check_at.is_not(None), accesses.c.due_at.is_not(None), messages.c.finished_at.is_(None))
_LEASED: Final = tuple(table.c.leased_until.is_not(None) for table in (payments, accesses, messages))


def _take(bought: Counter[str], plan: str) -> bool:
    """Whether the plan is among what is bought, which is one less then."""
    if not bought[plan]:
        return False
    bought[plan] -= 1
    return True


async def _nothing() -> None:
    """Nobody looks at the nodes here."""
