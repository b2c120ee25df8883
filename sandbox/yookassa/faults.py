"""The switches that make the next API calls misbehave."""

from collections import deque
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["hang", "500", "html", "html_200", "redirect", "drop", "429"]
AFTER_WORK = "_after_work"


@dataclass(frozen=True, slots=True)
class Fault:
    """`after_work`: the request is carried out first, so that only the answer is lost."""

    kind: Kind
    after_work: bool = False


class Faults:
    """Faults in the order in which the next calls will meet them."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()

    def add(self, name: str, count: int) -> None:
        """`name` is a kind, or a kind with `_after_work`; ValueError for any other."""
        bare = name.removesuffix(AFTER_WORK)
        for kind in get_args(Kind):
            if kind == bare:
                self._waiting.extend([Fault(kind, name != bare)] * count)
                return
        raise ValueError(f"no such fault: {name}")

    def clear(self) -> None:
        self._waiting.clear()

    def take(self) -> Fault | None:
        return self._waiting.popleft() if self._waiting else None
