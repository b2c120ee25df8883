"""Threads whose failure is heard."""

import threading
from collections.abc import Callable


class EndedTooSoon(Exception):
    """A part of the storm has died: what became of the rest of the night says nothing."""


class Background:
    """`run` in a thread of its own, which does not keep the process alive."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self._run = run
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def join(self) -> None:
        """Raises EndedTooSoon if an exception ended it."""
        self.wait()
        if isinstance(self._error, EndedTooSoon):
            raise self._error
        if self._error is not None:
            raise EndedTooSoon(f"{self._thread.name} ended too soon: {self._error!r}") from self._error

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:  # nobody else would hear of it
            self._error = error
