"""How often one may ask: counted for verified users and for subscriptions, never for a header or an address."""

import math
import time
from typing import Final

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from node_a.domain.customer import CustomerId
from node_a.domain.subscription import SubscriptionId

# One process with threads serves the web, so its own memory is enough.
REQUESTS: Final = (30, 60)
POLLS: Final = (60, 60)


class Rate:
    """At most `requests` in any `seconds`, for each customer or subscription."""

    def __init__(self, requests: int, seconds: int) -> None:
        self._limit = RateLimitItemPerSecond(requests, seconds)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def wait(self, id: CustomerId | SubscriptionId) -> int:
        """Counts this request. Seconds until the next is welcome if it is one too many, else 0."""
        if self._limiter.hit(self._limit, str(id)):
            return 0
        reset = self._limiter.get_window_stats(self._limit, str(id)).reset_time
        return max(1, math.ceil(reset - time.time()))
