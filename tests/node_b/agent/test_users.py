"""The users' file: what is committed is there, what is not leaves no trace, and what cannot be read says what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from node_b.agent.users import KeyInUse, Overtaken, Users
from shared.environment import ConfigurationProblems
from tests.node_b.agent.agents import FUTURE, a_key, a_state

NOW = 1_800_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.db"


@pytest.fixture
def users(file: Path) -> Iterator[Users]:
    with closing(Users(file)) as users:
        yield users


def _names(users: Users) -> list[str]:
    return [user.name for user in users.page("", 1000, NOW).users]


def test_what_was_committed_is_there_for_the_next_agent(users: Users, file: Path) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state(traffic_limit=5, revision=7))
        changes.add_traffic("q_one", 3)
        changes.delete("q_gone", 9)

    with closing(Users(file)) as next_agent:
        assert next_agent.held == users.held
        assert next_agent.held["q_one"].used_traffic == 3
        with pytest.raises(Overtaken), next_agent.transaction() as changes:
            changes.put("q_gone", a_state("q_gone", revision=8))


def test_what_fails_half_way_leaves_everything_as_it_was(users: Users, file: Path) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state())

    with pytest.raises(RuntimeError), users.transaction() as changes:  # noqa: PT012 (the block is the transaction)
        changes.put("q_two", a_state("q_two"))
        changes.delete("q_one", 2)
        raise RuntimeError

    assert list(users.held) == _names(users) == ["q_one"]
    with users.transaction() as changes:  # neither key nor revision is remembered
        changes.put("q_one", a_state(revision=1))
        changes.put("q_three", a_state("q_two"))


def test_pages_show_only_what_is_committed(users: Users) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state())
        assert _names(users) == []
    assert _names(users) == ["q_one"]


def test_two_users_never_have_one_key(users: Users) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state())
        with pytest.raises(KeyInUse):
            changes.put("q_two", a_state("q_one"))
    with users.transaction() as changes, pytest.raises(KeyInUse):
        changes.put("q_two", a_state("q_one"))

    assert _names(users) == ["q_one"]


def test_a_key_that_was_given_up_is_free(users: Users) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state("first"))
    with users.transaction() as changes:
        changes.put("q_one", a_state("second", revision=2))
        changes.put("q_two", a_state("first"))
    with users.transaction() as changes:
        changes.delete("q_two", 2)
        changes.put("q_three", a_state("first"))

    keys = {name: user.key for name, user in users.held.items()}
    assert keys == {"q_one": a_key("second"), "q_three": a_key("first")}


def test_traffic_of_somebody_who_is_gone_is_nobodys(users: Users) -> None:
    with users.transaction() as changes:
        changes.add_traffic("q_gone", 1_000)
        changes.put("q_gone", a_state())

    assert users.held["q_gone"].used_traffic == 0


def test_what_was_counted_holds_for_the_limit_at_once_and_is_booked_once_with_the_next_commit(users: Users) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state(traffic_limit=10))
    users.count("q_one", 6)
    users.count("q_one", 4)
    users.count("stranger", 4)
    assert users.enabled(NOW) == {}

    with pytest.raises(RuntimeError), users.transaction():
        raise RuntimeError
    assert users.enabled(NOW) == {}
    assert users.page("", 1, NOW).users[0].used_traffic == 0

    for _ in range(2):
        with users.transaction() as changes:
            assert changes.enabled(NOW) == {}
        assert users.pending == {}
        assert users.page("", 10, NOW).users[0].used_traffic == 10


def test_who_is_removed_takes_along_what_was_counted(users: Users) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state())
    users.count("q_one", 10)
    with users.transaction() as changes:
        changes.delete("q_one", 2)
        changes.put("q_one", a_state(revision=3))

    assert users.held["q_one"].used_traffic == 0


@pytest.mark.parametrize(
    ("state", "used", "may_connect"),
    [
        (a_state(expires_at=int(NOW)), 0, False),
        (a_state(expires_at=int(NOW) + 1), 0, True),
        (a_state(traffic_limit=10), 9, True),
        (a_state(traffic_limit=10), 10, False),
        (a_state(traffic_limit=0), 1 << 60, True),
    ],
    ids=["ended", "about to end", "below the limit", "at the limit", "unlimited"],
)
def test_who_may_connect(users: Users, state: object, used: int, may_connect: bool) -> None:
    with users.transaction() as changes:
        changes.put("q_one", state)  # type: ignore[arg-type]
        changes.add_traffic("q_one", used)
        before = changes.enabled(NOW)

    assert before == users.enabled(NOW) == ({"q_one": a_key("q_one")} if may_connect else {})
    assert users.page("", 1, NOW).users[0].enabled is may_connect


def test_the_largest_numbers_of_the_contract_fit(users: Users) -> None:
    with users.transaction() as changes:
        changes.put("q_one", a_state(traffic_limit=2**63 - 1, revision=2**63 - 1, expires_at=FUTURE))

    assert users.page("", 1, NOW).users[0].traffic_limit == 2**63 - 1


def test_the_file_is_its_owners_alone_and_survives_a_power_cut(users: Users, file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    writing = users._writing
    assert writing.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writing.execute("PRAGMA synchronous").fetchone() == (2,)


def _damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[100:2_000] = b"\xff" * 1_900
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["overwritten", "no database at all"])
def test_a_damaged_file_is_refused_with_a_remedy(file: Path, how: str) -> None:
    with closing(Users(file)) as users, users.transaction() as changes:
        changes.put("q_one", a_state())
    if how == "overwritten":
        _damage(file)
    else:
        file.write_bytes(b"no database at all, but long enough to look like something" * 100)

    with pytest.raises(ConfigurationProblems, match=r"damaged .*move it .* away .*Node A puts all users back"):
        Users(file)


def test_a_newer_agents_file_is_not_touched(file: Path) -> None:
    with closing(Users(file)), closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA user_version = 2")

    with pytest.raises(ConfigurationProblems, match="newer agent"):
        Users(file)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationProblems, match=r"cannot be opened .*check the directory's owner"):
        Users(tmp_path / "missing" / "users.db")
