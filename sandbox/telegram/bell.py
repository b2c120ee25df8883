"""One bell for everything that changes: long polls sleep until it rings."""

import asyncio
import contextlib
import time
from collections.abc import Callable

# How soon a long poll notices what rings no bell: a switch for trouble, a caller that hung up.
_GLANCE = 0.1


class Bell:
    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._closed = False

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def close(self) -> None:
        """The stand-in shuts down: nobody waits any longer."""
        self._closed = True
        self.ring()

    async def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready()`, after `seconds`, or when the stand-in shuts down."""
        deadline = time.monotonic() + seconds
        while not ready() and not self._closed and (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._event.wait(), min(left, _GLANCE))
