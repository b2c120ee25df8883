"""Where tests cannot have a PostgreSQL server, they say what is missing."""

import pytest

from tests.postgresql import NoServer, owner

NOBODY = "nobody-of-this-name"


def test_root_without_a_user_to_run_the_server_is_a_named_reason() -> None:
    with pytest.raises(NoServer, match=f"as root, and there is no user {NOBODY}"):
        owner(0, NOBODY)


def test_root_runs_the_server_as_somebody_else() -> None:
    assert owner(0, "root") == {"user": "root", "group": 0, "extra_groups": []}


def test_whoever_is_not_root_runs_it_alone() -> None:
    assert owner(1000, NOBODY) == {}
