"""A provider that sends a byte at a time: every wait is short, and only an overall bound ends the answer."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from node_a.adapters.payments.yookassa_sdk import SDK_ERRORS, TimedClient, translated
from node_a.domain.errors import ProviderUnavailable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def a_dripping_provider(beginning: bytes) -> Iterator[str]:
    """A server that says `beginning` and then a blank every 50 ms, for ten seconds; its address."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(beginning)
                for _ in range(200):
                    connection.sendall(b" ")
                    time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "beginning",
    [HEAD + b"X-Slow: ", HEAD + b"Content-Length: 100000\r\n\r\n", HEAD + b"Connection: close\r\n\r\n"],
    ids=["headers", "body", "body without a length"],
)
def test_an_answer_that_never_ends_is_left(beginning: bytes) -> None:
    with a_dripping_provider(beginning) as url:
        client = TimedClient(
            shop_id="1", secret_key="test_fake", api_url=url, connect_timeout=5, read_timeout=5, answer_timeout=0.3
        )
        began = time.monotonic()
        with pytest.raises(SDK_ERRORS) as caught:
            client.request("get", "/payments/1")
        took = time.monotonic() - began

    assert took < 5
    assert isinstance(translated(caught.value), ProviderUnavailable)
