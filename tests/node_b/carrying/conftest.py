"""One world for all modules of this folder that a worker runs: it takes seconds to start."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.node_b.carrying.apps import App, Config, running_app
from tests.node_b.carrying.people import Person, a_person
from tests.node_b.world.world import World, a_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(tmp_path_factory.mktemp("world")) as world:
        yield world


NewPerson = Callable[[], Person]
StartApp = Callable[[Config], App]


@pytest.fixture(scope="module")
def new_person(world: World) -> Iterator[NewPerson]:
    with ExitStack() as people:
        yield lambda: people.enter_context(a_person(world))


@pytest.fixture(scope="module")
def anna(new_person: NewPerson) -> Person:
    """Has bought a month."""
    anna = new_person()
    anna.buys()
    return anna


@pytest.fixture
def start_app(world: World, tmp_path: Path) -> Iterator[StartApp]:
    """On a customer's phone, until the test is over."""
    with ExitStack() as apps:
        yield lambda config: apps.enter_context(running_app(world.customers, config, tmp_path))
