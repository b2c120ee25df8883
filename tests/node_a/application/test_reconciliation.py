"""Reconciling: the provider's lists against our grants; a restored backup loses no purchase and doubles none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update

from node_a.adapters.database.tables import payments, subscriptions
from node_a.application.acts import Instruction, PerformAct
from node_a.application.ports import ListedPayment
from node_a.application.retrying import HandleMoney
from node_a.domain.customer import CustomerId
from node_a.domain.errors import ProviderUnavailable
from node_a.domain.money import Money
from node_a.domain.node import Protocol
from node_a.domain.payment import OutcomeStatus, Payment, PaymentId, PaymentState, Shop
from node_a.domain.refund import RefundState
from tests.builders import ANNA, DAY, MONTH, NOW, OLGA, YEAR, an_outcome
from tests.databases import a_migrated_database
from tests.fakes.shop import ShopUnderTest

BORIS = CustomerId(7_000_000_002)


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(database_url)
    yield shop
    shop.close()


def restored(shop: ShopUnderTest, backup: Path, directory: Path) -> ShopUnderTest:
    """The same shop, provider, node and customers, with the database of an earlier day."""
    (directory / "restored.db").write_bytes(backup.read_bytes())
    shop.close()
    return ShopUnderTest(f"sqlite:///{directory / 'restored.db'}", world=shop)


def told(shop: ShopUnderTest) -> list[str]:
    with shop.ledger() as ledger:
        waiting = ledger.messages.waiting_since(shop.now + 365 * DAY)
    return [message.unique_key for message in waiting if message.customer_id == OLGA]


def test_what_agrees_is_left_alone(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    before = shop.subscription()
    shop.passes(timedelta(hours=1))

    found = shop.reconciles()

    assert (found.payments, found.rebuilt, found.settled, found.shortened) == (1, 0, 0, 0)
    assert not found.differences
    assert shop.subscription() == before


def test_yesterdays_database_gets_todays_purchases_back_each_once(tmp_path: Path) -> None:
    file = a_migrated_database(tmp_path)
    shop = ShopUnderTest(f"sqlite:///{file}")
    shop.buys_and_gets()
    shop.passes(DAY)
    with shop.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(f"VACUUM INTO '{tmp_path / 'backup.db'}'")
        connection.exec_driver_sql("BEGIN")
    renewal = shop.buys_and_gets(YEAR)  # known to the backup's customer
    newcomers = []
    for _ in range(3):
        newcomers.append(shop.buys(MONTH, BORIS))
        shop.works()
    refunded = newcomers[-1]
    shop.provider.refunds_by_hand(refunded, at=shop.now)
    shop = restored(shop, tmp_path / "backup.db", tmp_path)
    shop.passes(timedelta(hours=3))

    found = shop.reconciles()
    again = shop.reconciles()
    for _ in range(4):
        shop.works()
        shop.passes(timedelta(seconds=30))

    assert (found.payments, found.rebuilt, found.settled, found.refunds) == (4 + 1, 4, 4, 1)
    assert (again.rebuilt, again.settled, again.shortened, again.differences) == (0, 0, 0, [])
    assert {shop.payment(one).state for one in [renewal, *newcomers]} == {PaymentState.PAID}
    assert shop.subscription().ends_at == NOW + MONTH.period + YEAR.period
    with shop.ledger() as ledger:
        boris = ledger.subscriptions.of_customer(BORIS)
    assert boris is not None
    assert sorted(grant.source for grant in boris.grants) == sorted(payment.source for payment in newcomers)
    given = sum((grant.ends_at - grant.starts_at for grant in boris.grants), timedelta(0))
    assert given == 2 * MONTH.period
    held = {(held.id.subscription_id, held.id.protocol): held.ends_at for held in shop.node.holds.values()}
    for subscription in (shop.subscription(), boris):
        assert {held[subscription.id, protocol] for protocol in Protocol} == {subscription.ends_at}
    keys = [customer for customer, letter in shop.messenger.sent if letter.html.startswith("KeysReady")]
    assert keys.count(BORIS) >= 2


def test_a_payment_that_was_forgotten_while_open_can_still_be_paid(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    forget(shop, payment)

    assert shop.reconciles().rebuilt == 1
    shop.provider.pays(payment)
    shop.passes(timedelta(minutes=10))
    shop.works()

    assert shop.payment(payment).is_paid
    assert shop.subscription().has_grant_of(payment.source)


def forget(shop: ShopUnderTest, payment: Payment) -> None:
    with shop.engine.begin() as connection:
        connection.execute(payments.delete().where(payments.c.id == payment.id))


@pytest.mark.parametrize("state", [PaymentState.ABANDONED, PaymentState.DECLINED])
def test_the_providers_word_counts_more_than_what_we_gave_up(shop: ShopUnderTest, state: PaymentState) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)
    with shop.engine.begin() as connection:
        given_up = {"state": state.value, "check_at": None, "settled_at": NOW}
        connection.execute(update(payments).where(payments.c.id == payment.id).values(**given_up))

    found = shop.reconciles()

    assert found.settled == 1
    assert shop.subscription().has_grant_of(payment.source)


def test_a_refund_made_by_hand_takes_its_days(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.passes(DAY)
    shop.provider.refunds_by_hand(payment, Money(10_000), at=shop.now)

    found = shop.reconciles()

    assert (found.refunds, found.shortened) == (1, 1)
    assert shop.subscription().ends_at == NOW + timedelta(days=15)
    with shop.ledger() as ledger:
        assert [refund.state for refund in ledger.refunds.of_payment(payment.id)] == [RefundState.DONE]


def test_days_that_nobody_paid_for_are_for_a_person_and_told_once(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    known = shop.provider.payments[payment.id]
    shop.provider.payments[payment.id] = replace(known, status=OutcomeStatus.CANCELED)
    shop.passes(timedelta(hours=1))

    found = shop.reconciles()
    shop.reconciles()

    assert [one.id for one in found.differences] == [payment.id]
    assert shop.payment(payment).attention == "the provider does not call it paid"
    assert len(told(shop)) == 1


def test_what_a_person_has_dealt_with_is_not_asked_again_the_next_night(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    known = shop.provider.payments[payment.id]
    shop.provider.payments[payment.id] = replace(known, status=OutcomeStatus.CANCELED)
    shop.passes(timedelta(hours=1))
    shop.reconciles()
    perform = PerformAct(write=shop.database.write, clock=lambda: shop.now)
    HandleMoney(perform=perform)(Instruction(1, OLGA, "asked YooKassa"), payment.id)

    assert not shop.reconciles().differences
    assert shop.payment(payment).attention is None


def test_money_that_gave_no_days_is_for_a_person(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM grants")
    shop.passes(timedelta(hours=1))

    found = shop.reconciles()

    assert [one.attention for one in found.differences] == ["paid, and no days were given"]
    assert found.differences[0].id == payment.id


def test_payments_of_another_shop_are_not_missed_in_this_ones_list(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    with shop.engine.begin() as connection:
        connection.execute(update(payments).values(shop_id="the test shop of before"))
    shop.provider.forgets(payment)
    shop.passes(timedelta(hours=1))

    assert not shop.reconciles().differences


def test_what_somebody_else_was_paid_with_the_same_account_is_counted_and_left_alone(shop: ShopUnderTest) -> None:
    outcome = an_outcome(provider_id="an invoice by hand")
    shop.provider.foreign.append(ListedPayment(outcome, NOW))

    found = shop.reconciles()

    assert (found.foreign, found.payments, found.rebuilt) == (1, 0, 0)


def test_a_second_payment_under_the_same_number_is_for_a_person(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    doubled = replace(shop.provider.payments[payment.id], provider_id="made anew after a day")
    shop.provider.foreign.append(ListedPayment(doubled, NOW, payment.id, ANNA.id, MONTH))
    before = shop.subscription()

    found = shop.reconciles()

    assert [one.attention for one in found.differences] == ["paid a second time under the same number"]
    assert shop.subscription() == before


def test_a_provider_that_fails_half_way_loses_nothing_of_what_was_done(shop: ShopUnderTest) -> None:
    payment = shop.buys()
    shop.provider.fails_with = ProviderUnavailable("500")
    with pytest.raises(ProviderUnavailable):
        shop.reconciles()
    shop.provider.fails_with = None

    assert shop.reconciles().settled == 1
    assert shop.payment(payment).is_paid


def test_a_rebuilt_payment_is_compared_with_what_was_asked_for(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment, amount=Money(100), shop=Shop("100500", test=True))
    forget(shop, payment)

    found = shop.reconciles()

    assert shop.payment(payment).state is PaymentState.DISPUTED
    assert [one.attention for one in found.differences] == ["differs: amount"]
    with shop.engine.connect() as connection:
        assert connection.execute(subscriptions.select()).all() == []


def test_an_unanswered_payment_of_a_restored_backup_keeps_the_link_that_somebody_holds(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    with shop.engine.begin() as connection:
        as_in_the_backup = {"state": PaymentState.OPENING.value, "provider_id": None, "link": None}
        connection.execute(update(payments).where(payments.c.id == payment.id).values(**as_in_the_backup))
    shop.passes(timedelta(minutes=20))

    shop.reconciles()
    shop.works()
    shop.provider.pays(payment)
    assert shop.nudge(payment.id, None)
    shop.passes(timedelta(seconds=3))
    shop.works()

    assert shop.subscription().has_grant_of(payment.source)


def test_refunds_are_compared_although_the_list_of_payments_breaks_off(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.provider.refunds_by_hand(payment, Money(10_000))
    shop.provider.payments_break_off_with = ProviderUnavailable("one of ours cannot be read")

    with pytest.raises(ProviderUnavailable):
        shop.reconciles()

    assert shop.subscription().ends_at == NOW + timedelta(days=15)
    assert shop.payment(payment).attention is None  # half a list says nothing about what is missing in it


def test_money_of_ours_that_does_not_say_what_for_is_reported(shop: ShopUnderTest) -> None:
    payment = shop.buys()
    forget(shop, payment)
    shop.provider.foreign.append(ListedPayment(an_outcome(provider_id="unreadable"), NOW, PaymentId(UUID(int=5))))

    found = shop.reconciles()

    assert (found.unreadable, found.rebuilt) == (["unreadable"], 1)


def test_a_payment_of_the_shop_before_is_for_a_person_and_the_provider_is_not_asked(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    with shop.engine.begin() as connection:
        connection.execute(update(payments).values(shop_id="the test shop of before"))
    asked = shop.provider.finds
    shop.passes(timedelta(minutes=1))

    shop.settles()
    shop.passes(DAY)
    shop.settles()

    assert shop.payment(payment).attention == "of another shop than the settings name"
    assert shop.provider.finds == asked
    assert len(told(shop)) == 1


def test_a_rebuilt_payment_without_a_link_stands_in_nobodys_way(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.payments[payment.id] = replace(shop.provider.payments[payment.id], link=None)
    forget(shop, payment)
    shop.reconciles()

    assert shop.chooses().id != payment.id
    assert shop.show_open_payment(ANNA.id) != shop.payment(payment)
