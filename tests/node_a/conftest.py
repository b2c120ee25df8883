"""A shop for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.shop import ShopUnderTest


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(tmp_path)
    yield shop
    shop.close()
