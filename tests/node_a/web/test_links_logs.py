"""Nothing is written about subscription links: not that they were opened, and least of all which."""

import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from node_a.domain.errors import LedgerUnavailable
from tests.node_a.web.link_formats.profiles import NODES, keys_of
from tests.node_a.web.shop import LINK_TOKEN, FakeShop, a_subscription
from tests.node_a.web.test_server import a_server

LINK = f"/sub/{LINK_TOKEN}"
KEYS = keys_of(*NODES)
SECRETS = [LINK_TOKEN, *(key.credential for key in KEYS), *(node.shadowsocks.server_key for node in NODES)]
QUERIES = ["", "?format=links", "?format=sing-box", "?format=clash", "?format=xray", "?format=page", "?format=surge"]


def test_no_request_below_a_link_leaves_an_access_line() -> None:
    shop = FakeShop(subscription=replace(a_subscription(), keys=KEYS))
    client = shop.client()
    with capture_logs() as logs:
        for query in QUERIES:
            client.get(LINK + query)
            client.head(LINK + query)
            client.get(f"/sub/{'A' * 43}{query}")
        client.post(LINK)
        client.put(f"{LINK}/whatever")
        client.get(f"{LINK}/whatever")
        shop.failing["open_link"] = LedgerUnavailable("locked")
        client.get(LINK)
        client.get("/app")  # so that silence is not only a log that does not work
    assert [(line["event"], line["route"]) for line in logs] == [("request", "/app")]


@pytest.mark.parametrize("query", QUERIES[:-1])
def test_an_error_with_a_key_in_hand_says_nothing_of_it(query: str, caplog: pytest.LogCaptureFixture) -> None:
    subscription = replace(a_subscription(), keys=KEYS)
    shop = FakeShop(subscription=subscription)
    client = shop.client()
    shop.failing["open_link"] = RuntimeError("a bug")
    assert client.get(LINK + query).status_code == 500
    del shop.failing["open_link"]
    # What a later line of the same request would meet: a view that cannot be shown.
    shop.subscription = replace(subscription, keys=[*KEYS, None])  # type: ignore[list-item]
    assert client.get(LINK + query).status_code == 500 or query == "?format=page"
    assert "/sub/<token>" in caplog.text
    assert [secret for secret in SECRETS if secret in caplog.text] == []


def send(address: str, request: bytes) -> bytes:
    """As it is, well-formed or not."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_the_server_itself_does_not_write_them_either_even_about_what_is_no_request(tmp_path: Path) -> None:
    link = LINK.encode()
    malformed = [
        b"GET " + link + b"\r\n\r\n",
        b"GET " + link + b" HTTP/9.9\r\n\r\n",
        b"G@T " + link + b" HTTP/1.1\r\n\r\n",
        b"GET " + link + b" HTTP/1.1\r\nHost: a\r\nHo st: " + link + b"\r\n\r\n",
        b"GET " + link + b"?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET " + link + b" HTTP/1.1\r\nHost: a\r\nContent-Length: " + link + b"\r\n\r\n",
        b"GET /%73ub/" + LINK_TOKEN.encode() + b" HTTP/1.1 surplus\r\n\r\n",
    ]
    with a_server(tmp_path) as server:
        for query in QUERIES:
            httpx.get(server.address + LINK + query, headers={"Referer": server.address + LINK})
        refused = [send(server.address, request).startswith(b"HTTP/1.1 4") for request in malformed]
        httpx.get(f"{server.address}/app")
        written = server.end()
    assert refused == [True] * len(malformed)
    assert '"route": "/app"' in written
    assert "Invalid" in written, "the server wrote nothing about malformed requests: this proves nothing"
    assert LINK_TOKEN not in written
    assert '"route": "/sub' not in written
