"""Erasure: what goes, what stays, in which order, and what may happen meanwhile."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from node_a.adapters.database.tables import metadata
from node_a.application.ports import AccessClaim, Activity, OperatorAct
from node_a.domain.customer import NOBODY, CustomerId, Language, Standing
from node_a.domain.errors import CustomerBanned, MessengerUnavailable, NodeUnavailable, ProviderUnavailable, Unreachable
from node_a.domain.node import Protocol
from node_a.domain.payment import PaymentState
from tests.builders import ANNA, DAY, MONTH
from tests.databases import on_postgresql
from tests.fakes.operations import Operations
from tests.fakes.shop import LEASE, ShopUnderTest
from tests.node_a.application.waiting import until_somebody_waits

ADDRESS = "anna@example.com"


def rows(shop: ShopUnderTest) -> Iterator[tuple[str, dict[str, Any]]]:
    with shop.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                yield table.name, dict(row)


def where_found(shop: ShopUnderTest, *traces: str) -> set[str]:
    return {name for name, row in rows(shop) if any(trace in str(value) for value in row.values() for trace in traces)}


def count(shop: ShopUnderTest, table: str) -> int:
    return sum(name == table for name, _ in rows(shop))


def standing(shop: ShopUnderTest) -> Standing | None:
    with shop.ledger() as ledger:
        customer = ledger.customers.find(ANNA.id)
    return customer.standing if customer else None


def is_erased(shop: ShopUnderTest) -> None:
    shop.leaves()
    shop.works()
    shop.passes(timedelta(minutes=1))
    shop.works()
    assert standing(shop) is None


def buys_with_a_receipt(shop: ShopUnderTest) -> Any:
    shop.register(ANNA.id, "ru")
    payment = replace(shop.open_payment, receipts=True)(ANNA.id, MONTH.code, ADDRESS)
    shop.provider.pays(payment)
    shop.nudge(payment.id, None)
    shop.works()
    return payment


def test_from_the_request_on_keys_go_nothing_is_bought_and_no_letter_comes(shop: ShopUnderTest) -> None:
    shop.messenger.fails_with = MessengerUnavailable("down")
    shop.buys_and_gets()
    shop.messenger.fails_with = None
    shop.buys()  # paid, and nobody has looked yet
    shop.leaves()

    with pytest.raises(CustomerBanned):
        shop.open_payment(ANNA.id, MONTH.code)
    shop.passes(timedelta(minutes=5))
    assert Activity.DELIVER in shop.agenda.due(shop.now)
    shop.works()

    assert shop.node.holds == {}
    assert ANNA.id not in {customer for customer, _ in shop.messenger.sent}


def test_the_nodes_are_told_with_a_later_revision_and_time_changes_nothing_any_more(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    before = shop.subscription().revision
    shop.leaves()
    assert {Activity.REMIND, Activity.EXPIRE} & shop.agenda.due(shop.now + 60 * DAY) == set()

    shop.provides()

    assert [(told.present, told.revision) for told in shop.node.applied[-2:]] == [(False, before + 1)] * 2


def test_the_customer_goes_when_no_node_holds_anything_and_not_before(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.node.fails_with = {Protocol.VLESS: NodeUnavailable("down")}
    shop.leaves()
    for _ in range(3):
        shop.works()
        assert standing(shop) is Standing.DELETED
        assert Activity.ERASE not in shop.agenda.due(shop.now)
        shop.passes(timedelta(minutes=1))
        assert Activity.ERASE in shop.agenda.due(shop.now)

    shop.node.fails_with = {}
    shop.works()
    shop.passes(timedelta(minutes=1))
    shop.works()

    assert standing(shop) is None
    assert shop.node.holds == {}
    assert Activity.ERASE not in shop.agenda.due(shop.now + DAY)


def test_nothing_tells_any_more_who_it_was_and_the_money_is_still_known(shop: ShopUnderTest) -> None:
    payment = buys_with_a_receipt(shop)
    refund = shop.refunds(payment)
    with shop.database.open_ledger() as ledger:
        ledger.refunds.save(replace(refund, request=f"a receipt to {ADDRESS}"))
        subject = str(ANNA.id)
        said = f"asked by {ANNA.id}"
        ledger.operator_acts.record(OperatorAct(1, CustomerId(42), shop.now, "ban", subject, said, "done"))
        ledger.operator_acts.record(
            OperatorAct(2, CustomerId(42), shop.now, "refund", f"payment:{payment.id}", said, "done")
        )
    shop.works()
    subscription = str(shop.subscription().id)
    traces = (str(ANNA.id), ADDRESS, subscription, shop.subscription().id.hex)
    assert {"customers", "payments", "messages", "grants", "refunds", "operator_acts"} <= where_found(shop, *traces)

    is_erased(shop)

    assert where_found(shop, *traces) == set()
    kept = shop.payment(payment)
    assert (kept.customer_id, kept.plan, kept.received) == (NOBODY, MONTH, MONTH.price)
    assert (kept.request, kept.receipt_to) == ("", None)
    assert (count(shop, "payments"), count(shop, "refunds"), count(shop, "operator_acts")) == (1, 1, 2)
    acts = [row for name, row in rows(shop) if name == "operator_acts"]
    assert {act["subject"] for act in acts} == {"erased", f"payment:{payment.id}"}


def test_another_customers_traces_stay(shop: ShopUnderTest) -> None:
    other = CustomerId(70)  # of whose id Anna's begins
    assert str(ANNA.id).startswith(str(other))
    payment = shop.buys(customer_id=other)
    shop.buys_and_gets()
    with shop.database.open_ledger() as ledger:
        ledger.operator_acts.record(OperatorAct(1, CustomerId(42), shop.now, "ban", "70", "because of 70", "done"))
    is_erased(shop)

    assert shop.payment(payment).customer_id == other
    assert len(shop.node.holds) == 2
    with shop.ledger() as ledger:
        assert ledger.customers.find(other) is not None
        assert ledger.subscriptions.of_customer(other) is not None
        assert [act.reason for act in ledger.operator_acts.about(["70"])] == ["because of 70"]


def test_asking_twice_or_while_it_runs_or_afterwards_changes_nothing(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.leaves()
    first = shop.subscription()
    shop.passes(timedelta(seconds=1))
    shop.leaves()
    assert shop.subscription() == first
    shop.works()
    assert standing(shop) is None

    shop.leaves()

    assert (standing(shop), count(shop, "customers")) == (None, 1)  # NOBODY


def bought(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()


def paid_only(shop: ShopUnderTest) -> None:
    shop.buys()
    shop.settles()


def chose_only(shop: ShopUnderTest) -> None:
    shop.chooses()


def tried(shop: ShopUnderTest) -> None:
    shop.registers()
    shop.take_trial(ANNA.id)


@pytest.mark.parametrize("begins_anew", [bought, paid_only, chose_only, tried])
def test_a_yes_that_comes_again_deletes_nothing_that_came_after_its_question(
    shop: ShopUnderTest, begins_anew: Callable[[ShopUnderTest], None]
) -> None:
    shop.buys_and_gets()
    shop.passes(timedelta(minutes=1))
    asked_at = shop.now
    assert shop.request_erasure(ANNA.id, asked_at)
    shop.works()
    assert standing(shop) is None
    shop.passes(timedelta(minutes=1))
    begins_anew(shop)

    assert not shop.request_erasure(ANNA.id, asked_at)

    assert standing(shop) is Standing.GOOD
    assert shop.request_erasure(ANNA.id, shop.now + timedelta(seconds=1))


def test_days_that_begin_later_and_a_failed_payment_keep_nobody_from_leaving(shop: ShopUnderTest) -> None:
    """Renewed before the question: the second month begins after it."""
    shop.buys_and_gets()
    shop.passes(timedelta(minutes=1))
    shop.buys_and_gets()
    shop.passes(timedelta(minutes=1))
    asked_at = shop.now
    shop.passes(timedelta(minutes=1))
    declined = shop.chooses()
    shop.provider.cancels(declined, "insufficient_funds")
    shop.nudge(declined.id, None)
    shop.works()

    assert shop.request_erasure(ANNA.id, asked_at)

    assert standing(shop) is None or standing(shop) is Standing.DELETED


def test_a_renewal_since_the_question_is_not_deleted_although_its_days_begin_later(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(timedelta(minutes=1))
    asked_at = shop.now
    shop.passes(timedelta(minutes=1))
    shop.buys_and_gets()

    assert not shop.request_erasure(ANNA.id, asked_at)

    assert standing(shop) is Standing.GOOD


def test_a_gift_since_the_question_is_not_deleted_with_a_subscription_that_had_ended(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(31 * DAY)
    asked_at = shop.now
    shop.passes(timedelta(minutes=1))
    operators = Operations(shop)
    operators.grant(operators.says(), ANNA.id, 3)

    assert not shop.request_erasure(ANNA.id, asked_at)


def test_a_start_while_being_erased_stops_nothing_and_afterwards_is_a_new_beginning(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.leaves()

    assert shop.register(ANNA.id, "en").standing is Standing.DELETED
    shop.works()
    shop.passes(timedelta(minutes=1))
    shop.works()
    assert standing(shop) is None

    assert shop.register(ANNA.id, "en").standing is Standing.GOOD
    assert shop.show_subscription(ANNA.id, Language.ENGLISH) is None
    shop.buys_and_gets()
    assert shop.subscription().ends_at == shop.now + 30 * DAY


@on_postgresql
def test_a_start_at_the_very_moment_of_the_erasure_is_a_new_beginning(shop: ShopUnderTest) -> None:
    shop.registers()
    shop.leaves()
    with ThreadPoolExecutor(1) as pool:
        with shop.database.open_ledger() as ledger:
            ledger.customers.locked(ANNA.id)
            ledger.customers.erase(ANNA.id)
            start = pool.submit(shop.register, ANNA.id, "en")
            until_somebody_waits(shop)
        customer = start.result(timeout=30)

    assert customer.standing is Standing.GOOD
    assert standing(shop) is Standing.GOOD


def test_only_who_asked_for_it_is_erased(shop: ShopUnderTest) -> None:
    shop.registers()
    with shop.database.open_ledger() as ledger:
        ledger.customers.erase_next(ANNA.id, shop.now)

    shop.works()

    assert standing(shop) is Standing.GOOD
    assert Activity.ERASE not in shop.agenda.due(shop.now + DAY)


def test_a_payment_that_nobody_has_a_link_for_is_given_up_and_the_provider_is_not_asked_again(
    shop: ShopUnderTest,
) -> None:
    shop.provider.fails_with = ProviderUnavailable("timed out")
    with pytest.raises(ProviderUnavailable):
        shop.chooses()
    shop.provider.fails_with = None

    shop.leaves()
    shop.passes(timedelta(minutes=2))
    assert Activity.SETTLE not in shop.agenda.due(shop.now)
    assert shop.works() == []

    assert shop.provider.payments == {}
    with shop.engine.connect() as connection:
        payments = metadata.tables["payments"]
        assert [*connection.scalars(select(payments.c.state))] == [PaymentState.ABANDONED]
    assert standing(shop) is None


def test_a_payment_opened_at_the_moment_of_the_request_gives_nobody_a_link(shop: ShopUnderTest) -> None:
    shop.registers()
    create = shop.provider.create

    def create_slowly(payment: Any) -> Any:
        outcome = create(payment)
        shop.leaves()
        shop.works()
        return outcome

    shop.provider.create = create_slowly  # type: ignore[method-assign]
    opened = shop.open_payment(ANNA.id, MONTH.code)

    assert opened.state is PaymentState.ABANDONED
    assert opened.link is None
    assert opened.customer_id == NOBODY
    assert Activity.SETTLE not in shop.agenda.due(shop.now + DAY)


def test_a_link_that_is_paid_after_the_erasure_is_not_lost(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    is_erased(shop)
    shop.provider.pays(payment)
    shop.nudge(payment.id, None)
    shop.passes(timedelta(seconds=3))

    assert shop.settles() == []

    assert shop.payment(payment).is_paid
    assert shop.payment(payment).customer_id == NOBODY
    assert shop.payment(payment).attention is not None


def test_work_in_flight_whose_customer_is_gone_ends_quietly(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    id = shop.subscription().id
    shop.passes(27 * DAY)
    shop.delivers()
    shop.reminds()
    with shop.database.open_ledger() as ledger:
        messages = ledger.messages.claim_due(shop.now, shop.now + LEASE, 10)
        accesses = [
            AccessClaim(access, shop.now, 0, shop.now + LEASE) for access in ledger.accesses.of_subscription(id)
        ]
    assert (len(messages), len(accesses)) == (1, 2)
    is_erased(shop)
    shop.messenger.sent.clear()

    asyncio.run(shop.deliver_message(messages[0]))
    shop.remind_customer(id)
    shop.expire_subscription(id)
    shop.erase_customer(ANNA.id)

    assert shop.messenger.sent == []
    for access in accesses:
        asyncio.run(shop.provide_access(access))
    assert shop.node.holds == {}


def test_a_message_that_reaches_nobody_while_its_customer_goes_revives_nobody(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(27 * DAY)
    shop.delivers()
    shop.reminds()
    with shop.database.open_ledger() as ledger:
        [claim] = ledger.messages.claim_due(shop.now, shop.now + LEASE, 10)

    class Vanishing:
        async def send(self, customer_id: CustomerId, letter: Any) -> None:
            await asyncio.to_thread(is_erased, shop)
            raise Unreachable("blocked")

    asyncio.run(replace(shop.deliver_message, messenger=Vanishing())(claim))

    assert standing(shop) is None


def test_an_access_on_a_node_that_is_not_in_the_settings_any_more_keeps_nobody_from_being_erased(
    shop: ShopUnderTest,
) -> None:
    shop.buys_and_gets()
    shop.provide_access = replace(shop.provide_access, nodes={})

    is_erased(shop)


def test_an_access_that_is_still_wanted_on_a_missing_node_is_refused_and_kept(shop: ShopUnderTest) -> None:
    shop.buys()
    shop.settles()
    shop.provide_access = replace(shop.provide_access, nodes={})

    errors = shop.provides()

    assert ["not in the settings" in str(error) for error in errors] == [True, True]
    with shop.ledger() as ledger:
        assert len(ledger.accesses.of_subscription(shop.subscription().id)) == 2


def test_whoever_was_never_seen_can_ask_and_leaves_no_trace(shop: ShopUnderTest) -> None:
    shop.leaves(CustomerId(404))
    shop.erase_customer(CustomerId(404))

    assert count(shop, "customers") == 0
