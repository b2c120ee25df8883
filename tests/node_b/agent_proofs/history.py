"""What the agent was told about each customer and when, so that afterwards every visit can be judged."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Told:
    """`key`: None for a removal; `begun` and `answered`: of time.monotonic()."""

    key: str | None
    begun: float
    answered: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """`opened`: it was seen at the page; `whole`: it was brought all that it wanted."""

    name: str
    key: str
    begun: float
    ended: float
    opened: bool
    whole: bool


@dataclass
class History:
    """Of one customer, whose calls are made one after another."""

    told: list[Told] = field(default_factory=list)

    def could_open(self, attempt: Attempt) -> bool:
        """Whether at any moment of the attempt the node may have had that key for it."""
        return any(
            call.begun <= attempt.ended and attempt.begun <= until
            for call, until in self._with(attempt.key, latest=True)
        )

    def had_to_open(self, attempt: Attempt) -> bool:
        """Whether the node must have had that key during the whole attempt."""
        return any(
            call.answered <= attempt.begun and attempt.ended <= until
            for call, until in self._with(attempt.key, latest=False)
        )

    def _with(self, key: str, *, latest: bool) -> Iterator[tuple[Told, float]]:
        """The calls that said `key`, and until when it can (`latest`) or must have been so."""
        following = [*self.told[1:], Told(None, math.inf, math.inf)]
        for call, after in zip(self.told, following, strict=True):
            if call.key == key:
                yield call, after.answered if latest else after.begun
