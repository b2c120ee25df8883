"""What every test may rely on."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:  # most tests need no database, and should not wait for its libraries
    from tests.databases import NewDatabase
    from tests.postgresql import Cluster

# No time limits: a slow machine is no bug. In CI the same examples each time, so that red means a change made it red.
hypothesis.settings.register_profile(
    "shop",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("NO_SKIPS")),
)
hypothesis.settings.load_profile("shop")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """A missing tool is a named skip for a user and a failure in CI (NO_SKIPS=1)."""
    report = yield
    if report.skipped and os.environ.get("NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and NO_SKIPS is set: {report.longrepr}"
    return report


_PROOFS = Path(__file__).with_name("proofs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long, and what needs a PostgreSQL server, is for `make proofs`."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        on_postgresql = parameters is not None and "postgresql" in parameters.params.values()
        if on_postgresql or item.path.is_relative_to(_PROOFS):
            item.add_marker(pytest.mark.proof)


@pytest.fixture(scope="session")
def postgresql() -> "Iterator[Cluster]":
    from tests.postgresql import NoServer, running_cluster

    with ExitStack() as running:
        try:
            cluster = running.enter_context(running_cluster())
        except NoServer as missing:
            pytest.skip(str(missing))
        yield cluster


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[NewDatabase]":
    """Makes databases that are gone after the test."""
    from tests.databases import a_migrated_database

    with ExitStack() as databases:

        def make(kind: str, migrated: bool) -> str:
            if kind == "sqlite":
                return f"sqlite:///{a_migrated_database(tmp_path) if migrated else tmp_path / 'shop.db'}"
            cluster: Cluster = request.getfixturevalue("postgresql")
            return databases.enter_context(cluster.database(migrated=migrated))

        yield make


@pytest.fixture
def database_url(request: pytest.FixtureRequest, new_database: "NewDatabase") -> str:
    """A migrated database; SQLite, unless a mark says otherwise (`tests.databases`)."""
    return new_database(getattr(request, "param", "sqlite"), True)
