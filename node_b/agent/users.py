"""The users that the agent holds, durable in SQLite, and the revisions of those it was told to forget.

One thread writes, and keeps all users in memory; pages are read by others, from what is committed.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from shared.agent_contract import UserPage, UserReport, UserState
from shared.environment import ConfigurationProblems

_SHAPE: Final = 1
_TABLES: Final = """
    CREATE TABLE users (
        name TEXT PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        expires_at INTEGER NOT NULL,
        traffic_limit INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        used_traffic INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tombstones (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
# Seconds for whoever else holds the file: the keeper, and with it everything, waits for it.
_PATIENCE: Final = 0.5
_COLUMNS: Final = "name, key, expires_at, traffic_limit, revision, used_traffic"


class Overtaken(Exception):
    """A newer revision was here before."""

    def __init__(self, held: int) -> None:
        super().__init__(held)
        self.held = held


class KeyInUse(Exception):
    """Somebody else has this key: Xray would book both on one of them."""


@dataclass(frozen=True, slots=True)
class User:
    """`expires_at`: seconds since the epoch; `traffic_limit`, `used_traffic`: bytes, and no limit if 0."""

    name: str
    key: str = field(repr=False)
    expires_at: int
    traffic_limit: int
    revision: int
    used_traffic: int = 0

    def enabled(self, now: float, pending: int = 0) -> bool:
        """`pending`: bytes that were counted besides."""
        return self.expires_at > now and (self.traffic_limit == 0 or self.used_traffic + pending < self.traffic_limit)

    def with_traffic(self, amount: int) -> "User":
        return replace(self, used_traffic=self.used_traffic + amount)

    def report(self, now: float) -> UserReport:
        return UserReport(
            name=self.name,
            key=self.key,
            expires_at=self.expires_at,
            traffic_limit=self.traffic_limit,
            revision=self.revision,
            used_traffic=self.used_traffic,
            enabled=self.enabled(now),
        )


class Changes:
    """What one transaction changes: seen by its own later steps at once, by everybody else after the commit."""

    def __init__(self, connection: sqlite3.Connection, held: Mapping[str, User], owners: Mapping[str, str]) -> None:
        self._connection = connection
        self._held = held
        self._owners = owners
        self.users: dict[str, User | None] = {}
        self.owners: dict[str, str | None] = {}

    def put(self, name: str, state: UserState) -> User:
        """Raises Overtaken and KeyInUse, and has changed nothing then."""
        before = self._user(name)
        self._check_revision(name, before, state.revision)
        if self.owners.get(state.key, self._owners.get(state.key)) not in {None, name}:
            raise KeyInUse
        user = User(name=name, used_traffic=before.used_traffic if before else 0, **state.model_dump())
        if user == before:
            return user
        self._connection.execute("DELETE FROM tombstones WHERE name = ?", (name,))
        self._connection.execute(
            f"INSERT OR REPLACE INTO users ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 (a constant)
            (name, user.key, user.expires_at, user.traffic_limit, user.revision, user.used_traffic),
        )
        if before:
            self.owners[before.key] = None
        self.owners[user.key] = name
        self.users[name] = user
        return user

    def delete(self, name: str, revision: int) -> None:
        """Raises Overtaken; an absent user is no error."""
        before = self._user(name)
        self._check_revision(name, before, revision)
        self._connection.execute("DELETE FROM users WHERE name = ?", (name,))
        self._connection.execute("INSERT OR REPLACE INTO tombstones VALUES (?, ?)", (name, revision))
        if before:
            self.owners[before.key] = None
            self.users[name] = None

    def add_traffic(self, name: str, amount: int) -> None:
        user = self._user(name)
        if user is None:  # removed meanwhile: there is nobody to count it for
            return
        self._connection.execute("UPDATE users SET used_traffic = used_traffic + ? WHERE name = ?", (amount, name))
        self.users[name] = user.with_traffic(amount)

    def enabled(self, now: float) -> dict[str, str]:
        """Names and keys of all who may connect, with these changes made."""
        untouched = (user for name, user in self._held.items() if name not in self.users)
        changed = (user for user in self.users.values() if user is not None)
        return {user.name: user.key for some in (untouched, changed) for user in some if user.enabled(now)}

    def _user(self, name: str) -> User | None:
        return self.users[name] if name in self.users else self._held.get(name)

    def _check_revision(self, name: str, user: User | None, revision: int) -> None:
        remembered = user.revision if user else self._forgotten(name)
        if revision < remembered:
            raise Overtaken(remembered)

    def _forgotten(self, name: str) -> int:
        row = self._connection.execute("SELECT revision FROM tombstones WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0


class Users:
    """Raises ConfigurationProblems, with a remedy, if the file cannot be used. `taken`: a key that no user may have.
    `pending`: bytes by name that were counted and are not in the file yet; limits hold for them, too."""

    def __init__(self, path: Path, taken: str = "") -> None:
        try:
            path.touch(mode=0o600)
            self._writing = _connected(path)
            self._prepare(path)
            self.held = {user.name: user for user in _all(self._writing)}
            self._reading = _connected(path)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationProblems([_remedy(path, error)]) from error
        self._owners = {taken: ""} | {user.key: user.name for user in self.held.values()}
        self._one_reader = threading.Lock()
        self.pending: dict[str, int] = {}

    def count(self, name: str, amount: int) -> None:
        """Bytes, for the next transaction that is committed; those of somebody who was removed are nobody's."""
        if name in self.held:
            self.pending[name] = self.pending.get(name, 0) + amount

    @contextmanager
    def transaction(self) -> Iterator[Changes]:
        """It begins with the traffic that is pending. Committed, and visible in `held`, when the block ends without an
        error. Raises sqlite3.Error if it cannot be made durable; nothing has changed then."""
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            changes = Changes(self._writing, self.held, self._owners)
            for name, amount in self.pending.items():
                changes.add_traffic(name, amount)
            yield changes
            self._writing.execute("COMMIT")
        except BaseException:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            raise
        self.pending.clear()
        for key, owner in changes.owners.items():
            if owner is None:
                self._owners.pop(key, None)
            else:
                self._owners[key] = owner
        for name, user in changes.users.items():
            if user is None:
                self.held.pop(name, None)
            else:
                self.held[name] = user

    def enabled(self, now: float) -> dict[str, str]:
        """Names and keys of all who may connect."""
        pending = self.pending
        return {user.name: user.key for user in self.held.values() if user.enabled(now, pending.get(user.name, 0))}

    def page(self, after: str, limit: int, now: float) -> UserPage:
        """For any thread."""
        query = f"SELECT {_COLUMNS} FROM users WHERE name > ? ORDER BY name LIMIT ?"  # noqa: S608 (a constant)
        with self._one_reader, closing(self._reading.execute(query, (after, limit + 1))) as rows:
            found = [User(*row) for row in rows]
        shown = found[:limit]
        more = shown[-1].name if len(found) > limit else None
        return UserPage(users=tuple(user.report(now) for user in shown), next_after=more)

    def close(self) -> None:
        with self._one_reader:
            self._reading.close()
        self._writing.close()

    def _prepare(self, path: Path) -> None:
        (found,) = self._writing.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError("quick_check found damage")
        (shape,) = self._writing.execute("PRAGMA user_version").fetchone()
        if shape > _SHAPE:
            raise ConfigurationProblems([f"{path} was written by a newer agent: run that one, or a newer one still"])
        if shape == 0:
            self._writing.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_SHAPE}; COMMIT;")


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _all(connection: sqlite3.Connection) -> Iterator[User]:
    for row in connection.execute(f"SELECT {_COLUMNS} FROM users"):  # noqa: S608 (a constant)
        yield User(*row)


def _remedy(path: Path, error: Exception) -> str:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return (
            f"{path} is damaged ({error}): move it and its -wal and -shm files away and start the agent again. Node A"
            " puts all users back within minutes; what they have used so far counts from 0 again"
        )
    return f"{path} cannot be opened ({error}): check the directory's owner, its mode, and the disk's free space"
