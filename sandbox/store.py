"""What the stand-ins remember from one start to the next: named tables of JSON documents in one SQLite file."""

import json
import sqlite3
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Table(MutableMapping[str, Document]):
    """Documents by key, in the order of first insertion. A document that was changed must be assigned again."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def __getitem__(self, key: str) -> Document:
        row = self._connection.execute(
            "SELECT body FROM documents WHERE name = ? AND key = ?", (self._name, key)
        ).fetchone()
        if row is None:
            raise KeyError(key)
        document: Document = json.loads(row[0])
        return document

    def __setitem__(self, key: str, document: Document) -> None:
        self._connection.execute(
            "INSERT INTO documents (name, key, body) VALUES (?, ?, ?)"
            " ON CONFLICT (name, key) DO UPDATE SET body = excluded.body",
            (self._name, key, json.dumps(document)),
        )

    def __delitem__(self, key: str) -> None:
        gone = self._connection.execute("DELETE FROM documents WHERE name = ? AND key = ?", (self._name, key))
        if gone.rowcount == 0:
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        rows = self._connection.execute(
            "SELECT key FROM documents WHERE name = ? ORDER BY number", (self._name,)
        ).fetchall()
        return iter([row[0] for row in rows])

    def number(self, key: str) -> int:
        """Which a document has for all its life, and no other ever gets. Raises KeyError."""
        row = self._connection.execute(
            "SELECT number FROM documents WHERE name = ? AND key = ?", (self._name, key)
        ).fetchone()
        if row is None:
            raise KeyError(key)
        return int(row[0])

    def __len__(self) -> int:
        row = self._connection.execute("SELECT count(*) FROM documents WHERE name = ?", (self._name,)).fetchone()
        return int(row[0])


class Store:
    """Opens `path`, or keeps everything in memory when it is None."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")  # a stand-in may forget after a power cut
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS documents (number INTEGER PRIMARY KEY AUTOINCREMENT,"
            " name TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (name, key))"
        )

    def table(self, name: str) -> Table:
        return Table(self._connection, name)

    def close(self) -> None:
        self._connection.close()
