"""The databases that tests run on, and the marks that say which; a directory's conftest says what is usual there."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.migration import migrate

# The kind, and whether it has this release's tables → its URL.
NewDatabase = Callable[[str, bool], str]

KINDS: Final = ("sqlite", "postgresql")

on_both: Final = pytest.mark.parametrize("database_url", KINDS, indirect=True)
on_sqlite: Final = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql: Final = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def a_migrated_database(directory: Path) -> Path:
    """SQLite's file, with the tables of this release, empty."""
    return Path(shutil.copy(_template(), directory / "shop.db"))


@functools.cache
def _template() -> Path:
    """Made once per test process: migrating takes longer than most tests."""
    file = Path(tempfile.mkdtemp(prefix="qentvpn-")) / "template.db"
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    atexit.register(shutil.rmtree, file.parent, ignore_errors=True)
    return file
