"""The child of all cases, and databases to take them through."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.tables import metadata
from tests.databases import a_migrated_database
from tests.postgresql import Cluster
from tests.proofs.crash.proof import NewDatabase, Proof
from tests.proofs.crash.stage import Child, running_child

# The kind of database → a proof on it.
ProofOn = Callable[..., Proof]


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with running_child(tmp_path_factory.mktemp("child") / "log") as child:
        yield child


@pytest.fixture
def proof_on(child: Child, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ProofOn]:
    def made(kind: str, *, by_worker: bool = False) -> Proof:
        return Proof(child, tmp_path, new_database(kind), by_worker)

    def new_database(kind: str) -> NewDatabase:
        if kind == "sqlite":
            return partial(_sqlite, tmp_path)
        cluster: Cluster = request.getfixturevalue("postgresql")
        return partial(_emptied, kept.enter_context(cluster.database(migrated=True)))

    with ExitStack() as kept:
        yield made


@contextmanager
def _sqlite(parent: Path) -> Iterator[str]:
    with TemporaryDirectory(dir=parent) as directory:
        yield f"sqlite:///{a_migrated_database(Path(directory))}"


@contextmanager
def _emptied(url: str) -> Iterator[str]:
    """Always the same database: emptying one is faster than making one."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    engine.dispose()
    yield url
