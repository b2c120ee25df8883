"""The keeper alone, with a clock that the test sets."""

import json
import sqlite3
import threading
import time as real_time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, Final

from node_b.agent.config import ConfigFile, read_skeleton
from node_b.agent.keeper import Keeper
from node_b.agent.metrics import Metrics
from node_b.agent.supervisor import Supervisor
from node_b.agent.users import Users
from shared.agent_contract import UserState
from tests.node_b.agent.agents import a_skeleton, a_state, in_file, in_xray
from tests.programs import free_port, program
from tests.waiting import until

NOON: Final = datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp()
RENEW_AT: Final = time(4, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Runs as time does, from where it was set."""

    ahead: float = field(default_factory=lambda: NOON - real_time.time())

    def __call__(self) -> float:
        return real_time.time() + self.ahead

    def jump(self, seconds: float) -> None:
        self.ahead += seconds

    def set(self, text: str) -> None:
        self.ahead = datetime.fromisoformat(f"2026-11-{text}+00:00").timestamp() - real_time.time()


@dataclass(frozen=True)
class Kept:
    directory: Path
    port: int
    clock: Clock
    users: Users
    supervisor: Supervisor
    keeper: Keeper

    def put(self, name: str, **changes: Any) -> None:
        self.keeper.put(name, a_state(name, **changes))

    def in_xray(self) -> dict[str, str]:
        return in_xray(self.directory)

    def in_file(self) -> dict[str, str]:
        return in_file(self.directory)

    def pid(self) -> int:
        current = self.supervisor.current
        return current.process.pid if current else 0


@contextmanager
def a_keeper(directory: Path, *, xray: Path | None = None, held: Mapping[str, UserState] = {}) -> Iterator[Kept]:
    """`held`: whom it begins with."""
    port, clock = free_port(), Clock()
    rendered = directory / "skeleton.json"
    rendered.write_text(json.dumps(a_skeleton(port)))
    xray = xray or program("xray")
    users, metrics = Users(directory / "users.db"), Metrics()
    with users.transaction() as changes:
        for name, state in held.items():
            changes.put(name, state)
    file = ConfigFile(directory / "xray.json", xray)
    supervisor = Supervisor(read_skeleton(rendered), file, xray, metrics)
    keeper = Keeper(users, supervisor, metrics, renew_at=RENEW_AT, clock=clock)
    thread = threading.Thread(target=keeper.run)
    thread.start()
    try:
        until(lambda: keeper.snapshot.started_at is not None)
        yield Kept(directory, port, clock, users, supervisor, keeper)
    finally:
        keeper.stop()
        thread.join()
        users.close()


@contextmanager
def nothing_can_be_saved(directory: Path) -> Iterator[None]:
    """Somebody else holds the database."""
    with closing(sqlite3.connect(directory / "users.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def rounds(kept: Kept, number: int) -> None:
    """Let the keeper go round so often."""
    for _ in range(number):
        seen = kept.keeper.snapshot
        kept.keeper.wake()
        until(lambda seen=seen: kept.keeper.snapshot is not seen)  # type: ignore[misc]
