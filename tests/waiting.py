"""How a test waits for what others do: it looks again and again, for as long as a slow machine may need."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 60.0
_LOOK_EVERY: Final = 0.01


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(_LOOK_EVERY)


async def until_in_thread(condition: Callable[[], bool]) -> None:
    """Looks beside the event loop, which a database may keep waiting."""
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(_LOOK_EVERY)
