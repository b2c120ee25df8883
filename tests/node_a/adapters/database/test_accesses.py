"""The queues of the keepers: what is taken, by whom, and what becomes of it."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.ledger import Database
from node_a.application.ports import AccessClaim, Activity, Ledger, Queue, Urgency
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.customer import Customer, CustomerId, Language, Standing
from node_a.domain.grant import GrantId
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import DAY, MONTH, NOW
from tests.databases import on_postgresql
from tests.node_a.adapters.database.test_side_by_side import start_and_wait_for_it_to_wait

LEASED = NOW + timedelta(minutes=3)
DE, FI = Keeper(NodeCode("de1"), Protocol.VLESS), Keeper(NodeCode("fi1"), Protocol.VLESS)


@pytest.fixture
def database(engine: Engine) -> Database:
    """With three subscriptions, and no access yet."""
    database = Database(engine)
    database.write(stock)
    return database


def stock(ledger: Ledger) -> None:
    for number in range(1, 4):
        stock_one(ledger, number)


def stock_one(ledger: Ledger, number: int) -> None:
    customer = Customer(CustomerId(number), Language.RUSSIAN)
    subscription = Subscription(SubscriptionId(UUID(int=number)), customer.id, 1)
    granted = subscription.granted(GrantId(UUID(int=number)), f"a{number}", MONTH, NOW)
    ledger.customers.save(customer)
    ledger.subscriptions.save(granted, remind_at=None, expire_at=granted.ends_at)


def access(number: int, keeper: Keeper = DE) -> AccessId:
    return AccessId(SubscriptionId(UUID(int=number)), *keeper)


def wants(database: Database, *ids: AccessId, present: bool = True, urgency: Urgency = Urgency.UPKEEP) -> None:
    database.write(lambda ledger: ledger.accesses.want(ids, present=present, due_at=NOW, urgency=urgency))


def claimed(database: Database, keeper: Keeper = DE, *, later: timedelta = timedelta(0)) -> Sequence[AccessClaim]:
    now = NOW + later
    return database.write(lambda ledger: ledger.accesses.claim_due(now, now + DAY, 100, keeper=keeper))


def sent(id: AccessId, *, present: bool = True) -> WantedAccess:
    return WantedAccess(id, revision=7, present=present, ends_at=NOW + DAY, traffic_limit=None, credential="fake")


def queues(engine: Engine) -> frozenset[Queue]:
    agenda = SqlAgenda(engine)
    found = agenda.queues(NOW)
    assert (Activity.PROVIDE in agenda.due(NOW)) == bool(found)
    agenda.close()
    return found


def test_what_is_wanted_again_at_the_very_moment_of_its_removal_stays(database: Database) -> None:
    wants(database, access(1), present=False)
    [claim] = claimed(database)
    wants(database, access(1), present=True)

    database.write(lambda ledger: ledger.accesses.all_applied([(claim, sent(access(1), present=False))]))

    record = database.read(lambda ledger: ledger.accesses.find(access(1)))
    assert record is not None
    assert (record.present, record.settled, record.applied_revision) == (True, False, 0)
    assert [again.id for again in claimed(database)] == [access(1)]


def test_a_batch_is_recorded_each_as_it_was_wanted(database: Database) -> None:
    wants(database, access(1), access(2))
    wants(database, access(3), present=False)
    claims = claimed(database)

    done = [(claim, sent(claim.id, present=claim.id != access(3))) for claim in claims]
    database.write(lambda ledger: ledger.accesses.all_applied(done))

    records = database.read(lambda ledger: ledger.accesses.find_all([access(1), access(2), access(3)]))
    assert {id: (record.applied_revision, record.settled) for id, record in records.items()} == {
        access(1): (7, True),
        access(2): (7, True),
    }


def test_whoever_was_too_slow_for_the_lease_records_nothing(database: Database) -> None:
    wants(database, access(1), access(2))
    slow = claimed(database)
    fresh = claimed(database, later=2 * DAY)
    assert {claim.id for claim in fresh} == {claim.id for claim in slow}

    database.write(lambda ledger: ledger.accesses.all_applied([(claim, sent(claim.id)) for claim in slow]))
    database.write(lambda ledger: ledger.accesses.released(slow))

    assert claimed(database, later=2 * DAY) == [], "they are still the other one's"
    record = database.read(lambda ledger: ledger.accesses.find(access(1)))
    assert record is not None
    assert record.applied_revision == 0


def test_what_was_not_tried_is_due_as_it_was(database: Database) -> None:
    wants(database, access(1), access(2))
    claims = claimed(database)
    assert claimed(database) == []

    database.write(lambda ledger: ledger.accesses.released(claims[:1]))

    [again] = claimed(database)
    assert (again.id, again.due_at, again.attempts) == (claims[0].id, claims[0].due_at, 0)


def test_each_queue_with_work_is_known_and_no_other(database: Database, engine: Engine) -> None:
    assert queues(engine) == set()

    wants(database, access(1), access(2), urgency=Urgency.UPKEEP)
    wants(database, access(1, FI), urgency=Urgency.CUSTOMER)

    assert queues(engine) == {Queue(DE, Urgency.UPKEEP), Queue(FI, Urgency.CUSTOMER)}
    claimed(database, FI)
    assert queues(engine) == {Queue(DE, Urgency.UPKEEP)}


def test_behind_a_closed_gate_nothing_waits_and_behind_an_open_one_only_until_somebody_tries(
    database: Database, engine: Engine
) -> None:
    wants(database, access(1), access(2))
    database.write(lambda ledger: ledger.nodes.gate_closed(*DE, NOW, 0.5))
    assert queues(engine) == set()
    assert claimed(database) == []

    database.write(lambda ledger: ledger.nodes.gate_opened(*DE))
    database.write(lambda ledger: ledger.nodes.gate_closed(*DE, NOW - timedelta(minutes=1), 0.5))
    assert queues(engine) == {Queue(DE, Urgency.UPKEEP)}
    assert len(claimed(database)) == 1
    assert queues(engine) == set()


def test_what_is_left_of_nodes_that_are_no_more_is_taken_besides_the_others(database: Database) -> None:
    wants(database, access(1), access(2, FI))

    claims = database.write(lambda ledger: ledger.accesses.claim_due(NOW, LEASED, 100, besides=[DE]))

    assert [claim.id for claim in claims] == [access(2, FI)]


def test_upkeep_never_makes_less_urgent_what_a_customer_waits_for(database: Database) -> None:
    wants(database, access(1), urgency=Urgency.CUSTOMER)
    wants(database, access(1), urgency=Urgency.UPKEEP)
    database.write(lambda ledger: ledger.accesses.fill(DE, None, NOW, 100))

    claims = claimed(database)

    assert [(claim.id, claim.urgency) for claim in claims] == [
        (access(1), Urgency.CUSTOMER),
        (access(2), Urgency.UPKEEP),
        (access(3), Urgency.UPKEEP),
    ]


@on_postgresql
def test_somebody_who_is_banned_while_a_page_is_filled_is_not_filled_in(database: Database, engine: Engine) -> None:
    def ban(ledger: Ledger) -> None:
        customer = ledger.customers.locked(CustomerId(2))
        ledger.customers.save(customer.now_in(Standing.BANNED))

    with database.open_ledger() as banning:
        ban(banning)
        filling = threading.Thread(
            target=lambda: database.write(lambda ledger: ledger.accesses.fill(DE, None, NOW, 100))
        )
        start_and_wait_for_it_to_wait(engine, filling)
    filling.join(20)

    assert {claim.id for claim in claimed(database)} == {access(1), access(3)}
