"""The ledger: leases, uniqueness, gates."""

import traceback
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from node_a.adapters.database.ledger import Database
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.errors import LedgerUnavailable
from node_a.domain.grant import GrantId
from node_a.domain.message import Message, MessageId
from node_a.domain.node import NodeCode, NodeObservation, Protocol
from node_a.domain.payment import PaymentId, PaymentState
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, DAY, MONTH, NOW, YEAR, a_payment
from tests.databases import on_sqlite
from tests.fakes.shop import ShopUnderTest

LEASED = NOW + timedelta(minutes=3)


def test_what_was_committed_is_read_back_the_same(shop: ShopUnderTest) -> None:
    payment = a_payment(plan=YEAR, state=PaymentState.PENDING, provider_id="p", link="https://x", checks=3)
    subscription = Subscription(SubscriptionId(uuid4()), ANNA.id, 2).granted(GrantId(uuid4()), "a", YEAR, NOW)
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
        ledger.payments.add(payment, NOW)
        ledger.subscriptions.save(subscription, remind_at=None, expire_at=NOW)

    with shop.ledger() as ledger:
        assert ledger.customers.find(ANNA.id) == ANNA
        assert ledger.payments.find(payment.id) == payment
        assert ledger.subscriptions.find(subscription.id) == subscription
        assert ledger.subscriptions.of_customer(ANNA.id) == subscription
        assert ledger.subscriptions.by_grant(subscription.grants[0].id) == subscription
        assert ledger.subscriptions.find(SubscriptionId(uuid4())) is None


def test_what_is_leased_is_not_claimed_twice_until_the_lease_ends(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
        ledger.payments.add(a_payment(), NOW)
        assert len(ledger.payments.claim_due(NOW, LEASED, 10)) == 1
        assert ledger.payments.claim_due(NOW, LEASED, 10) == []

    with shop.database.open_ledger() as ledger:
        assert len(ledger.payments.claim_due(LEASED, LEASED + DAY, 10)) == 1


def test_whoever_lost_the_lease_changes_nothing_any_more(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
        ledger.payments.add(a_payment(), NOW)
        [slow] = ledger.payments.claim_due(NOW, LEASED, 10)
        [fresh] = ledger.payments.claim_due(LEASED, LEASED + DAY, 10)
        ledger.payments.reschedule(slow, None)
        assert ledger.payments.claim_due(LEASED, LEASED + DAY, 10) == []
        ledger.payments.reschedule(fresh, LEASED + DAY)

    with shop.database.open_ledger() as ledger:
        assert len(ledger.payments.claim_due(LEASED + DAY, LEASED + 2 * DAY, 10)) == 1


def test_a_claim_takes_no_more_than_asked_and_the_oldest_first(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
        for number in range(5):
            ledger.payments.add(a_payment(id=PaymentId(UUID(int=number))), NOW - number * DAY)
        claims = ledger.payments.claim_due(NOW, LEASED, 2)

    assert [claim.payment.id.int for claim in claims] == [4, 3]


def test_the_same_reason_cannot_be_granted_by_two_subscriptions(shop: ShopUnderTest) -> None:
    other = Customer(CustomerId(2), Language.RUSSIAN)
    with shop.database.open_ledger() as ledger:
        for customer in (ANNA, other):
            ledger.customers.save(customer)
        first = Subscription(SubscriptionId(uuid4()), ANNA.id, 1).granted(GrantId(uuid4()), "same", MONTH, NOW)
        ledger.subscriptions.save(first, remind_at=None, expire_at=None)
    second = Subscription(SubscriptionId(uuid4()), other.id, 1).granted(GrantId(uuid4()), "same", MONTH, NOW)

    with pytest.raises(IntegrityError), shop.database.open_ledger() as ledger:
        ledger.subscriptions.save(second, remind_at=None, expire_at=None)


def a_message(number: int, customer: Customer = ANNA, **changes: timedelta) -> Message:
    payment = a_payment(id=PaymentId(UUID(int=number)), customer_id=customer.id)
    return Message.payment_declined(MessageId(UUID(int=number)), payment, NOW + changes.get("due", timedelta(0)))


def test_a_message_with_a_known_key_is_not_queued_again(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
        assert ledger.messages.queue(a_message(1))
        assert not ledger.messages.queue(a_message(1))


def test_one_customer_gets_one_message_at_a_time_and_keys_go_first(shop: ShopUnderTest) -> None:
    keys = Message.keys_ready(MessageId(UUID(int=9)), ANNA.id, GrantId(UUID(int=9)), NOW)
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
        for message in (a_message(1), keys, a_message(2)):
            ledger.messages.queue(message)
        [claim] = ledger.messages.claim_due(NOW, LEASED, 10)

    assert claim.message == keys


def test_nobody_writes_to_who_cannot_be_reached(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA.lost())
        ledger.messages.queue(a_message(1))

        assert ledger.messages.claim_due(NOW, LEASED, 10) == []


def test_a_hastened_message_goes_earlier_and_never_later(shop: ShopUnderTest) -> None:
    message = a_message(1, due=DAY)
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ANNA)
        ledger.messages.queue(message)
        ledger.messages.hasten(message.unique_key, NOW + 2 * DAY)
        assert ledger.messages.claim_due(NOW, LEASED, 10) == []
        ledger.messages.hasten(message.unique_key, NOW)
        assert len(ledger.messages.claim_due(NOW, LEASED, 10)) == 1


def test_a_gate_counts_one_failure_however_many_attempts_were_under_way(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.nodes.observed({NodeCode("de1"): NodeObservation(NOW, True, False, cpu_percent=7.5, problem="agent")})
        for _ in range(5):
            ledger.nodes.gate_closed(NodeCode("de1"), Protocol.VLESS, NOW, 0.5)

    with shop.ledger() as ledger:
        [record] = ledger.nodes.all()
    assert record.gates == {Protocol.VLESS: NOW + timedelta(seconds=2)}
    assert record.observation == NodeObservation(NOW, True, False, cpu_percent=7.5, problem="agent")


def test_a_gate_stays_closed_longer_each_time_and_at_most_a_minute(shop: ShopUnderTest) -> None:
    now, pauses = NOW, []
    with shop.database.open_ledger() as ledger:
        ledger.nodes.observed({NodeCode("de1"): NodeObservation(NOW, False, False)})
        for _ in range(7):
            ledger.nodes.gate_closed(NodeCode("de1"), Protocol.VLESS, now, 0.5)
            closed_until = ledger.nodes.all()[0].gates[Protocol.VLESS]
            pauses.append((closed_until - now).total_seconds())
            now = closed_until

    assert pauses == [2, 4, 8, 16, 32, 60, 60]


def test_an_error_of_the_database_names_no_buyer(shop: ShopUnderTest) -> None:
    shop.registers()
    payment = a_payment(receipt_to="anna@example.org", request='{"email": "anna@example.org"}')

    shop.database.write(lambda ledger: ledger.payments.add(payment, NOW))

    with pytest.raises(IntegrityError) as raised:
        shop.database.write(lambda ledger: ledger.payments.add(payment, NOW))

    assert "anna@example.org" not in "".join(traceback.format_exception(raised.value))


@on_sqlite
def test_writers_of_one_process_wait_for_one_another_and_not_for_sqlite(shop: ShopUnderTest) -> None:
    """Its own waiting looks again after pauses, and a purchase beside much upkeep took seconds."""
    database = Database(shop.engine, longest_wait=0.05)
    with database.open_ledger(), pytest.raises(LedgerUnavailable, match="of this process"), database.open_ledger():
        pass

    with database.open_ledger() as ledger:  # and the next one may
        ledger.customers.add(ANNA)
