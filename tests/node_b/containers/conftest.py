"""One engine with one deployed node for all of these tests, which leave it as they would like to find it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node_b.containers.engine import Engine, an_engine
from tests.node_b.containers.images import make_images
from tests.node_b.containers.node import Node


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.proof)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory = tmp_path_factory.mktemp("engine")
    with an_engine(directory) as running:
        make_images(running, directory / "contexts")
        yield running


@pytest.fixture(scope="session")
def node(engine: Engine) -> Iterator[Node]:
    with Node.machine(engine) as machine:
        machine.deploy_first()
        yield machine
