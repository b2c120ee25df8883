"""Kills and troubles together, for as long as the customers need or until it is enough."""

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from sandbox.shop import Shop
from sandbox.torture.chaos import Chaos
from sandbox.torture.interruptions import Interruptions
from sandbox.torture.kills import Kills
from sandbox.torture.moments import Moments
from sandbox.torture.processes import Respawned
from sandbox.torture.purchases import Purchases
from sandbox.torture.threads import Background

# Seconds. On a slow machine the last customers come when it is over.
_LASTS: Final = 8.0
_LASTS_FOR_EACH: Final = 1.1
_LASTS_FOR_STARTS: Final = 4
_TELL_EVERY: Final = 5.0


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


class Storm:
    """`wanted`: how many purchases the customers will make. `kills` counts."""

    def __init__(
        self, shop: Shop, processes: Sequence[Respawned], purchases: Purchases, *, wanted: int, seed: int
    ) -> None:
        # All of them were started at once, and are ready now; one alone is faster.
        start_takes = max(1.0, processes[0].age * 0.6)
        moments = Moments()
        self._interruptions = Interruptions(shop, seed)

        def overhear(method: str, path: str) -> None:
            moments.note(method, path)
            self._interruptions.note(method, path)

        shop.stand_ins.on_request = overhear
        self.kills = Kills(processes, seed, moments, start_takes)
        self._chaos = Chaos(shop, purchases, seed)
        self._purchases = purchases
        self._wanted = wanted
        self._lasts = max(_LASTS + _LASTS_FOR_EACH * wanted, _LASTS_FOR_STARTS * start_takes)

    @property
    def troubles(self) -> dict[str, int]:
        """By kind."""
        return {**self._chaos.count, "webhooks during a check": self._interruptions.count}

    def rage_around(self, work: Callable[[], None]) -> None:
        """Raises EndedTooSoon if a part of the storm was over before its time."""
        over = threading.Event()
        with ExitStack() as ending:
            for name, run in (("storm", self._rage), ("report", self._tell)):
                thread = Background(name, partial(run, over))
                thread.start()
                ending.callback(thread.join)
            ending.callback(over.set)
            work()

    def _rage(self, over: threading.Event) -> None:
        with ExitStack() as ending:
            for part in (self._chaos, self._interruptions, self.kills):
                part.start()
                ending.callback(part.stop)
            over.wait(self._lasts)

    def _tell(self, over: threading.Event) -> None:
        while not over.wait(_TELL_EVERY):
            say(f"{self._purchases.number_paid} of {self._wanted} paid, {self.kills.total} kills")
