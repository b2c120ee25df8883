"""The hands of the user, trouble, and what survives a restart."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from sandbox.store import Store
from sandbox.telegram import create_app
from sandbox.telegram.init_data import signed
from sandbox.troubles import NodeTroubles, Troubles
from tests.sandbox.telegram.conftest import TOKEN, USER, Telegram


def is_genuine(init_data: str, token: str) -> bool:
    """The check of FACTS.md, written independently of how the stand-in signs."""
    fields = parse_qsl(init_data, keep_blank_values=True, strict_parsing=True)
    claimed = dict(fields)["hash"]
    lines = "\n".join(sorted(f"{name}={value}" for name, value in fields if name != "hash"))
    secret = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    return hmac.new(secret, lines.encode(), hashlib.sha256).hexdigest() == claimed


def test_init_data_is_signed_as_the_public_example() -> None:
    fields = {"auth_date": "1650385342", "user": '{"id":42,"first_name":"Test"}', "query_id": "test"}
    data = signed("42:TEST", fields)
    assert dict(parse_qsl(data))["hash"] == "46d2ea5e32911ec8d30999b56247654460c0d20949b6277af519e76271182803"
    assert is_genuine(data, "42:TEST")
    assert not is_genuine(data, "42:OTHER")


async def test_a_mini_app_is_launched_with_genuine_data_in_the_fragment(telegram: Telegram) -> None:
    await telegram.post(f"chats/{USER}/messages", text="/start", first_name="Ольга & Ко")
    opened = await telegram.post(
        f"chats/{USER}/web-app", url="http://127.0.0.1:8080/app?a=1", language_code="en", theme="dark"
    )
    address, fragment = opened["url"].split("#")
    assert address == "http://127.0.0.1:8080/app?a=1"
    launch = {name: values[0] for name, values in parse_qs(fragment, strict_parsing=True).items()}
    assert (launch["tgWebAppVersion"], launch["tgWebAppPlatform"]) == ("9.1", "weba")
    assert json.loads(launch["tgWebAppThemeParams"])["bg_color"] == "#17212b"
    assert is_genuine(launch["tgWebAppData"], TOKEN)
    data = dict(parse_qsl(launch["tgWebAppData"]))
    assert set(data) == {"query_id", "user", "auth_date", "signature", "hash"}
    assert abs(int(data["auth_date"]) - time.time()) < 5
    user = json.loads(data["user"])
    assert (user["id"], user["first_name"], user["language_code"]) == (USER, "Ольга & Ко", "en")


async def test_a_reader_waits_for_the_next_change_only(telegram: Telegram) -> None:
    await telegram.write()
    seen = await telegram.get(f"chats/{USER}/messages?after=0&wait=5")
    assert (seen["version"], len(seen["messages"])) == (1, 1)
    waiting = asyncio.create_task(telegram.get(f"chats/{USER}/messages?after=1&wait=5"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    sent = await telegram.result("sendMessage", chat_id=USER, text="Hello")
    assert await waiting == {"version": 2, "messages": [sent]}
    edited = await telegram.result("editMessageText", chat_id=USER, message_id=2, text="Bye")
    assert await telegram.get(f"chats/{USER}/messages?after=2") == {"version": 3, "messages": [edited]}
    assert await telegram.get(f"chats/{USER}/messages?after=3") == {"version": 3, "messages": []}


async def test_a_reader_from_an_earlier_store_gets_everything_at_once(telegram: Telegram) -> None:
    await telegram.write()
    seen = await asyncio.wait_for(telegram.get(f"chats/{USER}/messages?after=50&wait=5"), 1)
    assert (seen["version"], len(seen["messages"])) == (1, 1)


@contextlib.asynccontextmanager
async def started_on(file: Path) -> AsyncIterator[Telegram]:
    store, troubles = Store(file), Troubles(nodes={"de1": NodeTroubles(), "de2": NodeTroubles()})
    async with TestClient(TestServer(create_app(token=TOKEN, store=store, troubles=troubles))) as client:
        yield Telegram(client, troubles)
    store.close()


async def test_the_next_start_shows_the_old_chat(tmp_path: Path) -> None:
    async with started_on(tmp_path / "sandbox.sqlite") as telegram:
        await telegram.write()
        await telegram.result("sendMessage", chat_id=USER, text="one")
        await telegram.result("sendMessage", chat_id=USER, text="two")
        await telegram.result("deleteMessage", chat_id=USER, message_id=2)
        button = {"type": "web_app", "text": "Shop", "web_app": {"url": "https://shop.example"}}
        await telegram.result("setChatMenuButton", menu_button=button)
        await telegram.result("setMyCommands", commands=[{"command": "my", "description": "x"}])
        before = await telegram.get(f"chats/{USER}/messages?after=0")
        pending = await telegram.result("getUpdates")
        assert len(pending) == 1

    async with started_on(tmp_path / "sandbox.sqlite") as telegram:
        assert await telegram.get(f"chats/{USER}/messages?after=0") == before
        assert await telegram.result("getUpdates") == pending
        shown = await telegram.get(f"chats/{USER}/bot")
        assert (shown["commands"][0]["command"], shown["menu_button"]) == ("my", button)
        assert (await telegram.result("sendMessage", chat_id=USER, text="three"))["message_id"] == 4
        await telegram.write("new")
        assert (await telegram.result("getUpdates"))[-1]["update_id"] > pending[-1]["update_id"]


async def test_telegram_down_cuts_every_call_and_running_polls_but_not_the_page(telegram: Telegram) -> None:
    polling = asyncio.create_task(telegram.call("getUpdates", timeout=30))
    await asyncio.sleep(0.05)
    assert (await telegram.post("troubles", telegram_down=True))["telegram_down"] is True
    with pytest.raises(aiohttp.ClientConnectionError):
        await asyncio.wait_for(polling, 2)
    with pytest.raises(aiohttp.ClientConnectionError):
        await telegram.call("getMe")

    assert (await telegram.write())["text"] == "/start"
    async with telegram.client.get("/") as page:
        assert page.status == 200
    await telegram.post("troubles", telegram_down=False)
    assert [u["message"]["text"] for u in await telegram.result("getUpdates")] == ["/start"]
    assert [c["status"] for c in await telegram.get("calls")] == [None, None, 200]


async def test_the_switches_are_shared_with_the_other_stand_ins(telegram: Telegram) -> None:
    first, second = telegram.troubles.nodes["de1"], telegram.troubles.nodes["de2"]
    await telegram.post("troubles", **{"de1.marzban_down": True, "send_webhooks_twice": True})
    assert first.marzban_down
    assert telegram.troubles.send_webhooks_twice
    assert not second.marzban_down, "each node has its own"
    second.agent_down = True
    shown = await telegram.get("troubles")
    assert (shown["de1.agent_down"], shown["de2.agent_down"]) == (False, True)
    for unknown in ("internet_down", "nl1.down", "de1.internet_down", "nodes"):
        assert "error" in await telegram.post("troubles", **{unknown: True, "de1.marzban_down": False})
    assert first.marzban_down, "a refused request changes nothing"


@pytest.mark.parametrize("path", ["messages", "callbacks", "web-app", "block"])
async def test_nonsense_from_a_test_is_refused_with_a_reason(telegram: Telegram, path: str) -> None:
    for body in (b"{", b"[]", b'{"text": 5, "message_id": "x", "url": 5, "blocked": 1}'):
        async with telegram.client.post(f"/sandbox/chats/{USER}/{path}", data=body) as response:
            assert response.status in (400, 404)
            assert (await response.json())["error"]


async def test_a_stopping_stand_in_does_not_wait_for_its_long_polls() -> None:
    store = Store(None)
    async with TestClient(TestServer(create_app(token=TOKEN, store=store, troubles=Troubles()))) as client:
        telegram = Telegram(client, Troubles())
        polling = asyncio.create_task(telegram.call("getUpdates", timeout=40))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await client.server.close()
        assert time.monotonic() - began < 2
        await asyncio.gather(polling, return_exceptions=True)
    store.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/chat.js", "javascript"), ("/chat.css", "text/css"), ("/telegram-web-app.js", "javascript")],
)
async def test_the_page_needs_nothing_from_outside(telegram: Telegram, path: str, kind: str) -> None:
    async with telegram.client.get(path) as response:
        assert response.status == 200
        assert kind in response.content_type
        text = await response.text()
    hosts = set(re.findall(r"""(?:https?:|["'(=])//([\w.-]+\.\w+)""", text))
    assert hosts <= {"t.me"}, "only compared with, never loaded"


async def test_a_link_to_the_bot_leads_into_the_chat(telegram: Telegram) -> None:
    async with telegram.client.get("/qentvpn_bot", allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == "/"
