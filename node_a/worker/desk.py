"""A desk: takes one kind of due work, a few at a time, and survives whatever happens to each."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import structlog

from node_a.application.ports import Activity, Queue
from node_a.domain.errors import LedgerUnavailable, Refused, ShopError
from node_a.worker.trouble import Trouble
from shared.logs import bind, new_id

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

C = TypeVar("C")

# Seconds. After something unforeseen: what stays due must not be tried in a circle.
PAUSE_AFTER_A_BUG: Final = 5.0
PAUSE_WITHOUT_A_LEDGER: Final = 1.0


@dataclass(eq=False, kw_only=True)
class Desk(Generic[C]):
    """`claim` takes at most so many; `handle` does one; `ids` names it in the log; `at_once`: handled side by side;
    `serves`: which queues are its own, where an activity has several."""

    activity: Activity
    claim: Callable[[int], Awaitable[Sequence[C]]]
    handle: Callable[[C], Awaitable[object]]
    ids: Callable[[C], Mapping[str, str]]
    at_once: int
    serves: Callable[[Queue], bool] | None = None
    pause_after_a_bug: float = PAUSE_AFTER_A_BUG
    pause_without_a_ledger: float = PAUSE_WITHOUT_A_LEDGER
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Trouble = field(default_factory=Trouble)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; the bell says that something is due. What runs then is left to `finish`."""
        while not stopping.is_set():
            await self.bell.wait()
            self.bell.clear()
            if not stopping.is_set():
                try:
                    await self._take()
                except Exception:  # the edge of the process: a desk that closes unnoticed helps nobody
                    log.exception("work cannot be taken, in a way nobody foresaw", activity=self.activity)
                    await asyncio.sleep(self.pause_after_a_bug)
                    self.bell.set()

    async def finish(self, seconds: float) -> int:
        """Wait for what runs; how much is left after that time. Its leases run out, and it is done again."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        return len(self._running)

    async def _take(self) -> None:
        free = self.at_once - len(self._running)
        if free <= 0:
            return  # the next one to finish rings again
        try:
            claims = await self.claim(free)
        except ShopError as error:
            if self.trouble.is_news():
                log.warning("no work can be taken", activity=self.activity, problem=str(error))
            await asyncio.sleep(self.pause_without_a_ledger)
            self.bell.set()
            return
        if claims:
            self.bell.set()  # there may be more
        for claim in claims:
            task = asyncio.create_task(self._handle(claim))
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.bell.set()

    async def _handle(self, claim: C) -> None:
        started = time.monotonic()
        with bind(id=new_id(), activity=self.activity.value, **self.ids(claim)):
            try:
                await self.handle(claim)
            except Refused as error:
                log.error("refused", error=type(error).__name__, problem=str(error))
            except LedgerUnavailable as error:
                if self.trouble.is_news():
                    log.warning("not now", error=type(error).__name__, problem=str(error))
                # Nothing could be planned, so that the same work may be due at once.
                await asyncio.sleep(self.pause_without_a_ledger)
            except ShopError as error:
                log.warning("not now", error=type(error).__name__, problem=str(error))
            except Exception:  # the edge of the process: one piece of work must not end the others
                log.exception("work failed in a way nobody foresaw; it is tried again")
                await asyncio.sleep(self.pause_after_a_bug)
            else:
                self.trouble.ends()
                log.info("done", ms=round((time.monotonic() - started) * 1000))
