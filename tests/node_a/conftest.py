"""A shop for every test that asks for one."""

from collections.abc import Iterator

import pytest

from tests.fakes.shop import ShopUnderTest


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(database_url)
    yield shop
    shop.close()
