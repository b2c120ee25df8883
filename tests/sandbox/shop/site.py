"""A shop of several nodes, and what tests see of it and do to it from outside."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import Executable, func, select, update

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.tables import accesses, jobs
from node_a.application.jobs import Job
from sandbox.nodes import host_of
from sandbox.shop import Shop, StartNodeA, end
from sandbox.torture.evidence import User, credential_of, user_of, users_at
from tests.waiting import until


@dataclass
class Site:
    """Node A can be started anew: `settings` are what its next start finds changed."""

    shop: Shop
    start: StartNodeA
    settings: dict[str, str]
    _node_a: subprocess.Popen[bytes] = field(init=False)

    def open(self) -> None:
        self._node_a = self.start("all")
        self.shop.wait_until_ready(self._node_a)

    def close(self) -> None:
        end(self._node_a)

    def restart(self) -> None:
        self.close()
        self.open()

    # ── the nodes ──

    @property
    def nodes(self) -> list[str]:
        return list(self.shop.node_urls)

    def users(self, code: str) -> list[User]:
        with httpx.Client(trust_env=False, timeout=30) as http:
            return users_at(http, self.shop.node_urls[code])

    def lets_in(self, code: str, keys: Iterable[str]) -> bool:
        """Whether those of `keys` that are this node's open it now; there must be some."""
        let_in = {user.credential for user in self.users(code) if user.let_in}
        its_own = {credential_of(key) for key in keys if user_of(key)[0] == host_of(code)}
        return bool(its_own) and its_own <= let_in

    def knows_none_of(self, code: str, keys: Iterable[str]) -> bool:
        return not {user.credential for user in self.users(code)} & set(map(credential_of, keys))

    def wipe(self, code: str, part: str) -> None:
        httpx.post(f"{self.shop.node_urls[code]}/sandbox/{part}/wipe", trust_env=False).raise_for_status()

    def add_traffic(self, code: str, keys: Iterable[str], count: int) -> None:
        """So many bytes through the panel's one of `keys`, and as many through the agent's."""
        credentials = {credential_of(key): key.partition("://")[0] for key in keys if user_of(key)[0] == host_of(code)}
        for user in self.users(code):
            if user.credential in credentials:
                part = {"vless": "marzban", "ss": "agent"}[credentials[user.credential]]
                url = f"{self.shop.node_urls[code]}/sandbox/{part}/traffic"
                body = {"name": user.name, "bytes": count}
                httpx.post(url, json=body, trust_env=False).raise_for_status()

    # ── time, and the database ──

    def run_now(self, job: Job) -> None:
        """As if its hour had come; until it has been done."""
        now = datetime.now(UTC)
        self._write(update(jobs).where(jobs.c.name == job.value).values(due_at=now, leased_until=None))
        until(lambda: bool(self._read(select(jobs.c.due_at).where(jobs.c.name == job.value)) > now))

    def rows_of(self, code: str) -> int:
        return int(self._read(select(func.count()).select_from(accesses).where(accesses.c.node == code)))

    def _read(self, query: Executable) -> Any:
        engine = open_engine(self.shop.settings()["DATABASE_URL"])
        with engine.connect() as connection:
            found = connection.execute(query).scalar_one()
        engine.dispose()
        return found

    def _write(self, statement: Executable) -> None:
        engine = open_engine(self.shop.settings()["DATABASE_URL"])
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()
