"""The line to Telegram: every call goes over the route in use, and another one is taken when that fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import aiohttp
import structlog

from node_a.adapters.telegram.choice import Choice
from node_a.adapters.telegram.probing import look_at
from node_a.adapters.telegram.routes import NotReached, OpenRoute

_log = structlog.stdlib.get_logger("telegram")

# Seconds. While nothing works, the routes are asked no more often than this.
CHOSEN_EVERY: Final = 5.0
# While one further down is in use, those before it are tried again as often as this.
TRIED_AGAIN_EVERY: Final = 60.0


class Line:
    """Stands where pyTelegramBotAPI keeps its session; for one event loop. With a single route there is nothing to
    choose, and nothing is asked.

    A call that failed before it was sent goes over the next route at once. One that may have arrived does not: Telegram
    knows no repetition, and whoever called decides (the queue of messages sends again, polling asks again).
    """

    def __init__(self, routes: Sequence[OpenRoute], token: str, now: Callable[[], float] = time.monotonic) -> None:
        self._routes = routes
        self._token = token
        self._now = now
        self._choice = Choice(len(routes), now)
        self._choosing: asyncio.Task[None] | None = None
        self._choices = 0
        self._trying_again: asyncio.Task[None] | None = None
        self._may_choose_at = self._tries_again_at = float("-inf")
        if len(routes) == 1:
            self._choice.take(0)

    async def get_session(self) -> "Line":
        """The library's question before each call."""
        return self

    def request(
        self, *, method: str, url: str, data: Any, timeout: aiohttp.ClientTimeout, proxy: object
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """As of aiohttp's session; `url` is a path. `proxy` is the library's own, which nobody sets."""
        return self._answer(method, url, data, timeout.total)

    async def close(self) -> None:
        tasks = [task for task in (self._choosing, self._trying_again) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for route in self._routes:
            await route.close()

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, data: Any, seconds: float | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        yield await self._call(method, path, data, seconds)

    async def _call(self, method: str, path: str, data: Any, seconds: float | None) -> aiohttp.ClientResponse:
        tried: set[int] = set()
        while True:
            index, choices = await self._route_in_use(), self._choices
            tried.add(index)
            try:
                reply = await self._routes[index].call(method, path, data=data, seconds=seconds)
            except NotReached as failure:
                self._note_failure(index, choices)
                # The choice that begins now may move us on, or another call's has done so meanwhile.
                if failure.sent or await self._route_in_use() in tried:
                    raise
                continue
            if reply.is_telegrams:
                self._choice.worked(index)
            else:
                self._note_failure(index, choices)
            return reply.response

    async def _route_in_use(self) -> int:
        if self._choice.in_use is None and self._choosing is None:
            self._begin_choosing()
        if self._choosing is not None:
            # One caller that gives up must not take the choice from the others.
            await asyncio.shield(self._choosing)
        self._try_again_sometimes()
        return self._choice.in_use or 0

    def _note_failure(self, index: int, choices: int) -> None:
        """Many calls may fail of one cause: only one that began after the last choice is new trouble."""
        if len(self._routes) == 1 or choices != self._choices or self._choosing is not None:
            return
        self._choice.failed(index)
        if self._now() >= self._may_choose_at:
            self._begin_choosing()

    def _begin_choosing(self) -> None:
        def end(task: asyncio.Task[None]) -> None:
            self._choosing = None
            self._choices += 1

        if self._trying_again is not None:
            self._trying_again.cancel()
        self._choosing = asyncio.get_running_loop().create_task(self._choose())
        self._choosing.add_done_callback(end)

    def _try_again_sometimes(self) -> None:
        """Nobody waits for this: the route in use works."""

        def end(task: asyncio.Task[None]) -> None:
            self._trying_again = None

        if self._trying_again is None and self._now() >= self._tries_again_at and self._choice.better():
            self._trying_again = asyncio.get_running_loop().create_task(self._try_again())
            self._trying_again.add_done_callback(end)

    async def _choose(self) -> None:
        index = await self._first_that_works(self._choice.order())
        if index is None:
            self._go_on_without_any()
        else:
            self._take(index)

    async def _try_again(self) -> None:
        index = await self._first_that_works(self._choice.better())
        if index is not None:
            self._take(index)

    async def _first_that_works(self, order: Sequence[int]) -> int | None:
        """All are asked at once, and nobody waits for those behind the first that answers."""
        asked = {index: asyncio.create_task(look_at(self._routes[index], self._token)) for index in order}
        try:
            for index in order:
                if (await asked[index]).works:
                    return index
            return None
        finally:
            self._tries_again_at = self._now() + TRIED_AGAIN_EVERY
            for task in asked.values():
                task.cancel()
            await asyncio.gather(*asked.values(), return_exceptions=True)

    def _take(self, index: int) -> None:
        before = self._choice.in_use
        if index == before:
            return
        names = {} if before is None else {"instead_of": self._routes[before].route.name}
        tell = _log.info if before is None or index < before else _log.warning
        tell("telegram is reached", route=self._routes[index].route.name, **names)
        self._choice.take(index)

    def _go_on_without_any(self) -> None:
        """Calls go on over the one in use, and fail there, until one of them works again."""
        self._may_choose_at = self._now() + CHOSEN_EVERY
        if not self._choice.none_works():
            _log.warning("telegram is reached by no route")
