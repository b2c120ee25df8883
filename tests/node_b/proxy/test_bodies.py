"""What a call may weigh, how long it may take, and that answers flow as they come."""

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest

from tests.node_b.proxy.conftest import Site
from tests.node_b.proxy.proxies import read_answer
from tests.node_b.proxy.upstreams import answer

BOT = "bot42:not-a-real-token"
MEGABYTE = 1 << 20
OF_ITS_OWN = b"Host: x\r\nConnection: close\r\n"


def post(site: Site, path: str, size: int, chunked: bool = False, method: str = "POST") -> int:
    """The status of a call with a body of so many bytes, sent for as long as the proxy takes them."""
    kind = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % size
    with site.proxy.connect() as connection:
        try:
            connection.sendall(b"%s %s HTTP/1.1\r\n" % (method.encode(), path.encode()) + OF_ITS_OWN + kind + b"\r\n")
            for piece in pieces(size):
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # it has heard enough; what it answered is still to be read
        try:
            return read_answer(connection).status
        except OSError:
            return 413  # cut off in the middle


def pieces(size: int) -> list[bytes]:
    whole, rest = divmod(size, MEGABYTE)
    return [b"x" * MEGABYTE] * whole + ([b"x" * rest] if rest else [])


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/user"), ("PUT", "/agent/v1/users/anna")])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_panel_and_the_agent_get_no_large_body(site: Site, method: str, path: str, chunked: bool) -> None:
    assert post(site, path, 60_000, chunked, method) == 200
    assert post(site, path, 70_000, chunked, method) in {413, 502}

    whole = [call.length for side in (site.panel, site.agent) for call in side.calls]
    assert whole == [60_000]


def test_telegram_gets_fifty_megabytes_unchanged_and_not_more(site: Site) -> None:
    assert post(site, f"/telegram/{BOT}/sendDocument", 50 * MEGABYTE) == 200

    [call] = site.telegram.calls
    assert (call.length, call.digest) == (50 * MEGABYTE, hashlib.sha256(b"x" * 50 * MEGABYTE).hexdigest())
    assert post(site, f"/telegram/{BOT}/sendDocument", 60 * MEGABYTE) == 413
    assert len(site.telegram.calls) == 1


def test_telegrams_answer_flows_before_it_is_whole(site: Site) -> None:
    first_was_read = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"first")
        assert first_was_read.wait(20)
        handler.wfile.write(b"later")

    site.telegram.behave = drip
    with site.proxy.connect() as connection:
        connection.sendall(b"GET /telegram/%s/getUpdates HTTP/1.1\r\n" % BOT.encode() + OF_ITS_OWN + b"\r\n")
        received = b""
        while b"first" not in received:
            piece = connection.recv(4096)
            assert piece
            received += piece
        first_was_read.set()
        while piece := connection.recv(4096):
            received += piece

    assert received.endswith(b"firstlater")


def test_many_wait_side_by_side(site: Site) -> None:
    everybody = threading.Barrier(20, timeout=30)

    def wait_for_all(handler: BaseHTTPRequestHandler) -> None:
        everybody.wait()
        answer(handler, 200, b"{}")

    site.telegram.behave = wait_for_all
    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda _: site.proxy.call(f"GET /telegram/{BOT}/getUpdates", "Host: x").status, range(20)))

    assert said == [200] * 20


@pytest.mark.proof
def test_a_long_poll_may_take_more_than_a_minute(site: Site) -> None:
    site.telegram.behave = after(65)

    assert site.proxy.call(f"GET /telegram/{BOT}/getUpdates?timeout=50", "Host: x").status == 200


@pytest.mark.proof
def test_whoever_does_not_finish_a_call_is_cut_off(site: Site) -> None:
    began = time.monotonic()
    with site.proxy.connect(timeout=60) as connection:
        connection.sendall(b"GET /api/core HTTP/1.1\r\nHost: x\r\n")
        received = connection.recv(4096)

    assert time.monotonic() - began < 40
    assert received == b"" or b" 408 " in received
    assert site.seen() == []


def after(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)  # the time itself is what is tried
        answer(handler, 200, b"{}")

    return behave
