"""How many messages of one person are answered: 30 in any 60 seconds."""

from enum import Enum, auto

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from node_a.domain.customer import CustomerId


class Verdict(Enum):
    """What to do with a message."""

    ANSWER = auto()
    ASK_TO_SLOW_DOWN = auto()  # the first one too many
    STAY_SILENT = auto()


class RequestLimit:
    """Kept in memory: a restart forgives. Not for several threads."""

    def __init__(self) -> None:
        self._limit = RateLimitItemPerSecond(30, 60)
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._asked: set[CustomerId] = set()

    def verdict(self, customer_id: CustomerId) -> Verdict:
        """Counts this message if it is to be answered."""
        if self._window.hit(self._limit, str(customer_id)):
            self._asked.discard(customer_id)
            return Verdict.ANSWER
        if customer_id in self._asked:
            return Verdict.STAY_SILENT
        self._asked.add(customer_id)
        return Verdict.ASK_TO_SLOW_DOWN
