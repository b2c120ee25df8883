"""Which route to take: the first in the operator's order that works, without going to and fro."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

# Seconds. A route that was left is not gone back to before this; each time that it did not last, twice as long.
FIRST_REST: Final = 60.0
LONGEST_REST: Final = 1_800.0
# A route that was in use for so long was a good one: its next rest is a first one.
GOOD_AFTER: Final = 600.0
# So many calls in a row that fail, and a route is left even though it answers when it is asked how it is.
MOST_FAILURES: Final = 2


@dataclass(slots=True)
class Choice:
    """Of so many routes, by their place in the order. `now`: seconds on a clock that never goes back."""

    count: int
    now: Callable[[], float]
    in_use: int | None = None
    _since: float = 0.0
    _failures: int = 0
    _in_the_dark: bool = False
    _rests_until: dict[int, float] = field(default_factory=dict)
    _rests: dict[int, float] = field(default_factory=dict)

    def worked(self, route: int) -> None:
        if route == self.in_use:
            self._failures, self._in_the_dark = 0, False

    def failed(self, route: int) -> None:
        if route == self.in_use:
            self._failures += 1

    def order(self) -> Sequence[int]:
        """In which to take what works: the rested first, then the resting; and last what fails us again and again."""
        fails = self.in_use if self._failures >= MOST_FAILURES else None
        return sorted(range(self.count), key=lambda route: (route == fails, self._is_resting(route), route))

    def better(self) -> Sequence[int]:
        """Those that should be tried again, because they come before the one in use."""
        return [route for route in range(self.in_use or 0) if not self._is_resting(route)]

    def take(self, route: int) -> None:
        """From now on. The one in use until now rests, unless it is left for one that comes before it."""
        left = self.in_use
        if left is not None and (route > left or self._failures):
            lasted = self.now() - self._since >= GOOD_AFTER
            rest = FIRST_REST if lasted else min(2 * self._rests.get(left, FIRST_REST / 2), LONGEST_REST)
            self._rests[left] = rest
            self._rests_until[left] = self.now() + rest
        self.in_use, self._since, self._failures, self._in_the_dark = route, self.now(), 0, False

    def none_works(self) -> bool:
        """It is nobody's fault, and the one in use is the first to be tried. Whether that was known before."""
        known, self._in_the_dark, self._failures = self._in_the_dark, True, 0
        if self.in_use is None:
            self.in_use = 0
        return known

    def _is_resting(self, route: int) -> bool:
        return self.now() < self._rests_until.get(route, float("-inf"))
