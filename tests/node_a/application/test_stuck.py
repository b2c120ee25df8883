"""What is stuck is listed, told once, and tried again at a word."""

from datetime import timedelta

import pytest

from node_a.application.acts import Answered, Result
from node_a.application.jobs import Job
from node_a.application.ports import Activity, Ledger
from node_a.application.stuck import StuckThings, Thing, ThingKind
from node_a.domain.customer import CustomerId
from node_a.domain.errors import MessageRefused, NodeUnavailable, ProviderUnavailable
from node_a.domain.message import MessageKind
from node_a.domain.money import Money
from node_a.domain.node import Protocol
from node_a.domain.payment import Payment
from tests.builders import ANNA, DAY, NOW, OLGA
from tests.fakes.operations import Operations
from tests.fakes.shop import ShopUnderTest

DEAD = {protocol: NodeUnavailable("no route") for protocol in Protocol}
NODE = Thing(ThingKind.NODE, "de1")


@pytest.fixture
def operations(shop: ShopUnderTest) -> Operations:
    shop.register(OLGA, "ru")
    return Operations(shop)


def differing_money(shop: ShopUnderTest) -> Payment:
    payment = shop.chooses()
    shop.provider.pays(payment, amount=Money(100))
    shop.nudge(payment.id, None)
    shop.works()
    return shop.payment(payment)


def silent_provider(shop: ShopUnderTest) -> Payment:
    payment = shop.chooses()
    shop.provider.fails_with = ProviderUnavailable("timed out")
    shop.passes(timedelta(minutes=1))
    shop.settles()
    shop.passes(DAY)
    return payment


def dead_node(shop: ShopUnderTest, customers: int = 1) -> None:
    shop.node.fails_with = DEAD
    for number in range(customers):
        shop.buys(customer_id=CustomerId(ANNA.id + number))
    shop.works()
    shop.passes(timedelta(seconds=2))
    shop.delivers()  # that the money came
    shop.passes(DAY)


def told(shop: ShopUnderTest) -> int:
    """How many letters about something stuck the operator was sent by now."""
    for _ in range(10):  # each time one for each customer
        shop.delivers()
    letters = [letter.html for to, letter in shop.messenger.sent if to == OLGA]
    return letters.count("SomethingStuck")


def due(shop: ShopUnderTest, what: str) -> int:
    """How much of it the worker would take now."""
    with shop.database.open_ledger() as ledger:
        return len(getattr(ledger, what).claim_due(shop.now, shop.now + timedelta(minutes=3), 1000))


# ── the list ──


def test_nothing_is_stuck_in_a_healthy_shop(operations: Operations) -> None:
    operations.shop.buys_and_gets()
    operations.shop.passes(timedelta(seconds=2))
    operations.shop.works()
    operations.shop.passes(2 * DAY)
    assert operations.stuck() == StuckThings([], [], [], [], [], [])
    assert not operations.stuck()


def test_money_that_needs_a_person_is_listed_at_once(operations: Operations) -> None:
    payment = differing_money(operations.shop)
    [stuck] = operations.stuck().money
    assert (stuck.payment.id, stuck.payment.attention) == (payment.id, "differs: amount")


def test_a_silent_provider_is_listed_after_a_day(operations: Operations) -> None:
    payment = silent_provider(operations.shop)
    [stuck] = operations.stuck().payments
    assert (stuck.payment.id, stuck.since) == (payment.id, NOW + timedelta(minutes=1))

    operations.shop.passes(timedelta(minutes=-1))
    assert not operations.stuck()


def test_a_dead_node_is_one_line_however_many_customers_it_has(operations: Operations) -> None:
    dead_node(operations.shop, customers=12)
    [stuck] = operations.stuck().nodes
    assert (stuck.node, stuck.keys, stuck.since) == ("de1", 24, NOW)


def test_an_open_refund_is_listed_after_a_day(operations: Operations) -> None:
    shop = operations.shop
    payment = shop.buys_and_gets()
    shop.provider.fails_with = ProviderUnavailable("timed out")
    refund = shop.refunds(payment)
    shop.passes(DAY - timedelta(seconds=1))
    assert operations.stuck().refunds == []
    shop.passes(timedelta(seconds=1))
    assert [one.refund.id for one in operations.stuck().refunds] == [refund.id]


def test_messages_that_cannot_be_sent_are_one_line_for_each_kind(operations: Operations) -> None:
    shop = operations.shop
    shop.messenger.fails_with = MessageRefused("can't parse entities")
    for number in range(3):
        shop.buys(customer_id=CustomerId(ANNA.id + number))
    shop.works()
    shop.passes(DAY + timedelta(seconds=2))
    assert {(one.kind, one.count) for one in operations.stuck().messages} == {
        (MessageKind.PAYMENT_RECEIVED, 3),
        (MessageKind.KEYS_READY, 3),
    }


# ── the watch ──


def failing_job(shop: ShopUnderTest) -> None:
    def work(ledger: Ledger) -> None:
        ledger.jobs.ensure(Job.RECONCILE, shop.now)
        (claim,) = ledger.jobs.claim_due([Job.RECONCILE], shop.now, shop.now + DAY, 1)
        ledger.jobs.finished(claim, shop.now + 2 * DAY, failed_at=shop.now)

    shop.database.write(work)
    shop.passes(DAY)


def test_a_job_that_never_gets_through_is_listed_after_a_day_told_and_can_be_run_at_once(
    operations: Operations,
) -> None:
    shop = operations.shop
    failing_job(shop)

    (stuck,) = operations.stuck().jobs
    operations.watch()
    assert (stuck.job, told(shop)) == (Job.RECONCILE, 1)

    assert operations.retry(operations.says(), stuck.thing) == Answered(Result.RETRIED, "1")
    assert Activity.JOB in shop.agenda.due(shop.now)


def test_operators_are_told_once_in_one_message(operations: Operations) -> None:
    shop = operations.shop
    silent_provider(shop)
    shop.provider.fails_with = None
    dead_node(shop, customers=3)
    for _ in range(6):
        operations.watch()
        shop.passes(timedelta(minutes=10))
    assert told(shop) == 1


def test_what_was_cured_and_is_stuck_again_is_told_again(operations: Operations) -> None:
    shop = operations.shop
    dead_node(shop)
    operations.watch()
    assert told(shop) == 1

    shop.node.fails_with = {}
    shop.provides()
    shop.passes(timedelta(minutes=10))
    shop.provides()
    operations.watch()
    dead_node(shop)
    operations.watch()
    assert told(shop) == 2


def test_a_crowd_that_grows_tenfold_is_told_anew(operations: Operations) -> None:
    """One key that a node will never take must not hide that the node is dead."""
    shop = operations.shop
    dead_node(shop, customers=1)
    operations.watch()
    dead_node(shop, customers=3)
    operations.watch()
    assert told(shop) == 1
    dead_node(shop, customers=5)
    operations.watch()
    assert told(shop) == 2


def test_each_stuck_payment_is_news(operations: Operations) -> None:
    shop = operations.shop
    silent_provider(shop)
    operations.watch()
    assert told(shop) == 1
    shop.provider.fails_with = None
    second = shop.chooses(customer_id=CustomerId(5))
    shop.provider.fails_with = ProviderUnavailable("timed out")
    shop.nudge(second.id, None)
    shop.settles()
    shop.passes(DAY)
    operations.watch()
    assert told(shop) == 2


def test_money_was_told_by_its_own_message_and_not_again_as_stuck(operations: Operations) -> None:
    shop = operations.shop
    differing_money(shop)
    shop.passes(2 * DAY)
    operations.watch()
    assert told(shop) == 0
    assert [letter.html for to, letter in shop.messenger.sent if to == OLGA] == ["MoneyNeedsYou"]


def test_a_message_about_what_is_cured_by_now_is_not_sent(operations: Operations) -> None:
    shop = operations.shop
    dead_node(shop)
    operations.watch()
    shop.node.fails_with = {}
    operations.retry(operations.says(), NODE)
    shop.provides()
    assert told(shop) == 0


def test_a_message_about_money_that_somebody_has_handled_is_not_sent(operations: Operations) -> None:
    shop = operations.shop
    payment = shop.chooses()
    shop.provider.pays(payment, amount=Money(100))
    shop.nudge(payment.id, None)
    shop.settles()
    operations.handle_money(operations.says(), payment.id)
    shop.delivers()
    assert shop.messenger.sent == []


# ── retrying ──


def test_a_node_is_tried_again_at_once_behind_an_open_gate(operations: Operations) -> None:
    shop = operations.shop
    dead_node(shop, customers=2)
    shop.provides()  # the gate is closed again
    shop.node.fails_with = {}
    assert due(shop, "accesses") == 0

    assert operations.retry(operations.says(), NODE) == Answered(Result.RETRIED, "4")
    shop.provides()

    assert len(shop.node.holds) == 4
    assert not operations.stuck()


def test_a_payment_is_asked_about_again_at_once(operations: Operations) -> None:
    shop = operations.shop
    payment = silent_provider(shop)
    shop.settles()
    shop.passes(timedelta(seconds=2))
    assert due(shop, "payments") == 0
    answered = operations.retry(operations.says(), Thing(ThingKind.PAYMENT, str(payment.id)))
    assert answered == Answered(Result.RETRIED, "1")
    assert due(shop, "payments") == 1


def test_a_refund_is_asked_for_again_at_once(operations: Operations) -> None:
    shop = operations.shop
    payment = shop.buys_and_gets()
    refund = shop.refunds(payment)
    shop.provider.fails_with = ProviderUnavailable("timed out")
    shop.passes(timedelta(seconds=2))
    shop.settles()
    shop.passes(timedelta(seconds=2))
    assert due(shop, "payments") == 0
    assert operations.retry(operations.says(), Thing(ThingKind.REFUND, str(refund.id))).result is Result.RETRIED
    assert due(shop, "payments") == 1


def test_messages_are_sent_again_at_once(operations: Operations) -> None:
    shop = operations.shop
    shop.messenger.fails_with = MessageRefused("can't parse entities")
    shop.buys()
    shop.works()
    shop.passes(DAY + timedelta(seconds=2))
    shop.delivers()
    shop.delivers()
    assert due(shop, "messages") == 0
    shop.messenger.fails_with = None

    answered = operations.retry(operations.says(), Thing(ThingKind.MESSAGES, MessageKind.KEYS_READY))

    assert answered == Answered(Result.RETRIED, "1")
    shop.delivers()
    assert shop.letters() == ["KeysReady"]


def test_a_redelivered_retry_is_no_second_one(operations: Operations) -> None:
    shop = operations.shop
    dead_node(shop)
    instruction = operations.says()
    operations.retry(instruction, NODE)
    shop.provides()
    assert operations.retry(instruction, NODE) == Answered(Result.RETRIED, "2")
    assert due(shop, "accesses") == 0  # its gate is closed, as the first one found the node


@pytest.mark.parametrize("kind", ThingKind)
def test_what_is_not_stuck_any_more_is_said_to_be_gone(operations: Operations, kind: ThingKind) -> None:
    ids = {ThingKind.NODE: "de1", ThingKind.MESSAGES: MessageKind.KEYS_READY, ThingKind.JOB: Job.RECONCILE}
    thing = Thing(kind, ids.get(kind, "00000000-0000-4000-8000-000000000009"))
    assert operations.retry(operations.says(), thing).result is Result.NOTHING_THERE


def test_money_that_was_handled_is_listed_no_more_and_recorded_once(operations: Operations) -> None:
    payment = differing_money(operations.shop)
    instruction = operations.says("")

    assert operations.handle_money(instruction, payment.id).result is Result.HANDLED
    assert operations.handle_money(instruction, payment.id).result is Result.HANDLED
    assert operations.handle_money(operations.says(""), payment.id).result is Result.NOTHING_THERE

    assert not operations.stuck()
    act = operations.recorded(instruction)
    assert act is not None
    assert (act.act, act.subject) == ("handled", f"payment:{payment.id}")


@pytest.mark.parametrize(
    "text",
    [
        *("", "payment", "payment:", "payment:77", "node:", f"node:{'x' * 17}", "messages:love", "banana:1"),
        *("refund:{00000000-0000-4000-8000-000000000009}", "payment:00000000-0000-4000-8000-00000000000A"),
    ],
)
def test_what_never_was_the_name_of_a_thing_names_none(text: str) -> None:
    assert Thing.named(text) is None


@pytest.mark.parametrize("kind", ThingKind)
def test_the_name_of_a_thing_leads_back_to_it(kind: ThingKind) -> None:
    ids = {ThingKind.NODE: "de1", ThingKind.MESSAGES: MessageKind.KEYS_READY, ThingKind.JOB: Job.RECONCILE}
    thing = Thing(kind, ids.get(kind, "00000000-0000-4000-8000-000000000009"))
    assert Thing.named(str(thing)) == thing
