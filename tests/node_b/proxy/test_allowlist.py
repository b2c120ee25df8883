"""Which calls pass, and that there is no other way to write the rest: raw bytes against Caddy and nginx."""

import pytest

from tests.node_b.proxy.conftest import Site
from tests.node_b.proxy.upstreams import answer

BOT = "bot42:not-a-real-token"

# What Node A says, and what arrives: at whom, and as what.
PASSES = {
    "POST /api/admin/token": "panel: POST /api/admin/token",
    "GET /api/core": "panel: GET /api/core",
    "GET /api/system": "panel: GET /api/system",
    "GET /api/users": "panel: GET /api/users",
    "GET /api/users?offset=0&limit=100&sort=username": "panel: GET /api/users?offset=0&limit=100&sort=username",
    "POST /api/user": "panel: POST /api/user",
    "PUT /api/user/u_0123abc": "panel: PUT /api/user/u_0123abc",
    "DELETE /api/user/u_0123abc": "panel: DELETE /api/user/u_0123abc",
    "GET /agent/healthz": "agent: GET /healthz",
    "GET /agent/metrics": "agent: GET /metrics",
    "GET /agent/v1/status": "agent: GET /v1/status",
    "GET /agent/v1/users": "agent: GET /v1/users",
    "GET /agent/v1/users?limit=100&after=abc": "agent: GET /v1/users?limit=100&after=abc",
    "PUT /agent/v1/users/u_0123abc": "agent: PUT /v1/users/u_0123abc",
    "DELETE /agent/v1/users/u_0123abc?revision=7": "agent: DELETE /v1/users/u_0123abc?revision=7",
    f"GET /telegram/{BOT}/getMe": f"telegram: GET /{BOT}/getMe",
    f"GET /telegram/{BOT}/getUpdates?timeout=25": f"telegram: GET /{BOT}/getUpdates?timeout=25",
    f"POST /telegram/{BOT}/sendMessage": f"telegram: POST /{BOT}/sendMessage",
    f"GET /telegram/file/{BOT}/photos/file_1.jpg": f"telegram: GET /file/{BOT}/photos/file_1.jpg",
}

OTHER_CALLS = [
    # What the panel can do, and Node A must not.
    "PUT /api/core/config",
    "POST /api/core/config",
    "GET /api/core/config",
    "POST /api/core/restart",
    "POST /api/core",
    "PUT /api/core",
    "GET /api/core?x=1",
    "GET /api/core/logs",
    "GET /api/hosts",
    "PUT /api/hosts",
    "GET /api/admins",
    "POST /api/admin",
    "GET /api/admin",
    "GET /api/admin/token",
    "PUT /api/admin/sandbox",
    "DELETE /api/admin/sandbox",
    "GET /api/inbounds",
    "POST /api/node",
    "GET /api/nodes",
    "GET /api/user/u_0123abc",
    "PATCH /api/user/u_0123abc",
    "POST /api/user/u_0123abc",
    "POST /api/user/u_0123abc/reset",
    "PUT /api/user/u_0123abc/set-owner",
    "POST /api/users/reset",
    "DELETE /api/users/expired",
    "DELETE /api/users",
    "GET /api/user_template",
    "GET /openapi.json",
    "GET /docs",
    "GET /redoc",
    "GET /dashboard/",
    "GET /sub/abc",
    "GET /",
    "GET /api",
    "GET /api/",
    # Other methods of calls that pass.
    "HEAD /api/core",
    "OPTIONS /api/core",
    "TRACE /api/core",
    "POST /agent/v1/users/u_0123abc",
    "DELETE /agent/v1/users",
    "PUT /agent/v1/status",
    "POST /agent/healthz",
    f"PUT /telegram/{BOT}/sendMessage",
    f"DELETE /telegram/{BOT}/getMe",
    # Behind the agent and Telegram.
    "GET /agent",
    "GET /agent/",
    "GET /agent/v1/xray",
    "GET /agent/sandbox/requests",
    "GET /v1/users",
    "GET /healthz",
    "GET /telegram",
    "GET /telegram/",
    f"GET /telegram/{BOT}",
    f"GET /telegram/{BOT}/",
    f"GET /telegram/{BOT}/getMe/x",
    "GET /telegram/bot/getMe",
    "GET /telegram/botabc:def/getMe",
    f"GET /telegram/file/{BOT}/",
    f"GET /telegram/file/{BOT}/photos/",
    f"GET /{BOT}/getMe",
    "GET /telegram/k/index.html",
]

OTHER_SPELLINGS = [
    # Of calls that pass: each way is its own call, and none of them Node A's.
    "GET //api/core",
    "GET /api//core",
    "GET /api/core/",
    "GET /api/core//",
    "GET /api/core/.",
    "GET /api/./core",
    "GET /api/x/../core",
    "GET /api/core;x=1",
    "GET /api/core%20",
    "GET /api/core%00",
    "GET /api/core%0a",
    "GET /api/core%3f",
    "GET /api/core#x",
    "GET /API/core",
    "GET /api/Core",
    "GET /api/%63ore",
    "GET /%61pi/core",
    "GET /api%2fcore",
    "GET /api%2Fcore",
    "GET /api%5ccore",
    "GET /api\\core",
    "GET /api%252fcore",
    "GET /\tapi/core",
    "get /api/core",
    "PUT /api/user/ab",
    "PUT /api/user/" + "a" * 33,
    "PUT /api/user/Anna",
    "PUT /api/user/%61nna",
    "PUT /api/user/anna%2freset",
    "PUT /api/user/anna%00",
    "PUT /api/user/anna/",
    # To what does not, through what does.
    "GET /api/users/../core/config",
    "GET /api/users/..%2fcore/config",
    "GET /api/users/%2e%2e/core/config",
    "GET /api/users/%2E%2E%2Fcore%2Fconfig",
    "GET /api/users/%252e%252e/core/config",
    "GET /api/users%3f/../core/config",
    "PUT /api/user/../core/config",
    "PUT /api/user/%2e%2e/core/config",
    "PUT /api/user/abc/../../core/config",
    "GET /agent/../api/hosts",
    "GET /agent/../openapi.json",
    "GET /agent/v1/users/../../metrics",
    "GET /agent/%2e%2e/openapi.json",
    "GET /agent//v1/status",
    "GET /agent/v1/users/..",
    f"GET /telegram/../agent/metrics/{BOT}",
    f"GET /telegram/{BOT}/../../api/hosts",
    f"GET /telegram/file/{BOT}/../../{BOT}/logOut",
    f"GET /telegram/file/{BOT}/..",
    f"GET /telegram/file/{BOT}/./x",
    f"GET /telegram/file/{BOT}/photos//x",
    f"GET /telegram/file/{BOT}/%2e%2e/x",
    f"GET /telegram/file/{BOT}/.hidden",
    "GET /telegram//evil.example/bot1:a/getMe",
    "GET /telegram/@evil.example/bot1:a/getMe",
    "GET /telegram/bot1:a@evil.example/getMe",
    # Words that a configuration might fill in.
    "GET /{http.request.header.Path}",
    "GET /api/{http.request.header.Path}",
    "GET /$request_uri",
    "GET /openapi.json?/api/core",
    "GET /openapi.json?GET%20/api/core",
    "GET /openapi.json#/api/core",
    "GET /api/hosts?x=GET /api/core",
    # Whole addresses and none.
    "GET https://127.0.0.1:8000/api/hosts",
    "GET http://api.telegram.org/openapi.json",
    "GET http:///api/hosts",
    "GET *",
    "CONNECT 127.0.0.1:8000",
    "CONNECT api.telegram.org:443",
    "GET api/core",
    "GET ",
    "GET ../api/core",
]


@pytest.mark.parametrize("call", PASSES)
def test_what_node_a_says_arrives_as_it_is_meant(site: Site, call: str) -> None:
    said = site.proxy.call(call, "Host: node.test", "Authorization: Bearer fake", "Content-Length: 0")

    assert said.status == 200
    assert said.body == b'{"ok": true}'
    assert site.seen() == [PASSES[call]]


@pytest.mark.parametrize("call", OTHER_CALLS)
def test_every_other_call_is_404_without_a_word(site: Site, call: str) -> None:
    said = site.proxy.call(call, "Host: node.test", "Authorization: Bearer fake", "Content-Length: 0")

    # nginx refuses TRACE by itself.
    assert said.status == 404 or (site.proxy.kind == "nginx" and call.startswith("TRACE") and said.status == 405)
    assert said.body == b"" or said.status == 405
    assert site.seen() == []


@pytest.mark.parametrize("call", OTHER_SPELLINGS)
def test_no_other_spelling_gets_round_the_list(site: Site, call: str) -> None:
    said = site.proxy.call(call, "Host: node.test", "Path: api/core", "Content-Length: 0")

    assert said.status in {400, 404, 405}  # 400: no HTTP at all
    assert site.seen() == []


def test_a_whole_address_is_read_by_its_path_alone(site: Site) -> None:
    """As HTTP wants it from every server: it is Node A's own call, and goes where that goes."""
    said = site.proxy.call("GET http://evil.example/api/core", "Host: evil.example")

    assert (said.status, site.seen()) == (200, ["panel: GET /api/core"])


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:8000", "api.telegram.org", "node.test:8443", "[::1]"])
def test_the_name_in_the_call_changes_nothing(site: Site, host: str) -> None:
    assert site.proxy.call("GET /openapi.json", f"Host: {host}").status == 404
    assert site.proxy.call("GET /api/core", f"Host: {host}").status == 200
    assert site.proxy.call(f"GET /telegram/{BOT}/getMe", f"Host: {host}").status == 200

    assert site.seen() == ["panel: GET /api/core", f"telegram: GET /{BOT}/getMe"]


def test_headers_that_rename_a_call_rename_nothing(site: Site) -> None:
    names = ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix")
    said = site.proxy.call("GET /openapi.json", "Host: x", *(f"{name}: /api/core" for name in names))
    assert said.status == 404
    said = site.proxy.call("POST /api/core", "Host: x", "X-HTTP-Method-Override: GET", "Content-Length: 0")
    assert said.status == 404
    assert site.seen() == []


def test_two_calls_on_one_connection_are_judged_each(site: Site) -> None:
    calls = (
        b"POST /api/user HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        b"PUT /api/core/config HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )

    said = site.proxy.say(calls)

    assert said.status == 200
    assert b" 404 " in said.body
    assert site.seen() == ["panel: POST /api/user"]


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6",
        b"Transfer-Encoding: xchunked\r\nContent-Length: 6",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Transfer-Encoding : chunked\r\nContent-Length: 6",
    ],
)
def test_no_second_call_hides_in_the_first_ones_body(site: Site, headers: bytes) -> None:
    hidden = b"PUT /api/core/config HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    site.proxy.say(
        b"POST /api/user HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n\r\n0\r\n\r\n" + hidden
    )

    assert set(site.seen()) <= {"panel: POST /api/user"}


def test_nobody_is_told_what_stands_here(site: Site) -> None:
    for call in ("GET /", "GET /api/core", "GET /agent/healthz", f"GET /telegram/{BOT}/getMe"):
        said = site.proxy.call(call, "Host: x")
        assert "caddy" not in said.headers
        assert "python" not in said.headers
        # nginx cannot leave its name out, only its number.
        assert "server:" not in said.headers or (site.proxy.kind == "nginx" and "server: nginx\r\n" in said.headers)


def test_a_refusal_of_the_panels_or_the_agents_comes_through(site: Site) -> None:
    refusal = b'{"detail": "Could not validate credentials"}'
    site.panel.behave = site.agent.behave = lambda handler: answer(handler, 401, refusal)
    for call in ("GET /api/core", "GET /agent/v1/status"):
        said = site.proxy.call(call, "Host: x", "Authorization: Bearer wrong")
        assert (said.status, said.body) == (401, refusal)
