"""The stand-in's own time: real time moved forward by hand, so that an hour or a day passes at once."""

import asyncio
from datetime import UTC, datetime, timedelta

from sandbox.store import Store


class Clock:
    """The offset is remembered, or payments would lie in the future after a restart."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("yookassa.clock")
        self._ahead = timedelta(seconds=self._table.get("clock", {}).get("ahead_seconds", 0))
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> None:
        self._ahead += by
        self._table["clock"] = {"ahead_seconds": self._ahead.total_seconds()}
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep_until(self, moment: datetime) -> None:
        """Returns at `moment` on this clock; an advance past it wakes the sleeper at once."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._moved.wait()
            except TimeoutError:
                continue


def written(moment: datetime) -> str:
    """`2017-11-03T11:52:31.827Z`, as the original writes time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
