"""The agent as a node runs it: a process that is started, killed and started again with its state; and its Xray."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from shared.agent_contract import AgentStatus, UserPage, UserReport
from shared.inbounds import SHADOWSOCKS_PORT, SHADOWSOCKS_TAG
from tests.node_b.agent_proofs.own_network import is_here
from tests.node_b.agent_proofs.running_xray import users_of
from tests.node_b.agent_proofs.skeleton import a_skeleton, placeholder
from tests.programs import is_open, program
from tests.waiting import until

ROOT: Final = Path(__file__).parents[3]
TOKEN: Final = "fake-agent-token-of-more-than-32-characters"
IN_A_YEAR: Final = int(time.time()) + 365 * 86_400
_API: Final = "http://127.0.0.1:8081"


@dataclass
class Node:
    """`directory`: where everything of it lies."""

    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.state.mkdir(exist_ok=True)
        self._config.write_text(a_skeleton(), encoding="utf-8")
        self.calls = a_client()

    @property
    def state(self) -> Path:
        return self.directory / "agent"

    @property
    def log(self) -> Path:
        return self.directory / "agent.log"

    @property
    def _config(self) -> Path:
        return self.directory / "shadowsocks_2022.json"

    # ── the process ──

    def starts(self) -> None:
        """Returns at once."""
        environment = {
            "PATH": os.environ["PATH"],
            "AGENT_TOKEN": TOKEN,
            "AGENT_STATE": str(self.state),
            "AGENT_XRAY": str(program("xray")),
            "AGENT_XRAY_CONFIG": str(self._config),
            "AGENT_RENEW_AT": far_from_now(),
            "LOG_LEVEL": "INFO",
            **self.settings,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "node_b.agent"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def is_up(self) -> bool:
        """Its API answers, and its Xray carries traffic."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.status().xray.running and is_open(SHADOWSOCKS_PORT)
        except httpx.HTTPError:
            return False

    def starts_and_is_up(self) -> None:
        self.starts()
        until(self.is_up)

    def is_killed(self) -> None:
        """The agent alone; what becomes of its Xray is its own affair."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ends(self) -> int:
        """As `docker stop` asks it to; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def container_ends(self) -> None:
        """A container's processes go with its first one."""
        for pid in xrays():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not xrays())

    def xray(self) -> int:
        """The pid of the only one there is."""
        (pid,) = xrays()
        return pid

    # ── its API ──

    def put(self, name: str, key: str, *, revision: int = 1, expires_at: int = IN_A_YEAR, limit: int = 0) -> UserReport:
        """Raises httpx.HTTPError, HTTPStatusError for a refusal."""
        answer = self.calls.put(f"/v1/users/{name}", json=state(key, revision, expires_at, limit))
        return UserReport.model_validate_json(answer.raise_for_status().content)

    def delete(self, name: str, *, revision: int = 1) -> None:
        self.calls.delete(f"/v1/users/{name}", params={"revision": revision}).raise_for_status()

    def status(self) -> AgentStatus:
        return AgentStatus.model_validate_json(self.calls.get("/v1/status").raise_for_status().content)

    def users(self) -> dict[str, UserReport]:
        users: dict[str, UserReport] = {}
        after: str | None = ""
        while after is not None:
            params: dict[str, str | int] = {"after": after, "limit": 1000} if after else {"limit": 1000}
            answer = self.calls.get("/v1/users", params=params).raise_for_status()
            page = UserPage.model_validate_json(answer.content)
            users |= {user.name: user for user in page.users}
            after = page.next_after
        return users

    # ── where the users are ──

    def keys_in_the_file(self) -> dict[str, str]:
        """Of the configuration that the next Xray starts with."""
        return keys_in(self._xray_json()["inbounds"])

    def keys_in_the_running_xray(self) -> dict[str, str]:
        return users_of(self._xray_json()["api"]["listen"], SHADOWSOCKS_TAG)

    def _xray_json(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self.state / "xray.json").read_text(encoding="utf-8"))
        return config

    def database_is_whole(self) -> bool:
        with closing(sqlite3.connect(f"file:{self.state / 'users.db'}?mode=ro", uri=True)) as database:
            return bool(database.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def far_from_now() -> str:
    """A time of day at which nothing must happen during a proof."""
    return (datetime.now(UTC) + timedelta(hours=12)).strftime("%H:%M")


def a_client() -> httpx.Client:
    """One more that may call the agent: one connection, for one thread."""
    return httpx.Client(base_url=_API, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=30)


def state(key: str, revision: int = 1, expires_at: int = IN_A_YEAR, limit: int = 0) -> dict[str, str | int]:
    return {"key": key, "expires_at": expires_at, "traffic_limit": limit, "revision": revision}


def keys_in(inbounds: list[dict[str, Any]]) -> dict[str, str]:
    (inbound,) = (inbound for inbound in inbounds if inbound["tag"] == SHADOWSOCKS_TAG)
    clients = inbound["settings"]["clients"]
    keys = {client["email"]: client["password"] for client in clients}
    assert len(keys) == len(clients), "a name is there twice"
    return keys


def xrays() -> list[int]:
    """The Xrays of this network that carry traffic (not those that only test a file)."""
    return sorted(
        process.pid
        for process in psutil.process_iter()
        if is_here(process.pid) and "run" in _words(process) and "-test" not in _words(process)
    )


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE and Path(process.exe()) == program("xray").resolve():
            return process.cmdline()
    return []


def assert_all_agree(node: Node) -> None:
    """What the agent says, what the file says, and what the running Xray has: the same, and a placeholder always.
    Dummies stand only in the running Xray, until the nightly hand-over."""
    told = {name: user.key for name, user in node.users().items() if user.enabled}
    in_file, in_xray = node.keys_in_the_file(), node.keys_in_the_running_xray()
    assert in_file == {**told, **placeholder()}
    # No customer can have a dummy's name: there is a hyphen in it.
    assert {name: key for name, key in in_xray.items() if not name.startswith("dummy-")} == in_file
    assert node.database_is_whole()


@contextmanager
def a_node(directory: Path, **settings: str) -> Iterator[Node]:
    """Up, with no users."""
    with a_node_that_may_not_start(directory, **settings) as node:
        node.starts_and_is_up()
        yield node


@contextmanager
def a_node_that_may_not_start(directory: Path, **settings: str) -> Iterator[Node]:
    """Ended with the block, in order if all was well."""
    node = Node(directory, settings)
    with closing(node.calls):
        try:
            yield node
            if node.process is not None and node.process.poll() is None:
                assert node.ends() == 0, node.log.read_text()
        finally:
            if node.process is not None:
                node.is_killed()
