"""The panel's access token: fetched once, shared by all calls, renewed once when it is refused."""

import asyncio
from collections.abc import Awaitable, Callable


class SharedToken:
    """One login at a time, for one event loop; whoever needs a token meanwhile shares its outcome, good or bad: behind
    a dead panel nobody queues for a time-out of its own."""

    def __init__(self, log_in: Callable[[], Awaitable[str]]) -> None:
        self._log_in = log_in
        self._token: str | None = None
        self._pending: asyncio.Task[str] | None = None

    async def get(self) -> str:
        return self._token or await self.renewed(None)

    async def renewed(self, refused: str | None) -> str:
        """A token that is not `refused`; somebody else may have fetched it meanwhile."""
        if self._token is not None and self._token != refused:
            return self._token
        if self._pending is None:
            self._pending = asyncio.create_task(self._fetch())
            # All who waited may have been cancelled; then nobody else looks at a failure.
            self._pending.add_done_callback(lambda task: task.cancelled() or task.exception())
        # One caller that gives up must not take the login from the others.
        return await asyncio.shield(self._pending)

    async def _fetch(self) -> str:
        try:
            self._token = await self._log_in()
            return self._token
        finally:
            self._pending = None
