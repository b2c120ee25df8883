"""What operators do by hand: once, recorded, and only if it can be done."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from node_a.application.acts import ActKind, Answered, Result
from node_a.application.lookup import CustomerFile
from node_a.application.ports import Ledger, OperatorAct
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import MessengerUnavailable
from node_a.domain.money import Money
from node_a.domain.node import Protocol
from node_a.domain.payment import Payment
from node_a.domain.refund import Refund, RefundState
from tests.builders import ANNA, DAY, NOW, OLGA, RING
from tests.databases import on_postgresql
from tests.fakes.operations import Operations
from tests.fakes.shop import ShopUnderTest

BORIS = CustomerId(7_000_000_002)


@pytest.fixture
def operations(shop: ShopUnderTest) -> Operations:
    shop.registers()
    return Operations(shop)


def test_days_are_given_recorded_and_told_by_the_keys(operations: Operations) -> None:
    shop, instruction = operations.shop, operations.says("sorry for the outage")

    answered = operations.grant(instruction, ANNA.id, 10)
    shop.works()

    assert answered == Answered(Result.GRANTED, (NOW + 10 * DAY).isoformat())
    assert shop.subscription().ends_at == NOW + 10 * DAY
    [grant] = shop.subscription().grants
    assert (grant.source, grant.plan.code, grant.plan.traffic_limit) == ("admin:500", "gift", None)
    assert shop.letters() == ["KeysReady"]
    act = operations.recorded(instruction)
    assert act is not None
    assert (act.operator_id, act.at, act.act, act.subject) == (OLGA, NOW, "grant", str(ANNA.id))
    assert (act.reason, Answered.parse(act.outcome)) == ("sorry for the outage", answered)


def test_a_redelivered_grant_gives_nothing_twice_and_answers_the_same(operations: Operations) -> None:
    instruction = operations.says()
    first = operations.grant(instruction, ANNA.id, 10)
    operations.shop.passes(DAY)
    assert operations.grant(instruction, ANNA.id, 10) == first
    assert operations.shop.subscription().ends_at == NOW + 10 * DAY


def test_an_update_number_that_was_used_for_something_else_does_nothing(operations: Operations) -> None:
    """Another bot's updates are counted anew: the database may know the number."""
    instruction = operations.says()
    operations.grant(instruction, ANNA.id, 10)

    assert operations.ban(instruction, ANNA.id).result is Result.NUMBER_USED
    assert operations.grant(instruction, BORIS, 10).result is Result.NUMBER_USED
    assert standing(operations, ANNA.id) is Standing.GOOD


def test_the_same_update_in_two_processes_at_once_is_done_once(operations: Operations) -> None:
    payment = operations.shop.buys_and_gets()
    instruction, together = operations.says(), threading.Barrier(2)
    answers: list[Answered] = []

    def process() -> None:
        together.wait()
        answers.append(operations.refund(instruction, str(payment.id), Money(5_000)))

    threads = [threading.Thread(target=process) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [Answered(Result.REFUND_OPENED, "50.00 RUB")] * 2
    assert len(refunds(operations, payment)) == 1


@on_postgresql  # SQLite's writers wait for each other from the start
def test_what_was_done_vanishes_if_another_process_recorded_the_update_meanwhile(operations: Operations) -> None:
    shop, instruction = operations.shop, operations.says()
    faster = OperatorAct(instruction.update_id, OLGA, NOW, "ban", str(ANNA.id), "", "is banned")

    def overtaken(ledger: Ledger, now: datetime) -> Answered:
        ledger.customers.save(replace(ANNA, standing=Standing.BANNED))
        with shop.database.open_ledger() as elsewhere:
            elsewhere.operator_acts.record(faster)
        return Answered(Result.BANNED)

    answered = operations.perform(instruction, ActKind.BAN, str(ANNA.id), overtaken)

    assert answered.result is Result.IS_BANNED  # the other one's
    assert standing(operations, ANNA.id) is Standing.GOOD


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_absurd_numbers_of_days_are_refused(operations: Operations, days: int) -> None:
    with pytest.raises(ValueError, match="cannot be given"):
        operations.grant(operations.says(), ANNA.id, days)


def test_nobody_unknown_banned_or_leaving_is_given_days(operations: Operations) -> None:
    assert operations.grant(operations.says(), BORIS, 10).result is Result.UNKNOWN_CUSTOMER
    operations.ban(operations.says(), ANNA.id)
    assert operations.grant(operations.says(), ANNA.id, 10).result is Result.IS_BANNED
    leave(operations, ANNA.id)
    assert operations.grant(operations.says(), ANNA.id, 10).result is Result.IS_ERASED
    assert not operations.shop.has_subscription()


# ── money back ──


@pytest.mark.parametrize("by", ["our number", "the provider's"])
def test_money_goes_back_and_the_days_with_it(operations: Operations, by: str) -> None:
    shop = operations.shop
    payment = shop.payment(shop.buys_and_gets())
    named = str(payment.id) if by == "our number" else payment.provider_id
    assert named is not None

    shop.passes(timedelta(seconds=2))
    answered = operations.refund(operations.says(), named, None)
    shop.works()
    shop.delivers()

    assert answered == Answered(Result.REFUND_OPENED, "199.00 RUB")
    [refund] = refunds(operations, payment)
    assert (refund.state, refund.amount) == (RefundState.DONE, Money(19_900))
    assert shop.subscription().ends_at == shop.now
    assert shop.letters()[-1] == "Refunded"


def test_a_redelivered_act_that_a_later_release_recorded_is_answered_and_not_done(operations: Operations) -> None:
    instruction = operations.says()
    later = OperatorAct(instruction.update_id, OLGA, NOW, "grant", str(ANNA.id), "", "granted in style: at once")
    with operations.shop.database.open_ledger() as ledger:
        assert ledger.operator_acts.record(later)

    answered = operations.grant(instruction, ANNA.id, 10)

    assert answered.result is Result.OF_ANOTHER_RELEASE
    assert not operations.shop.has_subscription()


def test_a_redelivered_refund_pays_nothing_twice(operations: Operations) -> None:
    payment = operations.shop.buys_and_gets()
    instruction = operations.says()
    for _ in range(2):
        answered = operations.refund(instruction, str(payment.id), Money(5_000))
        operations.shop.works()
        operations.shop.passes(timedelta(minutes=1))
        assert answered == Answered(Result.REFUND_OPENED, "50.00 RUB")
    assert len(refunds(operations, payment)) == 1


def test_more_than_is_left_is_refused_and_what_is_left_is_named(operations: Operations) -> None:
    payment = operations.shop.buys_and_gets()
    operations.refund(operations.says(), str(payment.id), Money(15_000))
    answered = operations.refund(operations.says(), str(payment.id), Money(5_000))
    assert answered == Answered(Result.REFUND_REFUSED, "49.00 RUB")
    assert len(refunds(operations, payment)) == 1


def test_a_refund_of_what_was_never_paid_or_never_was_is_refused(operations: Operations) -> None:
    open_one = operations.shop.chooses()
    assert operations.refund(operations.says(), str(open_one.id), None).detail == "0.00 RUB"
    assert operations.refund(operations.says(), "no such payment", None).result is Result.UNKNOWN_PAYMENT


def test_without_an_address_for_the_receipt_nothing_is_paid_back(operations: Operations) -> None:
    payment = operations.shop.buys_and_gets()
    operations.shop.provider.wants_receipts = True
    assert operations.refund(operations.says(), str(payment.id), None).result is Result.NO_RECEIPT_ADDRESS
    assert refunds(operations, payment) == []


# ── banning ──


def test_a_ban_takes_every_key_and_is_recorded(operations: Operations) -> None:
    shop, instruction = operations.shop, operations.says("shared the key with a whole town")
    shop.buys_and_gets()
    assert shop.node.holds
    revision = shop.subscription().revision

    assert operations.ban(instruction, ANNA.id).result is Result.BANNED
    shop.works()

    assert shop.node.holds == {}
    assert shop.subscription().revision == revision + 1  # or an older order that comes late would bring them back
    assert standing(operations, ANNA.id) is Standing.BANNED
    act = operations.recorded(instruction)
    assert act is not None
    assert act.reason == "shared the key with a whole town"


def test_a_banned_customer_is_not_reminded_of_the_end(operations: Operations) -> None:
    shop = operations.shop
    shop.buys_and_gets()
    operations.ban(operations.says(), ANNA.id)
    shop.passes(31 * DAY)
    shop.works()
    assert shop.letters() == ["KeysReady"]


def test_keys_that_were_on_their_way_are_not_sent_to_a_banned_customer(operations: Operations) -> None:
    shop = operations.shop
    shop.buys()
    shop.settles()
    shop.provides()
    operations.ban(operations.says(), ANNA.id)
    shop.delivers()
    assert shop.letters() == []


def test_a_ban_that_is_lifted_brings_the_same_keys_back_for_the_days_that_are_left(operations: Operations) -> None:
    shop = operations.shop
    shop.buys_and_gets()
    held = {wanted.id: (wanted.credential, wanted.ends_at) for wanted in shop.node.holds.values()}
    operations.ban(operations.says(), ANNA.id)
    shop.works()
    shop.passes(DAY)

    assert operations.unban(operations.says(), ANNA.id) == Answered(Result.UNBANNED, "0")
    shop.works()

    assert {wanted.id: (wanted.credential, wanted.ends_at) for wanted in shop.node.holds.values()} == held
    shop.passes(26 * DAY)
    shop.works()
    assert shop.letters()[-1] == "EndsSoon"


def test_a_ban_lifted_before_the_node_heard_of_it_loses_no_key(operations: Operations) -> None:
    shop = operations.shop
    shop.buys_and_gets()
    operations.ban(operations.says(), ANNA.id)
    operations.unban(operations.says(), ANNA.id)
    shop.works()
    assert {id.protocol for id in shop.node.holds} == set(Protocol)


def test_keys_that_a_ban_kept_back_come_when_it_is_lifted(operations: Operations) -> None:
    shop = operations.shop
    shop.messenger.fails_with = MessengerUnavailable("down")
    shop.buys_and_gets()
    operations.ban(operations.says(), ANNA.id)
    shop.messenger.fails_with = None
    shop.passes(timedelta(minutes=10))
    shop.works()
    assert "KeysReady" not in shop.letters()

    operations.unban(operations.says(), ANNA.id)
    shop.works()
    shop.passes(timedelta(seconds=3))
    shop.works()

    assert shop.letters().count("KeysReady") == 1


def test_a_ban_lifted_after_the_days_ran_out_brings_no_key_back(operations: Operations) -> None:
    shop = operations.shop
    shop.buys_and_gets()
    operations.ban(operations.says(), ANNA.id)
    shop.works()
    shop.passes(31 * DAY)
    operations.unban(operations.says(), ANNA.id)
    shop.works()
    assert shop.node.holds == {}


def test_days_paid_for_during_a_ban_are_given_when_it_is_lifted(operations: Operations) -> None:
    shop = operations.shop
    payment = shop.chooses()
    operations.ban(operations.says(), ANNA.id)
    shop.provider.pays(payment)
    shop.nudge(payment.id, None)
    shop.works()
    assert not shop.has_subscription()
    assert shop.payment(payment).attention is not None

    shop.passes(DAY)
    assert operations.unban(operations.says(), ANNA.id) == Answered(Result.UNBANNED, "1")
    shop.works()

    assert shop.subscription().ends_at == NOW + 31 * DAY
    assert len(shop.node.holds) == 2


def test_a_redelivered_ban_does_not_ban_again_whoever_was_forgiven(operations: Operations) -> None:
    instruction = operations.says()
    operations.ban(instruction, ANNA.id)
    operations.unban(operations.says(), ANNA.id)
    assert operations.ban(instruction, ANNA.id).result is Result.BANNED  # as it was answered then
    assert standing(operations, ANNA.id) is Standing.GOOD


def test_a_redelivered_unban_does_not_forgive_again(operations: Operations) -> None:
    operations.ban(operations.says(), ANNA.id)
    instruction = operations.says()
    operations.unban(instruction, ANNA.id)
    operations.ban(operations.says(), ANNA.id)
    operations.unban(instruction, ANNA.id)
    assert standing(operations, ANNA.id) is Standing.BANNED


def test_bans_that_make_no_sense_do_nothing(operations: Operations) -> None:
    operations.shop.register(OLGA, "ru")
    assert operations.ban(operations.says(), BORIS).result is Result.UNKNOWN_CUSTOMER
    assert operations.ban(operations.says(), OLGA).result is Result.IS_OPERATOR
    assert operations.unban(operations.says(), ANNA.id).result is Result.IS_NOT_BANNED
    operations.ban(operations.says(), ANNA.id)
    assert operations.ban(operations.says(), ANNA.id).result is Result.IS_BANNED
    leave(operations, ANNA.id)
    assert operations.ban(operations.says(), ANNA.id).result is Result.IS_ERASED
    assert operations.unban(operations.says(), ANNA.id).result is Result.IS_ERASED
    assert standing(operations, ANNA.id) is Standing.DELETED
    assert standing(operations, OLGA) is Standing.GOOD


# ── looking up ──


def test_a_customer_is_found_by_whatever_is_at_hand(operations: Operations) -> None:
    shop = operations.shop
    payment = shop.payment(shop.buys_and_gets())
    shop.passes(timedelta(seconds=2))
    operations.refund(operations.says(), str(payment.id), Money(5_000))
    shop.works()
    [refund] = refunds(operations, payment)
    token = RING.link_token(shop.subscription())
    link = f"https://shop.example.org/sub/{token}"

    for asked in (
        str(ANNA.id),
        f" {ANNA.id} ",
        str(payment.id),
        payment.provider_id,
        str(refund.id),
        refund.provider_id,
        token,
        link,
        f"happ://add/{link}?app=1#name",
        str(shop.subscription().id),
    ):
        assert asked is not None
        assert the_file(operations, asked).customer.id == ANNA.id
    found = the_file(operations, str(ANNA.id))
    assert found.subscription == shop.subscription()
    assert found.progress is not None
    assert len(found.progress.wanted) == 2
    [file] = found.payments
    assert (file.payment.id, [one.id for one in file.refunds]) == (payment.id, [refund.id])
    assert [act.act for act in found.acts] == ["refund"]


@pytest.mark.parametrize("asked", ["", "0", "12", "hello", "9" * 30, "/sub/", "a" * 43, "٣"])
def test_what_fits_nobody_finds_nobody(operations: Operations, asked: str) -> None:
    assert operations.find(asked) is None


def test_of_an_erased_customer_only_the_payment_asked_for_is_shown(operations: Operations) -> None:
    shop = operations.shop
    payments = [shop.buys(customer_id=id) for id in (ANNA.id, BORIS)]
    shop.settles()
    for id in (ANNA.id, BORIS):
        leave(operations, id)
        shop.provides()
        with shop.database.open_ledger() as ledger:
            ledger.customers.erase(id)

    found = operations.find(str(payments[0].id))

    assert found is not None
    assert [file.payment.id for file in found.payments] == [payments[0].id]
    assert operations.find("0") is None


def test_an_erased_customer_is_not_in_the_record_of_what_operators_did(operations: Operations) -> None:
    shop, instruction = operations.shop, operations.says()
    operations.grant(instruction, ANNA.id, 10)
    shop.leaves()
    shop.provides()
    shop.erases()
    act = operations.recorded(instruction)
    assert act is not None
    assert (act.act, act.operator_id) == ("grant", OLGA)
    assert str(ANNA.id) not in str(act)


def the_file(operations: Operations, asked: str) -> CustomerFile:
    found = operations.find(asked)
    assert found is not None, asked
    return found


def standing(operations: Operations, id: CustomerId) -> Standing:
    with operations.shop.ledger() as ledger:
        found: Standing = ledger.customers.find(id).standing
        return found


def refunds(operations: Operations, payment: Payment) -> list[Refund]:
    with operations.shop.ledger() as ledger:
        return list(ledger.refunds.of_payment(payment.id))


def leave(operations: Operations, id: CustomerId) -> None:
    with operations.shop.database.open_ledger() as ledger:
        ledger.customers.save(ledger.customers.locked(id).now_in(Standing.DELETED))
        subscription = ledger.subscriptions.of_customer(id)
        if subscription is not None:
            ledger.accesses.want(
                ledger.accesses.of_subscription(subscription.id), present=False, due_at=operations.shop.now
            )
