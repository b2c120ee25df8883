"""A running stand-in, and requests to send to it."""

import uuid
from collections.abc import Iterator

import pytest

from tests.sandbox.yookassa.running import RunningYooKassa, running_yookassa


@pytest.fixture
def yookassa() -> Iterator[RunningYooKassa]:
    with running_yookassa() as running:
        yield running


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())
