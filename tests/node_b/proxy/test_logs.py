"""No log holds a call: not what passes, not what is refused, and not what fails, where proxies log most."""

import contextlib
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.node_b.proxy.certificates import Certificate, a_certificate
from tests.node_b.proxy.proxies import KINDS, Proxy, a_proxy
from tests.node_b.proxy.upstreams import upstream
from tests.waiting import until

SECRET = "not-a-real-token"
BEARER = "not-a-real-bearer"
BOT = f"bot42:{SECRET}"
TELEGRAM = f"/telegram/{BOT}/getMe"


def call(proxy: Proxy, line: str) -> int:
    return proxy.call(line, "Host: x", f"Authorization: Bearer {BEARER}", f"Cookie: {BEARER}").status


def assert_nothing_is_told(proxy: Proxy) -> None:
    for word in (SECRET, BEARER, "/telegram", "getMe", "evil"):
        assert word not in proxy.log


@pytest.mark.parametrize("kind", KINDS)
def test_what_passes_and_what_is_refused_is_in_no_log(kind: str, tmp_path: Path, nodes_own: Certificate) -> None:
    with upstream() as telegram, a_proxy(kind, tmp_path, nodes_own, telegram=telegram.address) as proxy:
        assert call(proxy, f"GET {TELEGRAM}") == 200
        assert call(proxy, f"GET /Telegram/{BOT}/getMe") == 404
        assert call(proxy, f"GET /api/evil?{SECRET}") == 404
        assert call(proxy, f"GET /\0{SECRET}") in {400, 404}
        with contextlib.suppress(OSError):  # it may hang up before it has heard all of it
            assert call(proxy, f"GET {TELEGRAM}?x={'x' * 70_000}") in {400, 414, 431}
        over_plain_http(proxy, TELEGRAM)

    assert_nothing_is_told(proxy)
    assert "handled request" not in proxy.log, "not even that there was a call"


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_upstream_is_told_without_the_call(kind: str, tmp_path: Path, nodes_own: Certificate) -> None:
    with a_proxy(kind, tmp_path, nodes_own) as proxy:
        assert call(proxy, f"GET {TELEGRAM}") == 502
        assert call(proxy, "GET /api/core") == 502
        assert call(proxy, "GET /agent/v1/status") == 502
        assert "caddy" not in proxy.call("GET /api/core", "Host: x").headers, "nor who says so"
        assert_nothing_is_told(proxy)
        # But that something is dead there, an operator reads (with nginx only of the panel and the agent).
        until(lambda: "onnection refused" in proxy.log)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_breaks_off_is_told_without_the_call(kind: str, tmp_path: Path, nodes_own: Certificate) -> None:
    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    with upstream() as telegram, a_proxy(kind, tmp_path, nodes_own, telegram=telegram.address) as proxy:
        telegram.behave = break_off
        assert call(proxy, f"GET {TELEGRAM}") == 200

        def garbage(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"no http at all\r\n\r\n")
            handler.close_connection = True

        telegram.behave = garbage
        # nginx takes it for an answer of the very first HTTP, which has no status.
        assert kind == "nginx" or call(proxy, f"GET {TELEGRAM}") == 502
        size = f"Content-Length: {60 << 20}"
        assert proxy.call(f"POST {TELEGRAM}", "Host: x", size).status == 413

    assert_nothing_is_told(proxy)


@pytest.mark.parametrize("kind", KINDS)
def test_telegrams_own_certificate_is_checked(kind: str, tmp_path: Path, nodes_own: Certificate) -> None:
    """nginx looks no names of the hosts file up, and so the stand-in's name is its address."""
    name = "localhost" if kind == "caddy" else "127.0.0.1"
    right = a_certificate(tmp_path / "right", name)
    others = a_certificate(tmp_path / "others", "api.telegram.org")
    statuses = {}
    for trusted in (right, others):
        with upstream(right) as telegram:
            where = telegram.address.replace("127.0.0.1", name)
            directory = tmp_path / kind / trusted.chain.parent.name
            with a_proxy(kind, directory, nodes_own, telegram=where, trusted=trusted.chain) as proxy:
                statuses[trusted] = call(proxy, f"GET {TELEGRAM}")
            if trusted is right:
                assert telegram.calls[0].headers["Host"] == where.removeprefix("https://")
                assert telegram.calls[0].path == f"/{BOT}/getMe"
                assert not [name for name in telegram.calls[0].headers if name.startswith(("X-Forwarded", "Via"))]
            assert_nothing_is_told(proxy)

    assert statuses == {right: 200, others: 502}


def over_plain_http(proxy: Proxy, path: str) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as plain:
        plain.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while plain.recv(4096):
            pass
