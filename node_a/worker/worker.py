"""The worker's loop: it rings the desks that have work, within 50 ms of the moment there is some."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import structlog

from node_a.application.ports import Activity, Agenda, Clock, Queue, RunInThread
from node_a.domain.errors import ShopError
from node_a.worker.desk import Desk
from node_a.worker.trouble import Trouble

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# How often the database is asked whether anybody wrote: 5 µs each time on SQLite.
LOOK: Final = 0.01
# How often the agenda is read although nobody wrote: some work becomes due by time alone.
TICK: Final = 0.25
OBSERVE_EVERY: Final = 30.0
# What runs at the end gets this long; then its leases have to do.
GRACE: Final = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """`observe` looks at the nodes, for the statistics. `look`, `tick`, `observe_every`, `grace`: seconds."""

    agenda: Agenda
    desks: Sequence[Desk[Any]]
    observe: Callable[[], Awaitable[None]]
    in_thread: RunInThread
    clock: Clock
    look: float = LOOK
    tick: float = TICK
    observe_every: float = OBSERVE_EVERY
    grace: float = GRACE

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`. Work left unfinished is named in the log, and done again by the next worker."""
        log.info("worker is at work", desks=len(self.desks))
        serving = [asyncio.create_task(desk.serve(stopping)) for desk in self.desks]
        observing = asyncio.create_task(self._observe())
        await self._watch(stopping)
        observing.cancel()
        for desk in self.desks:
            desk.bell.set()
        await asyncio.gather(*serving)
        await asyncio.gather(observing, return_exceptions=True)
        left = await asyncio.gather(*(desk.finish(self.grace) for desk in self.desks))
        for desk, count in zip(self.desks, left, strict=True):
            if count:
                log.warning(
                    "left unfinished; it is taken up again when its lease ends", desk=desk.activity, count=count
                )

    async def _watch(self, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        next_tick = loop.time()
        trouble = Trouble()
        while not stopping.is_set():
            try:
                if self.agenda.changed() or loop.time() >= next_tick:
                    next_tick = loop.time() + self.tick
                    await self._ring()
                    trouble.ends()
            except ShopError as error:
                if trouble.is_news():
                    log.warning("the agenda cannot be read", problem=str(error))
                await asyncio.sleep(1)
            await asyncio.sleep(self.look)

    async def _ring(self) -> None:
        due, queues = await self.in_thread(self._look)
        for desk in self.desks:
            if desk.activity in due and (desk.serves is None or any(map(desk.serves, queues))):
                desk.bell.set()

    def _look(self) -> tuple[Set[Activity], Set[Queue]]:
        now = self.clock()
        due = self.agenda.due(now)
        return due, self.agenda.queues(now) if Activity.PROVIDE in due else frozenset()

    async def _observe(self) -> None:
        while True:
            try:
                await self.observe()
            except ShopError as error:
                log.warning("nodes were not observed", problem=str(error))
            except Exception:  # the edge of the process: statistics must not end the work
                log.exception("nodes were not observed, in a way nobody foresaw")
            await asyncio.sleep(self.observe_every)
