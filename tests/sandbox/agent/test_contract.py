"""The agent's stand-in keeps the contract."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.agent import create_app
from sandbox.store import Store
from sandbox.troubles import NodeTroubles
from tests.sandbox.agent.contract import AgentContract
from tests.sandbox.marzban.serving import serving

TOKEN = "fake-agent-token"


class TestTheStandIn(AgentContract):
    @pytest.fixture
    async def agent(self) -> AsyncIterator[httpx.AsyncClient]:
        store = Store(None)
        async with serving(create_app(token=TOKEN, store=store, troubles=NodeTroubles())) as client:
            client.headers["Authorization"] = f"Bearer {TOKEN}"
            yield client
        store.close()
