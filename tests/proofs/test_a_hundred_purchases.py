"""A hundred purchases in a night of kills and troubles, on each database: nothing lost, nothing doubled."""

import json
from pathlib import Path

import pytest

from sandbox.torture import torture
from tests.databases import KINDS, NewDatabase

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_they_survive(kind: str, tmp_path: Path, new_database: NewDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    url = None if kind == "sqlite" else new_database(kind, False)

    ended_with = torture(tmp_path / "night", 100, 1, url)

    said = capsys.readouterr()
    told = json.loads(said.out.splitlines()[-1])
    assert (told["purchases"], told["lost"], told["doubled"], ended_with) == (100, 0, 0, 0), said.err
    assert told["kills"] >= 10, "a night without kills proves nothing"
