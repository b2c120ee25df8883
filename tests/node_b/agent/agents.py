"""A real agent with a real Xray, in this process: what it holds, what its file says, and whom Xray would let in."""

import base64
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from node_b.agent.serving import serve
from node_b.agent.settings import Settings, read_settings
from node_b.agent.xray_api import DUMMY, ApiSilent, XrayApi
from shared.agent_contract import AgentStatus, UserReport, UserState
from shared.inbounds import SHADOWSOCKS_METHOD, SHADOWSOCKS_TAG
from tests.programs import free_port, program
from tests.waiting import until

TOKEN: Final = "fake-agent-token-of-forty-characters-0000"
FUTURE: Final = 4_102_444_800
PLACEHOLDER: Final = "placeholder-of-the-tests"


def a_key(of: object) -> str:
    return base64.b64encode(hashlib.sha256(str(of).encode()).digest()[:16]).decode()


SERVER_KEY: Final = a_key("server")


def a_state(of: object = "q_one", **changes: Any) -> UserState:
    """`of`: what its key is made from."""
    values: dict[str, Any] = {"key": a_key(of), "expires_at": FUTURE, "traffic_limit": 0, "revision": 1}
    return UserState(**(values | changes))


def a_skeleton(port: int) -> dict[str, Any]:
    """As it is rendered for a node, on a port of loopback."""
    return {
        "log": {"access": "none", "loglevel": "warning"},
        "api": {"tag": "api", "listen": "127.0.0.1:0", "services": ["HandlerService", "StatsService"]},
        "stats": {},
        "policy": {"levels": {"0": {"statsUserUplink": True, "statsUserDownlink": True, "statsUserOnline": True}}},
        "inbounds": [
            {
                "tag": SHADOWSOCKS_TAG,
                "listen": "127.0.0.1",
                "port": port,
                "protocol": "shadowsocks",
                "settings": {
                    "network": "tcp,udp",
                    "method": SHADOWSOCKS_METHOD,
                    "password": SERVER_KEY,
                    "clients": [{"email": PLACEHOLDER, "password": a_key(PLACEHOLDER)}],
                },
            }
        ],
        "outbounds": [{"protocol": "freedom"}],
    }


def an_environment(directory: Path, **changes: str) -> dict[str, str]:
    """With everything that the variables name."""
    skeleton = directory / "shadowsocks_2022.json"
    if not skeleton.exists():
        skeleton.write_text(json.dumps(a_skeleton(free_port())))
    return {
        "AGENT_TOKEN": TOKEN,
        "AGENT_PORT": str(free_port()),
        "AGENT_STATE": str(directory / "agent"),
        "AGENT_XRAY": str(program("xray")),
        "AGENT_XRAY_CONFIG": str(skeleton),
    } | changes


@dataclass
class Agent:
    """`calls`: a client whose base URL is the agent, with its token."""

    settings: Settings
    calls: httpx.Client = field(repr=False)
    stopping: threading.Event = field(default_factory=threading.Event)

    def put(self, name: str, **changes: Any) -> UserReport:
        answer = self.calls.put(f"/v1/users/{name}", json=a_state(name, **changes).model_dump())
        assert answer.status_code == 200, answer.text
        return UserReport.model_validate_json(answer.content)

    def delete(self, name: str, revision: int = 2) -> None:
        answer = self.calls.delete(f"/v1/users/{name}", params={"revision": revision})
        assert answer.status_code == 204, answer.text

    def status(self) -> AgentStatus:
        return AgentStatus.model_validate_json(self.calls.get("/v1/status").content)

    def is_healthy(self) -> bool:
        return self.calls.get("/healthz").status_code == 200

    def metric(self, name: str) -> float:
        lines = self.calls.get("/metrics").text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"qentvpn_agent_{name} "))

    def in_xray(self) -> dict[str, str]:
        """Whom the running Xray would let in, without placeholder and dummies."""
        return in_xray(self.settings.state)

    def in_file(self) -> dict[str, str]:
        return in_file(self.settings.state)

    def in_database(self) -> dict[str, str]:
        with closing(sqlite3.connect(self.settings.state / "users.db")) as connection:
            return dict(connection.execute("SELECT name, key FROM users"))


def _document(state: Path) -> Any:
    return json.loads((state / "xray.json").read_text())


def api_port(state: Path) -> int:
    return int(_document(state)["api"]["listen"].split(":")[1])


def in_file(state: Path) -> dict[str, str]:
    clients = _document(state)["inbounds"][0]["settings"]["clients"]
    users = {client["email"]: client["password"] for client in clients}
    assert users.pop(PLACEHOLDER) == a_key(PLACEHOLDER)
    assert len(users) == len(clients) - 1
    return users


def in_xray(state: Path) -> dict[str, str]:
    """While none answers, what no test expects."""
    api = XrayApi(api_port(state))
    try:
        found = api.users()
    except ApiSilent:
        return {"nobody answers": ""}
    finally:
        api.close()
    users = dict(found)
    assert len(users) == len(found)
    assert users.pop(PLACEHOLDER) == a_key(PLACEHOLDER)
    return {name: key for name, key in users.items() if not name.startswith(DUMMY)}


def keys_of(*names: str) -> dict[str, str]:
    return {name: a_key(name) for name in names}


@contextmanager
def a_running_agent(directory: Path, *, healthy: bool = True, **changes: str) -> Iterator[Agent]:
    """Until it is well, unless told that it will not be; ended with the block."""
    settings = read_settings(an_environment(directory, **changes))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    address = f"http://127.0.0.1:{settings.port}"
    codes: list[int] = []
    with httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=30) as calls:
        agent = Agent(settings, calls)
        thread = threading.Thread(target=lambda: codes.append(serve(settings, agent.stopping)))
        thread.start()
        try:
            until(lambda: not thread.is_alive() or _answers(agent, healthy))
            yield agent
        finally:
            agent.stopping.set()
            thread.join()
    assert codes == [0]


def _answers(agent: Agent, healthy: bool) -> bool:
    try:
        return agent.is_healthy() or not healthy
    except httpx.TransportError:
        return False


def seconds_until(condition: Callable[[], bool]) -> float:
    began = time.monotonic()
    until(condition)
    return time.monotonic() - began
