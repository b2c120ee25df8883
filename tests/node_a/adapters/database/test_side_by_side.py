"""Several transactions at the same moment, as several processes have them: each piece of work is taken once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, event

from node_a.adapters.database.ledger import Database
from node_a.application.ports import Ledger
from node_a.domain.access import AccessId
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.grant import GrantId
from node_a.domain.message import Message, MessageId
from node_a.domain.node import NodeCode, NodeObservation, Protocol
from node_a.domain.payment import PaymentId
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, DAY, MONTH, NOW, a_payment
from tests.databases import on_postgresql

pytestmark = on_postgresql

LEASED = NOW + timedelta(minutes=3)
DE, FI = NodeCode("de1"), NodeCode("fi1")


@pytest.fixture
def database(engine: Engine) -> Database:
    """With five customers, each with a payment, a message and an access on each of two nodes, all due."""
    database = Database(engine)
    database.write(stock)
    return database


def stock(ledger: Ledger) -> None:
    for number in range(1, 6):
        stock_one(ledger, number)


def stock_one(ledger: Ledger, number: int) -> None:
    customer = Customer(CustomerId(number), Language.RUSSIAN)
    subscription = Subscription(SubscriptionId(UUID(int=number)), customer.id, 1)
    granted = subscription.granted(GrantId(UUID(int=number)), f"a{number}", MONTH, NOW)
    payment = a_payment(id=PaymentId(UUID(int=number)), customer_id=customer.id)
    ledger.customers.save(customer)
    ledger.payments.add(payment, NOW)
    ledger.messages.queue(Message.payment_declined(MessageId(UUID(int=number)), payment, NOW))
    ledger.subscriptions.save(granted, remind_at=None, expire_at=None)
    ledger.accesses.want([AccessId(granted.id, node, Protocol.VLESS) for node in (DE, FI)], present=True, due_at=NOW)


@contextmanager
def two(database: Database) -> Iterator[tuple[Ledger, Ledger]]:
    """Two transactions, both open."""
    with database.open_ledger() as one, database.open_ledger() as other:
        yield one, other


def claimed_payments(ledger: Ledger, limit: int) -> set[object]:
    return {claim.payment.id for claim in ledger.payments.claim_due(NOW, LEASED, limit)}


def claimed_messages(ledger: Ledger, limit: int) -> set[object]:
    return {claim.message.id for claim in ledger.messages.claim_due(NOW, LEASED, limit)}


def claimed_accesses(ledger: Ledger, limit: int) -> set[AccessId]:
    return {claim.id for claim in ledger.accesses.claim_due(NOW, LEASED, limit)}


@pytest.mark.parametrize(
    ("claim", "due"),
    [(claimed_payments, 5), (claimed_messages, 5), (claimed_accesses, 10)],
)
def test_two_who_claim_at_once_share_the_work_and_neither_waits(
    database: Database, claim: Callable[[Ledger, int], set[object]], due: int
) -> None:
    with two(database) as (one, other):
        first, second = claim(one, 3), claim(other, 100)

    assert (len(first), len(second)) == (3, due - 3)
    assert not first & second
    with database.open_ledger() as later:
        assert claim(later, 100) == set()


@pytest.mark.parametrize("claim", [claimed_payments, claimed_messages, claimed_accesses])
def test_whoever_claims_locks_only_what_is_claimed(database: Database, claim: Callable[[Ledger, int], object]) -> None:
    """Else the web would wait for the worker, and both for each other in the end."""
    with two(database) as (one, other):
        claim(one, 100)

        customer = other.customers.locked(CustomerId(1))
        other.customers.save(customer.lost())
        other.subscriptions.revise(SubscriptionId(UUID(int=1)), 99)


def test_a_message_can_be_queued_for_a_customer_who_is_locked(database: Database) -> None:
    """A node's answer is recorded without the lock; waiting for a renewal there, it would hold what that needs."""
    with two(database) as (one, other):
        one.customers.locked(CustomerId(1))

        assert other.messages.queue(
            Message.keys_ready(MessageId(UUID(int=99)), CustomerId(1), GrantId(UUID(int=1)), NOW)
        )


def test_two_payments_of_one_customer_do_not_meet(database: Database, engine: Engine) -> None:
    """Each would add its days to the same end, and one month would be lost."""
    with database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
    grants = iter(range(100, 200))

    def grant(ledger: Ledger) -> None:
        ledger.customers.locked(ANNA.id)
        number = next(grants)
        before = ledger.subscriptions.of_customer(ANNA.id) or Subscription(SubscriptionId(UUID(int=99)), ANNA.id, 1)
        after = before.granted(GrantId(UUID(int=number)), f"payment:{number}", MONTH, NOW)
        ledger.subscriptions.save(after, remind_at=None, expire_at=None)

    with database.open_ledger() as first:
        grant(first)
        second = threading.Thread(target=lambda: database.write(grant))
        start_and_wait_for_it_to_wait(engine, second)
    second.join(20)

    with database.read_ledger() as ledger:
        subscription = ledger.subscriptions.of_customer(ANNA.id)
    assert subscription is not None
    assert subscription.ends_at == NOW + 60 * DAY


def start_and_wait_for_it_to_wait(engine: Engine, thread: threading.Thread) -> None:
    """Until it waits for a lock in the database."""
    url = engine.url.set(drivername="postgresql").render_as_string()
    question = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    thread.start()
    with closing(psycopg.connect(url, autocommit=True)) as watching:
        while watching.execute(question).fetchone() != (1,):
            thread.join(0.01)
            assert thread.is_alive(), "it did not wait"


def fail(ledger: Ledger, node: NodeCode) -> None:
    ledger.nodes.gate_closed(node, Protocol.VLESS, NOW - timedelta(minutes=1), 0.5)


def test_a_gate_that_has_just_opened_is_tried_once_however_many_ask_at_once(database: Database) -> None:
    database.write(lambda ledger: fail(ledger, DE))

    with two(database) as (one, other):
        first, second = claimed_accesses(one, 1), claimed_accesses(other, 100)
    with database.open_ledger() as ledger:
        later = claimed_accesses(ledger, 100)

    assert [access.node for access in [*first, *second, *later]].count(DE) == 1
    assert len(first | second | later) == 1 + 5, "and the other node's work goes on"


def test_a_gate_is_tried_once_although_the_other_began_to_look_before_it_was_taken(
    database: Database, engine: Engine
) -> None:
    """What the other leased must be seen after its lock on the gate is gone."""
    database.write(lambda ledger: fail(ledger, DE))
    first: list[AccessId] = []
    faster = iter([True])

    def somebody_else_is_faster(*parts: object) -> None:
        asked = str(parts[2])
        if "FROM gates" in asked and "FOR UPDATE" in asked and next(faster, False):
            first.extend(database.write(lambda ledger: claimed_accesses(ledger, 1)))

    with database.open_ledger() as other:
        assert claimed_payments(other, 1), "its transaction has begun"
        event.listen(engine, "before_cursor_execute", somebody_else_is_faster)
        second = claimed_accesses(other, 100)

    assert {access.node for access in first} == {DE}
    assert {access.node for access in second} == {FI}


def test_failures_at_the_same_moment_are_one_failure(database: Database, engine: Engine) -> None:
    database.write(lambda ledger: ledger.nodes.observed({DE: NodeObservation(NOW, True, True)}))
    database.write(lambda ledger: fail(ledger, DE))

    def fail_again(ledger: Ledger, chance: float) -> None:
        ledger.nodes.gate_closed(DE, Protocol.VLESS, NOW, chance)

    with database.open_ledger() as one:
        fail_again(one, 0.0)
        other = threading.Thread(target=lambda: database.write(lambda ledger: fail_again(ledger, 1.0)))
        start_and_wait_for_it_to_wait(engine, other)
    other.join(20)

    with database.read_ledger() as ledger:
        [record] = ledger.nodes.all()
    assert record.gates == {Protocol.VLESS: NOW + timedelta(seconds=3)}, (
        "the second failure, as the first to come saw it"
    )
