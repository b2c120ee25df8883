"""A shop for every test that asks for one, and a database for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import a_migrated_database
from tests.fakes.shop import ShopUnderTest
from tests.postgresql import Cluster, running_cluster, server_binaries

# The kind, and whether it has this release's tables → its URL.
NewDatabase = Callable[[str, bool], str]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: no initdb")
    with running_cluster(binaries) as cluster:
        yield cluster


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """Makes databases that are gone after the test."""
    with ExitStack() as databases:

        def make(kind: str, migrated: bool) -> str:
            if kind == "sqlite":
                return f"sqlite:///{a_migrated_database(tmp_path) if migrated else tmp_path / 'shop.db'}"
            cluster: Cluster = request.getfixturevalue("postgresql")
            return databases.enter_context(cluster.database(migrated=migrated))

        yield make


@pytest.fixture
def database_url(request: pytest.FixtureRequest, new_database: NewDatabase) -> str:
    """A migrated database; SQLite, unless a mark says otherwise (`tests.databases`)."""
    return new_database(getattr(request, "param", "sqlite"), True)


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(database_url)
    yield shop
    shop.close()
