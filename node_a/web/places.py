"""How many payments may be opened side by side: a provider that hangs must leave threads for everything else."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from node_a.domain.errors import ProviderUnavailable


class Places:
    """One for the whole web process, whoever opens payments."""

    def __init__(self, at_once: int) -> None:
        self._free = BoundedSemaphore(at_once)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises ProviderUnavailable when all are taken: nobody waits for one."""
        if not self._free.acquire(blocking=False):
            raise ProviderUnavailable("as many payments are being opened as may be at once")
        try:
            yield
        finally:
            self._free.release()
