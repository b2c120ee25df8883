"""The one bridge from coroutines to synchronous code: a bounded pool of threads."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from node_a.application.ports import Ledger, Transact

T = TypeVar("T")


class Threads:
    """At most `size` calls at once, the others wait. One pool for each thing that may hang: a payment provider that
    does not answer must not keep the ledger waiting."""

    def __init__(self, name: str, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        # Not asyncio.to_thread: its pool is one for everything. The context travels along, for the ids in the log.
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(work))

    def transaction(self, transact: Transact) -> "TransactionInThread":
        return TransactionInThread(self, transact)


class TransactionInThread:
    """`await ledger(lambda ledger: …)`: one whole transaction in a thread of the pool."""

    def __init__(self, threads: Threads, transact: Transact) -> None:
        self._threads = threads
        self._transact = transact

    async def __call__(self, work: Callable[[Ledger], T]) -> T:
        return await self._threads.run(lambda: self._transact(work))
