"""Our own pace, a little below Telegram's limits: it is faster not to be told to wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from node_a.domain.errors import MessengerUnavailable

# Seconds a letter may stand in line before its sender is told to come back.
LONGEST_WAIT: Final = 5.0
# How many chats are remembered before those that are free again are forgotten.
_MANY_CHATS: Final = 10_000


@dataclass(slots=True)
class Pace:
    """Telegram allows about 30 messages a second overall and one a second to one chat, short bursts aside
    (core.telegram.org/bots/faq). Worker and bot are two processes and each has a pace: hence half."""

    per_second: float = 15.0
    burst: int = 15
    per_second_to_one: float = 1.0
    burst_to_one: int = 8
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _free_at: float = field(default=0.0, init=False)  # when the line, burst not counted, is empty
    _free_at_for: dict[int, float] = field(default_factory=dict, init=False)

    async def wait(self, chat_id: int) -> None:
        """Until one more letter may go to this chat; MessengerUnavailable when that is too long."""
        now = self.now()
        overall = max(self._free_at, now)
        to_one = max(self._free_at_for.get(chat_id, now), now)
        starts_overall = overall - (self.burst - 1) / self.per_second
        starts_to_one = to_one - (self.burst_to_one - 1) / self.per_second_to_one
        delay = max(starts_overall, starts_to_one) - now
        if delay > LONGEST_WAIT:
            raise MessengerUnavailable("too many messages at once", retry_after=delay)
        # Reserved before the pause, so that those who come meanwhile stand behind.
        self._free_at = overall + 1 / self.per_second
        self._free_at_for[chat_id] = to_one + 1 / self.per_second_to_one
        if len(self._free_at_for) > _MANY_CHATS:
            self._free_at_for = {chat: free_at for chat, free_at in self._free_at_for.items() if free_at > now}
        if delay > 0:
            await self.sleep(delay)
