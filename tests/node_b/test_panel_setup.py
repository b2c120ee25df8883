"""What the panel is told after it has started, by what a real one remembers of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from node_b.marzban.setup import NoAdministrator, Panel, changes
from sandbox.marzban.tokens import Tokens
from sandbox.serving import served
from sandbox.store import Store, Table
from shared.inbounds import VLESS_TAG
from tests.node_b.containers.stand_ins.marzban.main import Deployed
from tests.node_b.states import keys_of, render, rendered

USERNAME = "PANEL_USERNAME"
PASSWORD = "PANEL_PASSWORD"


@pytest.fixture
def administrators(tmp_path: Path) -> Table:
    return Store(tmp_path / "panel.db").table("administrators")


@pytest.fixture
async def panel(tmp_path: Path, administrators: Table) -> AsyncIterator[Panel]:
    store = Store(tmp_path / "panel.db")
    app = web.Application()
    app.add_routes(Deployed(administrators, store.table("hosts"), Tokens(store, time.time), [VLESS_TAG]).routes())
    async with served(app) as url:
        yield Panel(url.removeprefix("http://"))


async def set_up(state: Path, panel: Panel) -> list[str]:
    return await asyncio.to_thread(lambda: list(changes(state, panel)))


@pytest.fixture
def state(tmp_path: Path, administrators: Table) -> Path:
    """Its administrator is known to the panel, as marzban-cli makes one."""
    state = tmp_path / "state"
    rendered(state)
    keys = keys_of(state)
    administrators[keys[USERNAME]] = {"password": keys[PASSWORD], "is_sudo": True}
    return state


async def test_an_unknown_administrator_is_for_somebody_else_to_make(tmp_path: Path, panel: Panel) -> None:
    rendered(tmp_path / "state")

    with pytest.raises(NoAdministrator):
        await set_up(tmp_path / "state", panel)


async def test_the_placeholder_among_the_hosts_is_replaced_once(state: Path, panel: Panel) -> None:
    assert await set_up(state, panel) == [f"the address of {VLESS_TAG} is this node's"]
    assert await set_up(state, panel) == []


async def test_a_new_password_is_told_to_a_panel_that_refuses_the_tokens_of_that_second(
    state: Path, panel: Panel, administrators: Table
) -> None:
    assert render(state, "rotate", "password") == 0

    told = await set_up(state, panel)

    assert told[0] == "the administrator has its new password"
    assert administrators[keys_of(state)[USERNAME]]["password"] == keys_of(state)[PASSWORD]
    assert await set_up(state, panel) == []
