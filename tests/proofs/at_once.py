"""Several things that really happen at the same time."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Final, TypeVar

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 60


def at_once(*works: Callable[[], T]) -> list[T]:
    """Each on a thread of its own, none before all are there; raises what any of them raised."""
    start = Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        start.wait(_PATIENCE_SECONDS)
        return work()

    with _impatient(), ThreadPoolExecutor(len(works)) as threads:
        running = [threads.submit(run, work) for work in works]
        return [one.result(_PATIENCE_SECONDS) for one in running]


@contextmanager
def _impatient() -> Iterator[None]:
    """Python changes threads a hundred times as often: between any two steps another may come in."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
