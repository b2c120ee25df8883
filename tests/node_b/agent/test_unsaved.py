"""While database or file take nothing: nothing that was counted is forgotten, and nobody who has ended is let in."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from node_b.agent.keeper import NotDurable
from tests.node_b.agent.agents import keys_of
from tests.node_b.agent.customers import customers_of
from tests.node_b.agent.keepers import Kept, a_keeper, nothing_can_be_saved, rounds
from tests.programs import program
from tests.waiting import until

MEGABYTE = 1_000_000
# What the node's README promises.
PROMISED = 2.0


def _used(kept: Kept) -> dict[str, int]:
    """In megabytes, without the few bytes that asked for them."""
    return {user.name: user.used_traffic // MEGABYTE for user in kept.users.page("", 10, 0).users}


def _kill(kept: Kept) -> None:
    os.kill(kept.pid(), signal.SIGKILL)


def _let_it_be_night(kept: Kept) -> None:
    kept.clock.set("29 04:00:01")


@pytest.mark.parametrize("end", [_kill, _let_it_be_night], ids=["a death", "the hand-over"])
def test_what_an_xray_has_carried_outlives_it_although_it_cannot_be_saved(
    tmp_path: Path, end: Callable[[Kept], None]
) -> None:
    with a_keeper(tmp_path) as kept, customers_of(kept.port, keys_of("q_one", "q_two"), tmp_path) as customers:
        kept.put("q_one", traffic_limit=2 * MEGABYTE)
        kept.put("q_two", traffic_limit=MEGABYTE)
        kept.put("q_three")
        kept.put("q_gone")
        kept.keeper.delete("q_gone", 2)  # without a dummy there is no hand-over
        with nothing_can_be_saved(tmp_path):
            assert customers.get("q_one", 3 * MEGABYTE)
            until(lambda: "q_one" not in kept.in_xray())
            before = kept.pid()
            end(kept)
            until(lambda: kept.pid() not in (0, before) and len([*kept.supervisor.all()]) == 1)
            assert customers.get("q_two", MEGABYTE)
            until(lambda: "q_two" not in kept.in_xray())
            assert kept.in_xray() == keys_of("q_three")
            assert _used(kept) == {"q_one": 0, "q_two": 0, "q_three": 0}

        until(lambda: _used(kept) == {"q_one": 3, "q_two": 1, "q_three": 0})
        assert kept.in_xray() == keys_of("q_three")


def test_an_end_does_not_wait_for_the_database(tmp_path: Path) -> None:
    with a_keeper(tmp_path) as kept, customers_of(kept.port, keys_of("q_two"), tmp_path) as customers:
        end = int(kept.clock()) + 2
        kept.put("q_one", expires_at=end)
        kept.put("q_two")
        with nothing_can_be_saved(tmp_path):
            assert customers.get("q_two", 1)  # there is traffic to be saved
            until(lambda: kept.in_xray() == keys_of("q_two"))
            assert kept.clock() < end + PROMISED


@pytest.mark.parametrize(
    "test", ["exec sleep 20", "echo 'Failed to start: in a bad mood'; exit 23"], ids=["hangs", "refuses"]
)
def test_an_end_does_not_wait_for_the_test_of_the_file(tmp_path: Path, test: str) -> None:
    xray, bad, tests = tmp_path / "xray", tmp_path / "bad", tmp_path / "tests"
    behaviour = f'[ "$2" = -test ] && [ -e {bad} ] && {{ echo x >> {tests}; {test}; }}'
    xray.write_text(f'#!/bin/sh\n{behaviour}\nexec {program("xray")} "$@"\n')
    xray.chmod(0o755)
    with a_keeper(tmp_path, xray=xray) as kept:
        end = int(kept.clock()) + 2
        kept.put("q_one", expires_at=end)
        kept.put("q_two")
        bad.touch()

        until(lambda: kept.in_xray() == keys_of("q_two"))
        assert kept.clock() < end + PROMISED
        until(tests.exists)
        rounds(kept, 5)
        assert tests.read_text() == "x\n"  # nobody waits for it: it is not tried again at once
        until(lambda: kept.keeper.snapshot.unsaved)
        assert kept.keeper.snapshot.enabled == 1

        bad.unlink()
        kept.put("q_three")
        assert kept.in_xray() == kept.in_file() == keys_of("q_two", "q_three")
        until(lambda: not kept.keeper.snapshot.unsaved)


def test_a_change_that_the_database_does_not_take_leaves_nothing_behind(tmp_path: Path) -> None:
    """Nobody whom the database does not know, and no file, which on a full disk would keep the room that is missing."""
    with a_keeper(tmp_path) as kept:
        kept.put("q_one")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Xray's file is smaller; the database's journal cannot grow any more.
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "users.db-wal").stat().st_size, before[1]))
        try:
            with pytest.raises(NotDurable):
                kept.put("q_two")
            assert not (tmp_path / "new-xray.json").exists()
            rounds(kept, 2)
            assert kept.in_xray() == kept.in_file() == keys_of("q_one")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        kept.put("q_two")
        assert kept.in_xray() == kept.in_file() == keys_of("q_one", "q_two")
