"""How often a lasting trouble is told: when it begins, and every few minutes while it lasts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Seconds. A log that fills up the disk is no help against a full one.
REPEATED_AFTER: Final = 300.0


@dataclass
class Trouble:
    now: Callable[[], float] = time.monotonic
    _told_at: float | None = None

    def is_news(self) -> bool:
        """Whether to tell of it now; it counts as told then."""
        if self._told_at is not None and self.now() < self._told_at + REPEATED_AFTER:
            return False
        self._told_at = self.now()
        return True

    def ends(self) -> None:
        """The next one is a new one."""
        self._told_at = None
