"""Traffic in the ledger: booked once, whatever counters do, and rolled up without losing a byte."""

import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.ledger import Database
from node_a.adapters.database.tables import accesses, grants, subscriptions, traffic
from node_a.adapters.database.traffic import AN_HOUR
from node_a.application.ports import AccessRecord, Count, Ledger, Urgency
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.grant import GrantId
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, DAY, NOW, YEAR
from tests.databases import a_migrated_database, on_postgresql
from tests.fakes.shop import ShopUnderTest

HOUR = timedelta(hours=1)
ANNAS = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, 1).granted(GrantId(UUID(int=2)), "a", YEAR, NOW).turned(NOW)
VLESS = AccessId(ANNAS.id, NodeCode("de1"), Protocol.VLESS)
SHADOWSOCKS = AccessId(ANNAS.id, NodeCode("de1"), Protocol.SHADOWSOCKS)
ELSEWHERE = AccessId(ANNAS.id, NodeCode("fi1"), Protocol.VLESS)


@pytest.fixture
def database(shop: ShopUnderTest) -> Database:
    shop.database.write(sell)
    return shop.database


def sell(ledger: Ledger) -> None:
    """Anna has keys in three places, and the counters stand at zero."""
    ledger.customers.save(ANNA)
    ledger.subscriptions.save(ANNAS, remind_at=None, expire_at=None)
    ledger.accesses.want([VLESS, SHADOWSOCKS, ELSEWHERE], present=True, due_at=NOW)
    apply_all(ledger)


def apply_all(ledger: Ledger) -> None:
    for claim in ledger.accesses.claim_due(NOW + DAY, NOW + 2 * DAY, 10):
        ledger.accesses.applied(claim, WantedAccess(claim.id, ANNAS.revision, True, NOW + DAY, None, "c"))


def counted(database: Database, at: datetime, counters: Mapping[AccessId, int]) -> Mapping[SubscriptionId, int]:
    counts = [Count(id, counter) for id, counter in counters.items()]
    return database.write(lambda ledger: ledger.traffic.count(counts, at))


def used(database: Database) -> int:
    return database.read(lambda ledger: ledger.traffic.used(ANNAS.id))


def by_hour(database: Database) -> Mapping[datetime, int]:
    return database.read(lambda ledger: ledger.traffic.by_hour(ANNAS.id, NOW - 1000 * DAY))


def record(database: Database, id: AccessId) -> AccessRecord:
    found = database.read(lambda ledger: ledger.accesses.find(id))
    assert found is not None
    return found


def test_the_previous_release_can_erase_although_it_knows_nothing_of_traffic(
    database: Database, engine: Engine
) -> None:
    counted(database, NOW, {VLESS: 5})
    database.write(lambda ledger: ledger.rotations.record(ANNAS.id, 1, NOW))

    with engine.begin() as connection:  # as that release does it
        for statement in (accesses.delete(), grants.delete(), subscriptions.delete()):
            connection.execute(statement)

    assert by_hour(database) == {}
    assert database.read(lambda ledger: ledger.rotations.since(ANNAS.id, NOW - DAY)) == 0


def test_what_all_counters_brought_is_added_up(database: Database) -> None:
    assert counted(database, NOW, {VLESS: 5, SHADOWSOCKS: 7}) == {ANNAS.id: 12}
    assert counted(database, NOW + HOUR, {VLESS: 6, ELSEWHERE: 100}) == {ANNAS.id: 113}

    assert used(database) == 113
    assert by_hour(database) == {NOW: 12, NOW + HOUR: 101}


def test_what_was_read_before_is_not_counted_again(database: Database) -> None:
    counted(database, NOW, {VLESS: 5})

    assert counted(database, NOW + HOUR, {VLESS: 5}) == {}
    assert by_hour(database) == {NOW: 5}


def test_a_counter_named_twice_is_counted_once(database: Database) -> None:
    twice = [Count(VLESS, 5), Count(VLESS, 5)]
    assert database.write(lambda ledger: ledger.traffic.count(twice, NOW)) == {ANNAS.id: 5}


def test_a_counter_below_what_it_was_began_anew(database: Database) -> None:
    counted(database, NOW, {VLESS: 50})

    assert counted(database, NOW, {VLESS: 0}) == {}
    assert counted(database, NOW, {VLESS: 20}) == {ANNAS.id: 70}
    assert counted(database, NOW, {VLESS: 10}) == {ANNAS.id: 80}


def test_what_is_not_in_the_ledger_is_left_out(database: Database) -> None:
    stranger = AccessId(SubscriptionId(UUID(int=9)), NodeCode("de1"), Protocol.VLESS)
    nowhere = AccessId(ANNAS.id, NodeCode("de9"), Protocol.VLESS)

    assert counted(database, NOW, {stranger: 5, nowhere: 7}) == {}
    assert counted(database, NOW, {}) == {}
    assert used(database) == 0


def test_when_a_key_was_last_used_is_remembered_and_only_that(database: Database) -> None:
    counted(database, NOW, {VLESS: 5, SHADOWSOCKS: 0})
    counted(database, NOW + HOUR, {VLESS: 5, SHADOWSOCKS: 0})
    counted(database, NOW + HOUR, {VLESS: 0})

    assert record(database, VLESS).used_at == NOW
    assert record(database, SHADOWSOCKS).used_at is None


def test_a_new_period_is_counted_from_what_the_counters_say_then(database: Database) -> None:
    counted(database, NOW, {VLESS: 50, SHADOWSOCKS: 8})
    next_period = ANNAS.turned(NOW + 30 * DAY)
    database.write(lambda ledger: ledger.subscriptions.save(next_period, remind_at=None, expire_at=None))

    assert used(database) == 0
    assert record(database, VLESS).counter_at_start == 50
    assert record(database, VLESS).backstop(1000) == 1050
    assert record(database, SHADOWSOCKS).backstop(1000) == 1008
    assert record(database, ELSEWHERE).backstop(1000) == 1000
    assert record(database, VLESS).backstop(None) is None
    assert counted(database, NOW + 30 * DAY, {VLESS: 51}) == {ANNAS.id: 1}


def test_saving_within_a_period_leaves_the_count_as_it_is(database: Database) -> None:
    counted(database, NOW, {VLESS: 50})
    database.write(lambda ledger: ledger.subscriptions.save(ANNAS.revised(), remind_at=None, expire_at=None))

    assert used(database) == 50
    assert record(database, VLESS).counter_at_start == 0


def test_after_a_counter_began_anew_the_limit_on_the_node_is_put_right(database: Database) -> None:
    counted(database, NOW, {VLESS: 50, SHADOWSOCKS: 50})
    next_period = ANNAS.turned(NOW + 30 * DAY)
    database.write(lambda ledger: ledger.subscriptions.save(next_period, remind_at=None, expire_at=None))

    counted(database, NOW, {VLESS: 3, SHADOWSOCKS: 51})

    assert record(database, VLESS).backstop(1000) == 1000
    assert [record(database, id).settled for id in (VLESS, SHADOWSOCKS)] == [False, True]
    [claim] = database.write(lambda ledger: ledger.accesses.claim_due(NOW, NOW + HOUR, 10))
    assert (claim.id, claim.urgency) == (VLESS, Urgency.UPKEEP)


def test_a_counter_that_began_anew_before_a_period_was_counted_changes_no_limit(database: Database) -> None:
    counted(database, NOW, {VLESS: 50})
    counted(database, NOW, {VLESS: 3})

    assert record(database, VLESS).settled


def test_what_goes_to_the_node_anyway_stays_as_urgent_as_it_is(database: Database) -> None:
    counted(database, NOW, {VLESS: 50})
    next_period = ANNAS.turned(NOW + 30 * DAY)
    database.write(lambda ledger: ledger.subscriptions.save(next_period, remind_at=None, expire_at=None))
    database.write(lambda ledger: ledger.accesses.want([VLESS], present=True, due_at=NOW))

    counted(database, NOW + HOUR, {VLESS: 3})

    [claim] = database.write(lambda ledger: ledger.accesses.claim_due(NOW, NOW + HOUR, 10))
    assert (claim.urgency, claim.due_at) == (Urgency.CUSTOMER, NOW)


def test_a_counter_that_nobody_read_before_tells_nothing_but_where_to_begin(database: Database) -> None:
    """A node had this user before we counted: an upgrade, or a server that comes back into the settings."""
    unread = AccessId(ANNAS.id, NodeCode("nl1"), Protocol.VLESS)
    database.write(lambda ledger: ledger.accesses.want([unread], present=True, due_at=NOW))

    assert counted(database, NOW, {unread: 10**12}) == {}
    assert record(database, unread).backstop(1000) == 10**12 + 1000
    assert counted(database, NOW, {unread: 10**12 + 5}) == {ANNAS.id: 5}


def test_a_key_that_was_removed_and_made_again_counts_from_zero(database: Database) -> None:
    counted(database, NOW, {VLESS: 50})
    database.write(lambda ledger: ledger.accesses.want([VLESS], present=False, due_at=NOW))
    [claim] = database.write(lambda ledger: ledger.accesses.claim_due(NOW, NOW + HOUR, 10))
    # Wanted again before the node has answered, as by a renewal.
    database.write(lambda ledger: ledger.accesses.want([VLESS], present=True, due_at=NOW + HOUR))
    database.write(lambda ledger: ledger.accesses.removed(claim))
    database.write(apply_all)

    assert counted(database, NOW, {VLESS: 60}) == {ANNAS.id: 110}


def test_two_who_count_the_same_at_once_book_it_once(database: Database) -> None:
    counted(database, NOW, {VLESS: 1})
    begin = threading.Barrier(2)

    def count() -> None:
        begin.wait(10)
        counted(database, NOW, {VLESS: 1001})

    for _ in range(5):
        threads = [threading.Thread(target=count) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert used(database) == 1001


def test_hours_become_days_in_batches(database: Database) -> None:
    midnight = NOW.replace(hour=0)
    for hour in range(30):
        counted(database, midnight + hour * HOUR, {VLESS: hour + 1})
    before = midnight + 26 * HOUR

    batches = []
    while done := database.write(lambda ledger: ledger.traffic.roll_up(before, 10)):
        batches.append(done)

    assert batches == [10, 10, 6]
    rest = {midnight + hour * HOUR: 1 for hour in (26, 27, 28, 29)}
    assert by_hour(database) == {midnight: 24, midnight + DAY: 2} | rest


@on_postgresql
def test_who_rolls_up_beside_another_doubles_nothing(database: Database, shop: ShopUnderTest) -> None:
    for hour in range(20):
        counted(database, NOW + hour * HOUR, {VLESS: hour + 1})

    def roll_up() -> None:
        database.write(lambda ledger: ledger.traffic.roll_up(NOW + 30 * DAY, 100))

    other = threading.Thread(target=roll_up)
    with database.open_ledger() as ledger:
        ledger.traffic.roll_up(NOW + 30 * DAY, 100)
        other.start()
        until_somebody_waits(shop.engine)
    other.join(30)
    assert sum(by_hour(database).values()) == 20


def until_somebody_waits(engine: Engine) -> None:
    """For another transaction."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


class KilledHere(Exception):
    """The process ends at this line: nothing is committed."""


def test_killed_in_the_middle_nothing_is_lost_and_nothing_counted_twice(database: Database) -> None:
    def killed(ledger: Ledger) -> None:
        ledger.traffic.count([Count(VLESS, 50)], NOW)
        ledger.traffic.roll_up(NOW + DAY, 1)
        raise KilledHere

    counted(database, NOW, {VLESS: 10})
    with pytest.raises(KilledHere):
        database.write(killed)
    assert by_hour(database) == {NOW: 10}

    assert counted(database, NOW, {VLESS: 50}) == {ANNAS.id: 50}


amounts = st.lists(st.tuples(st.integers(0, 24 * 120), st.integers(1, 10**12)), max_size=30)


@settings(max_examples=30, deadline=None)
@given(amounts, st.integers(0, 24 * 120), st.integers(1, 7))
def test_sums_stay_equal_whatever_is_rolled_up_when(amounts: list[tuple[int, int]], before: int, at_once: int) -> None:
    with TemporaryDirectory() as directory:
        engine = open_engine(f"sqlite:///{a_migrated_database(Path(directory))}")
        database = Database(engine)
        database.write(sell)
        counter = 0
        for hour, amount in amounts:
            counter += amount
            counted(database, NOW + hour * HOUR, {VLESS: counter})

        while database.write(lambda ledger: ledger.traffic.roll_up(NOW + before * HOUR, at_once)):
            assert sum(by_hour(database).values()) == counter

        with engine.connect() as connection:
            left = [row for row in connection.execute(traffic.select()) if row.hours == AN_HOUR]
        engine.dispose()
        assert all(row.starts_at >= NOW + before * HOUR for row in left)
        assert sum(by_hour(database).values()) == counter == used(database)
