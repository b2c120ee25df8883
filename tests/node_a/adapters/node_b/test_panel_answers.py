"""Answers that the stand-in never gives: each becomes the right one of our errors, and tells no secrets."""

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import respx

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.domain.errors import NodeRefused, NodeUnavailable
from tests.node_a.adapters.node_b.conftest import ENDS_AT, NAME, START, VLESS_ID, wanted_access

URL = "http://127.0.0.1:9"
PASSWORD, TOKEN = "fake-panel-password", "fake-panel-token"
HELD: dict[str, Any] = {
    "username": NAME,
    "proxies": {"vless": {"id": VLESS_ID, "flow": "xtls-rprx-vision"}},
    "inbounds": {"vless": ["VLESS TCP REALITY"]},
    "expire": int(ENDS_AT.timestamp()),
    "data_limit": 100 * (1 << 30),
    "status": "active",
    "used_traffic": 0,
}


@pytest.fixture
def panel() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/api/admin/token").respond(json={"access_token": TOKEN, "token_type": "bearer"})
        yield router


@pytest.fixture
async def node(panel: respx.MockRouter) -> AsyncIterator[NodeB]:
    account = NodeAccount(
        url=URL, certificate=None, panel_username="admin", panel_password=PASSWORD, agent_token="fake-agent-token"
    )
    async with NodeB(account, clock=lambda: START) as node:
        yield node


async def test_what_was_asked_for_is_accepted(node: NodeB, panel: respx.MockRouter) -> None:
    panel.put(f"/api/user/{NAME}").respond(json=HELD)

    await node.apply(wanted_access())


@pytest.mark.parametrize(
    ("difference", "word"),
    [
        ({"username": "q_other"}, "name"),
        ({"proxies": {"vless": {"id": VLESS_ID.replace("1", "2"), "flow": "xtls-rprx-vision"}}}, "id"),
        ({"proxies": {"vless": {"id": VLESS_ID, "flow": ""}}}, "flow"),
        ({"inbounds": {"vless": []}}, "inbounds"),
        ({"inbounds": {"vless": ["VLESS TCP REALITY", "OTHER"]}}, "inbounds"),
        ({"expire": HELD["expire"] - 1}, "end"),
        ({"expire": None}, "end"),
        ({"data_limit": None}, "limit"),
        ({"status": "disabled"}, "status"),
        ({"status": "on_hold"}, "status"),
        ({"status": "expired"}, "status"),
        ({"status": "limited"}, "status"),
    ],
)
async def test_a_panel_that_holds_something_else_is_not_believed(
    node: NodeB, panel: respx.MockRouter, difference: dict[str, Any], word: str
) -> None:
    panel.put(f"/api/user/{NAME}").respond(json=HELD | difference)

    with pytest.raises(NodeUnavailable, match=rf"something else.*: {word}$") as raised:
        await node.apply(wanted_access())

    assert raised.value.answered  # a healthy panel with one odd user: the others need not wait


@pytest.mark.parametrize(
    ("answer", "error", "answered"),
    [
        (httpx.Response(400, json={"detail": "no"}), NodeRefused, None),
        (httpx.Response(403, json={"detail": "no"}), NodeUnavailable, False),
        (httpx.Response(422, json={"detail": {"expire": f"bad {VLESS_ID}"}}), NodeRefused, None),
        (httpx.Response(422, json={"detail": f"bad {VLESS_ID}"}), NodeRefused, None),
        (httpx.Response(404, text="404 page not found"), NodeUnavailable, False),
        (httpx.Response(404, json={"detail": "Not Found"}), NodeUnavailable, False),
        (httpx.Response(307, headers={"Location": "http://192.0.2.1/"}), NodeUnavailable, False),
        (httpx.Response(429), NodeUnavailable, False),
        (httpx.Response(409, json={"detail": "User already exists"}), NodeUnavailable, True),
        (httpx.Response(500, text="Internal Server Error"), NodeUnavailable, True),
        (httpx.Response(502, text="Bad Gateway"), NodeUnavailable, False),
        (httpx.Response(503), NodeUnavailable, False),
        (httpx.Response(504), NodeUnavailable, False),
        (httpx.Response(200, text="<html>"), NodeUnavailable, True),
        (httpx.Response(200, content=b"\xff"), NodeUnavailable, True),
        (httpx.Response(200, json=[]), NodeUnavailable, True),
        (httpx.Response(200, json=HELD | {"expire": str(HELD["expire"])}), NodeUnavailable, True),
        (httpx.Response(200, json={"username": VLESS_ID}), NodeUnavailable, True),
    ],
    ids=lambda value: f"{value.status_code}-{value.text[:20]}" if isinstance(value, httpx.Response) else "",
)
async def test_every_other_answer_is_an_error_that_tells_no_secret(
    node: NodeB, panel: respx.MockRouter, answer: httpx.Response, error: type[Exception], answered: bool | None
) -> None:
    """`answered`: whether only this access has to wait, None for a refusal."""
    panel.put(f"/api/user/{NAME}").mock(return_value=answer)

    with pytest.raises(error) as raised:
        await node.apply(wanted_access())

    assert getattr(raised.value, "answered", None) is answered

    story = f"{raised.value} {raised.value.__cause__}"
    assert not [secret for secret in (VLESS_ID, PASSWORD, TOKEN) if secret in story]
    assert "Outline" not in story  # nothing was asked for it


@pytest.mark.parametrize("detail", ["Not Found", "User not found"])
async def test_only_the_panels_own_404_proves_that_a_user_is_gone(
    node: NodeB, panel: respx.MockRouter, detail: str
) -> None:
    panel.delete(f"/api/user/{NAME}").respond(404, json={"detail": detail})

    if detail == "User not found":
        await node.apply(wanted_access(present=False))
    else:
        with pytest.raises(NodeUnavailable):
            await node.apply(wanted_access(present=False))


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.PoolTimeout])
async def test_a_time_out_is_left_to_the_worker(
    node: NodeB, panel: respx.MockRouter, failure: type[httpx.TransportError]
) -> None:
    route = panel.put(f"/api/user/{NAME}").mock(side_effect=failure("fake"))

    with pytest.raises(NodeUnavailable) as raised:
        await node.apply(wanted_access())

    assert route.call_count == 1
    assert not raised.value.answered


@pytest.mark.parametrize(
    ("first", "second", "answered"),
    [
        (httpx.Response(500), httpx.Response(500), True),
        (httpx.Response(500), httpx.ReadError("fake"), True),  # the panel hangs up after its 500
        (httpx.ReadError("fake"), httpx.Response(500), True),
        (httpx.ReadError("fake"), httpx.ReadError("fake"), False),
        (httpx.Response(500), httpx.ConnectError("fake"), False),
        (httpx.Response(500), httpx.Response(502), False),
    ],
    ids=["500-500", "500-drop", "drop-500", "drop-drop", "500-dead", "500-502"],
)
async def test_what_fails_twice_holds_back_the_others_only_if_nobody_answered(
    node: NodeB,
    panel: respx.MockRouter,
    first: httpx.Response | Exception,
    second: httpx.Response | Exception,
    answered: bool,
) -> None:
    route = panel.put(f"/api/user/{NAME}").mock(side_effect=[first, second])

    with pytest.raises(NodeUnavailable) as raised:
        await node.apply(wanted_access())

    assert route.call_count == 2
    assert raised.value.answered is answered


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(200, json={}), httpx.Response(409)])
async def test_a_panel_that_lets_nobody_in_is_no_matter_of_one_user(
    node: NodeB, panel: respx.MockRouter, answer: httpx.Response
) -> None:
    panel.post("/api/admin/token").mock(return_value=answer)

    with pytest.raises(NodeUnavailable) as raised:
        await node.apply(wanted_access())

    assert not raised.value.answered


@pytest.mark.parametrize("failure", [httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
async def test_a_connection_that_broke_is_tried_once_more(
    node: NodeB, panel: respx.MockRouter, failure: type[httpx.TransportError]
) -> None:
    route = panel.put(f"/api/user/{NAME}").mock(side_effect=[failure("fake"), httpx.Response(200, json=HELD)])

    await node.apply(wanted_access())

    assert route.call_count == 2


async def test_nothing_that_is_logged_holds_a_secret(
    node: NodeB, panel: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    panel.put(f"/api/user/{NAME}").respond(500)

    with pytest.raises(NodeUnavailable):
        await node.apply(wanted_access())

    assert "/api/user" in caplog.text  # httpx says which call it made
    assert not [secret for secret in (VLESS_ID, PASSWORD, TOKEN) if secret in caplog.text]
