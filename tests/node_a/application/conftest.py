"""What a customer is promised holds on both databases."""

import pytest

from tests.databases import KINDS, NewDatabase


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, new_database: NewDatabase) -> str:
    return new_database(request.param, True)
