"""A stand-in under supervision."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.sandbox.yookassa.openapi import check_exchange
from tests.sandbox.yookassa.running import RunningYooKassa, running_yookassa


@contextmanager
def checked_yookassa(*, wrong_on_purpose: int | None = None) -> Iterator[RunningYooKassa]:
    """Everything that was said to it is held against YooKassa's own document in the end, but for what was answered
    with the status `wrong_on_purpose`."""
    with running_yookassa() as running:
        yield running
        for exchange in running.exchanges():
            if exchange["status"] != wrong_on_purpose:
                assert check_exchange(exchange) == [], exchange
