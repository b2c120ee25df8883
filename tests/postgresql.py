"""A PostgreSQL server for one test process: made when first asked for, gone with the process, however that ends."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.migration import migrate

MIGRATED: Final = "migrated"

# Nothing here outlives the process, so nothing is brought to the disk. No TCP: a socket in a directory needs no port.
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "deadlock_timeout": "50ms",
}
# Ends, and takes its directory along, when whoever holds the other end of its standard input does.
_SERVE: Final = '"$@" 2>log & read -r _; kill -QUIT $!; wait $!; cd /; rm -rf "$QENTVPN_CLUSTER"'
_THROW_OUT: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Everybody without a password, but one.
_WHO_MAY_ENTER: Final = """
local all guarded scram-sha-256
local all all trust
"""
_PATIENCE_SECONDS: Final = 30


class NoServer(Exception):
    """What is missing on this machine."""


def server_binaries() -> Path:
    """Where initdb and postgres are; Debian keeps them out of the PATH. Raises NoServer."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not debian:
        raise NoServer("PostgreSQL is not installed: no initdb")
    return debian[-1].parent


def owner(uid: int, name: str = "postgres") -> dict[str, Any]:
    """As whom `uid` starts the server, for subprocess: PostgreSQL refuses to run as root, and Debian's package makes a
    user for it. Raises NoServer."""
    if uid != 0:
        return {}
    try:
        group = pwd.getpwnam(name).pw_gid
    except KeyError as error:
        raise NoServer(f"PostgreSQL refuses to run as root, and there is no user {name}") from error
    return {"user": name, "group": group, "extra_groups": []}


@dataclass(slots=True)
class Cluster:
    """A running server. `shop` owns everything; `guarded` is a user who must say the password `right-horse`."""

    directory: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    _clean: list[str] = field(default_factory=list)
    _tables: list[tuple[str, str]] = field(default_factory=list)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://shop@/{database}?host={self.directory}"

    def connected(self, database: str = "postgres") -> AbstractContextManager[psycopg.Connection[Any]]:
        """As the server's owner, outside of any transaction."""
        return closing(psycopg.connect(host=str(self.directory), user="shop", dbname=database, autocommit=True))

    def execute(self, statement: str) -> None:
        with self.connected() as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, *, migrated: bool) -> Iterator[str]:
        """The URL of a database that is empty, or has this release's tables, empty; whoever still uses it at the end
        is thrown out."""
        clean = self._clean if migrated else []
        name = clean.pop() if clean else self._new(MIGRATED if migrated else "template1")
        try:
            yield self.url(name)
        finally:
            if migrated and self._swept(name):
                self._clean.append(name)
            else:
                self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def without(self, database: str) -> Iterator[None]:
        """For everybody who uses it, the server is away: every connection breaks, and no new one is let in."""
        self.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
        try:
            yield
        finally:
            self.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")

    def _new(self, template: str) -> str:
        name = f"shop_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _swept(self, name: str) -> bool:
        """Empties the tables, which takes a fraction of the time of a new database; False if a test changed them."""
        with self.connected(name) as connection:
            connection.execute(_THROW_OUT)
            tables = _tables(connection)
            if tables != self._tables:
                return False
            connection.execute("SET session_replication_role = replica")  # whatever points to whatever
            connection.execute("; ".join(f"DELETE FROM {table}" for table, _ in tables).encode())
        return True

    def prepare(self) -> None:
        """Migrates once: copying tables, and emptying them again, is faster."""
        self.execute("CREATE ROLE guarded LOGIN PASSWORD 'right-horse'")
        self.execute(f"CREATE DATABASE {MIGRATED}")
        engine = open_engine(self.url(MIGRATED))
        migrate(engine)
        engine.dispose()
        with self.connected(MIGRATED) as connection:
            self._tables = _tables(connection)


def _tables(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Name and columns of each."""
    return connection.execute(
        """SELECT relname, string_agg(attname || ' ' || atttypid, ', ' ORDER BY attnum)
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0 AND relname <> 'alembic_version'
        GROUP BY relname ORDER BY relname"""
    ).fetchall()


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Raises NoServer."""
    binaries, as_user = server_binaries(), owner(os.geteuid())
    directory = Path(tempfile.mkdtemp(prefix="qentvpn-pg-"))
    if as_user:
        shutil.chown(directory, as_user["user"], as_user["group"])
    data = str(directory / "data")
    initdb = [
        str(binaries / "initdb"),
        "-D",
        data,
        "--no-sync",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "-U",
        "shop",
    ]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=directory, **as_user)
    (directory / "data" / "pg_hba.conf").write_text(_WHO_MAY_ENTER)
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    serving = subprocess.Popen(
        ["/bin/sh", "-c", _SERVE, "sh", str(binaries / "postgres"), "-D", data, "-k", str(directory), *settings],
        stdin=subprocess.PIPE,
        cwd=directory,
        start_new_session=True,  # Ctrl-C is for us; the server ends when we have
        env={**os.environ, "QENTVPN_CLUSTER": str(directory)},
        **as_user,
    )
    try:
        cluster = Cluster(directory)
        _wait_for(cluster)
        cluster.prepare()
        yield cluster
    finally:
        serving.communicate()


def _wait_for(cluster: Cluster) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return cluster.execute("SELECT 1")
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                said = (cluster.directory / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {said}") from error
            time.sleep(0.02)
