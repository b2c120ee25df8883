"""The ledger keeps its promises on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from node_a.adapters.database.engine import open_engine
from tests.databases import KINDS, NewDatabase


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, new_database: NewDatabase) -> str:
    return new_database(request.param, True)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """This release's tables, empty."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
