"""How much a bot may send: a burst to one chat, then one message a second, and thirty a second to everybody."""

import math
import time
from dataclasses import dataclass, field

from sandbox.telegram.refusal import Refusal


@dataclass(slots=True)
class _Bucket:
    size: float
    per_second: float
    level: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.level, self.at = self.size, time.monotonic()

    def wait(self) -> float:
        """Seconds until one more message fits; 0 when it does."""
        now = time.monotonic()
        self.level, self.at = min(self.size, self.level + (now - self.at) * self.per_second), now
        return max(0.0, (1 - self.level) / self.per_second)


class Rates:
    def __init__(self, *, chat_burst: int, chat_per_second: float, overall_per_second: float) -> None:
        self._chat_burst = chat_burst
        self._chat_per_second = chat_per_second
        self._overall = _Bucket(overall_per_second, overall_per_second)
        self._chats: dict[int, _Bucket] = {}

    def count(self, chat_id: int) -> None:
        """One more message to `chat_id`, or a Refusal that says how long to wait."""
        chat = self._chats.setdefault(chat_id, _Bucket(self._chat_burst, self._chat_per_second))
        wait = max(chat.wait(), self._overall.wait())
        if wait:
            seconds = max(1, math.ceil(wait))
            raise Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        chat.level -= 1
        self._overall.level -= 1
