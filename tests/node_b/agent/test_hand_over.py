"""Once a night a fresh Xray takes over: nobody is refused meanwhile, and what was left over is gone."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.node_b.agent.agents import a_state, keys_of, seconds_until
from tests.node_b.agent.customers import brings, customers_of
from tests.node_b.agent.keepers import NOON, Kept, a_keeper, rounds
from tests.programs import program
from tests.waiting import until

DAY = 86_400


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with a_keeper(tmp_path) as kept:
        yield kept


def test_a_fresh_xray_has_no_dummies_and_the_same_users(kept: Kept) -> None:
    for name in ("q_one", "q_two"):
        kept.put(name)
    kept.keeper.delete("q_one", 2)
    before = kept.pid()

    kept.clock.set("29 04:00:01")
    until(lambda: kept.pid() != before)

    until(lambda: kept.keeper.snapshot.dummies == 0)
    assert kept.in_xray() == kept.in_file() == keys_of("q_two")
    kept.put("q_three")
    assert kept.in_xray() == kept.in_file() == keys_of("q_two", "q_three")


def test_if_nobody_was_removed_nobody_is_cut_off(kept: Kept) -> None:
    kept.put("q_one")
    before = kept.pid()

    kept.clock.set("29 04:00:01")
    rounds(kept, 3)
    assert kept.pid() == before

    kept.keeper.delete("q_one", 2)
    rounds(kept, 3)
    assert kept.pid() == before  # tomorrow

    kept.clock.set("30 04:00:01")
    until(lambda: kept.pid() != before)


def test_during_a_hand_over_every_new_connection_works_and_left_over_ones_end(kept: Kept, tmp_path: Path) -> None:
    kept.put("q_one")
    kept.put("q_gone")
    failures: list[int] = []
    visits: list[int] = []
    stop = threading.Event()
    with customers_of(kept.port, keys_of("q_one", "q_gone"), tmp_path) as customers:

        def visit() -> None:
            while not stop.is_set():
                (visits if customers.get("q_one", 1_000) else failures).append(kept.pid())

        with closing(customers.connected("q_gone")) as left_over:
            assert brings(left_over, 1)
            kept.keeper.delete("q_gone", 2)
            assert brings(left_over, 1)  # FACTS: open connections live on
            threads = [threading.Thread(target=visit) for _ in range(3)]
            for thread in threads:
                thread.start()
            before = kept.pid()
            kept.clock.set("29 04:00:01")
            until(lambda: kept.pid() != before)
            until(lambda: not [*kept.supervisor.all()][1:])  # the old one has ended
            seen = len(visits)
            until(lambda: len(visits) > seen + 20)
            stop.set()
            for thread in threads:
                thread.join()
            assert not brings(left_over, 1)

        # The kernel resets what the old one had not accepted when it stopped listening, unless tcp_migrate_req is set.
        assert len(failures) <= 2
        assert {before, kept.pid()} == set(visits)
        used = 1_000 * len(visits)
        until(lambda: kept.users.page("", 1, 0).users[0].used_traffic >= used)
        assert kept.users.page("", 1, 0).users[0].used_traffic < used + 10 * len(visits)


def test_who_is_connected_through_the_old_one_counts_until_it_ends(kept: Kept, tmp_path: Path) -> None:
    for name in ("q_one", "q_two", "q_gone"):
        kept.put(name)
    kept.keeper.delete("q_gone", 2)
    with (
        customers_of(kept.port, keys_of("q_one", "q_two"), tmp_path) as customers,
        closing(customers.connected("q_one")) as through_the_old,
    ):
        assert brings(through_the_old, 1)
        before = kept.pid()
        kept.clock.set("29 04:00:01")
        until(lambda: kept.pid() != before)
        with closing(customers.connected("q_two")) as through_the_new:
            assert brings(through_the_new, 1)
            until(lambda: kept.keeper.snapshot.connected == 2)


def test_a_fresh_xray_that_does_not_come_up_changes_nothing(tmp_path: Path) -> None:
    script = tmp_path / "xray"
    script.write_text(f'#!/bin/sh\n[ -e {tmp_path}/bad ] && [ "$2" != -test ] && exit 2\nexec {program("xray")} "$@"\n')
    script.chmod(0o755)
    with a_keeper(tmp_path, xray=script) as kept:
        kept.put("q_one")
        kept.put("q_two")
        kept.keeper.delete("q_two", 2)
        before = kept.pid()
        (tmp_path / "bad").touch()

        kept.clock.set("29 04:00:01")
        rounds(kept, 3)

        assert kept.pid() == before
        assert kept.in_xray() == kept.in_file() == keys_of("q_one")
        kept.put("q_three")
        assert kept.in_xray() == kept.in_file() == keys_of("q_one", "q_three")


def test_a_clock_that_jumps_ends_nobody_for_good(kept: Kept) -> None:
    soon = int(kept.clock()) + DAY
    for number in range(3):
        kept.put(f"q_{number}", expires_at=soon)
    kept.put("q_later", expires_at=soon + 10 * DAY)
    everybody = keys_of("q_0", "q_1", "q_2", "q_later")
    assert kept.in_xray() == everybody

    kept.clock.jump(2 * DAY)
    until(lambda: kept.in_xray() == kept.in_file() == keys_of("q_later"))
    kept.clock.jump(-3 * DAY)
    until(lambda: kept.in_xray() == kept.in_file() == everybody)
    assert len(kept.users.held) == 4


def test_of_thousands_who_end_at_once_all_are_out_within_two_seconds(tmp_path: Path) -> None:
    """One by one it would take Xray half a minute, and everybody would wait for that: a fresh one takes over."""
    soon = int(NOON) + DAY
    held = {f"q_{number}": a_state(number, expires_at=soon) for number in range(3_000)}
    with a_keeper(tmp_path, held=held) as kept:
        kept.put("q_later", expires_at=soon + DAY)
        before = kept.pid()
        assert len(kept.in_xray()) == 3_001

        kept.clock.jump(DAY)

        assert seconds_until(lambda: kept.in_xray() == kept.in_file() == keys_of("q_later")) < 2
        until(lambda: kept.pid() != before)
