"""Every proof has a network of its own, and a page there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node_b.agent_proofs.own_network import a_network_of_its_own
from tests.node_b.agent_proofs.page import Page, a_page

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.proof)


@pytest.fixture
def network() -> Iterator[None]:
    with a_network_of_its_own():
        yield


@pytest.fixture
def page(network: None) -> Iterator[Page]:
    with a_page() as page:
        yield page
