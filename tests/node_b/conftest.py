"""What every test of Node B leaves as it found it."""

import os
from collections.abc import Iterator
from typing import Final

import pytest

# A thread's own: whoever stays in a test's network takes all the tests that come after along.
_NETWORK: Final = "/proc/thread-self/ns/net"
_HERE: Final = os.readlink(_NETWORK)


@pytest.fixture(autouse=True)
def back_in_this_machines_network() -> Iterator[None]:
    yield
    assert os.readlink(_NETWORK) == _HERE
