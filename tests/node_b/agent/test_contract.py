"""The real agent keeps the contract that its stand-in keeps."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.node_b.agent.agents import TOKEN, a_running_agent
from tests.sandbox.agent.contract import AgentContract


class TestTheAgent(AgentContract):
    @pytest.fixture
    async def agent(self, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
        with a_running_agent(tmp_path) as agent:
            address, headers = agent.calls.base_url, {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=30) as client:
                yield client
