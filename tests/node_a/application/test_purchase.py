"""A purchase, from the choice to the keys, and what repeats or breaks on the way."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from node_a.application.ports import Activity
from node_a.domain.customer import CustomerId, Language, Standing
from node_a.domain.errors import (
    CustomerBanned,
    MessengerUnavailable,
    NodeIsAhead,
    NodeRefused,
    NodeUnavailable,
    PaymentRefused,
    ProviderUnavailable,
    UnknownPlan,
    Unreachable,
)
from node_a.domain.money import Money
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.payment import OutcomeStatus, PaymentState
from tests.builders import ANNA, DAY, MONTH, NOW, YEAR
from tests.fakes.shop import ShopUnderTest


def test_a_paid_payment_becomes_days_keys_and_one_message(shop: ShopUnderTest) -> None:
    shop.buys()

    assert shop.works() == []

    assert shop.subscription().ends_at == NOW + 30 * DAY
    assert {wanted.id.protocol for wanted in shop.node.holds.values()} == set(Protocol)
    assert {wanted.ends_at for wanted in shop.node.holds.values()} == {NOW + 30 * DAY}
    [(customer, letter)] = shop.messenger.sent
    assert customer == ANNA.id
    assert "vless://" in letter.html
    assert "ss://" in letter.html


def test_the_exact_request_is_stored_before_the_provider_hears_of_it(shop: ShopUnderTest) -> None:
    payment = shop.chooses()

    assert shop.provider.creations == [(payment.id, shop.payment(payment).request)]
    assert "30 days" in payment.request


def test_a_second_tap_gives_the_same_link_and_no_second_payment(shop: ShopUnderTest) -> None:
    first = shop.chooses()
    shop.passes(timedelta(minutes=10))
    second = shop.chooses()

    assert second.id == first.id
    assert second.link == first.link
    assert len(shop.provider.payments) == 1


def test_an_old_link_is_not_given_again(shop: ShopUnderTest) -> None:
    first = shop.chooses()
    shop.passes(timedelta(minutes=46))

    assert shop.chooses().id != first.id


def test_another_plan_is_another_payment(shop: ShopUnderTest) -> None:
    assert shop.chooses(MONTH).id != shop.chooses(YEAR).id


def test_an_unknown_plan_is_refused_and_nothing_stored(shop: ShopUnderTest) -> None:
    shop.registers()

    with pytest.raises(UnknownPlan):
        shop.open_payment(ANNA.id, "forever")
    assert shop.provider.payments == {}


def test_a_banned_customer_cannot_open_a_payment(shop: ShopUnderTest) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(replace(ANNA, standing=Standing.BANNED))

    with pytest.raises(CustomerBanned):
        shop.chooses()


def test_a_creation_that_never_answered_is_repeated_with_the_stored_request(shop: ShopUnderTest) -> None:
    shop.provider.fails_with = ProviderUnavailable("timed out")
    shop.provider.fails_after_the_work = True
    with pytest.raises(ProviderUnavailable):
        shop.chooses()
    shop.provider.fails_with = None

    shop.passes(timedelta(minutes=2))
    shop.settles()

    (first_id, first_request), (second_id, second_request) = shop.provider.creations
    assert (first_id, first_request) == (second_id, second_request)
    assert shop.chooses().link == "https://pay.example.org/1"


def test_a_creation_that_never_answers_is_abandoned_in_the_end(shop: ShopUnderTest) -> None:
    shop.provider.fails_with = ProviderUnavailable("timed out")
    with pytest.raises(ProviderUnavailable):
        shop.chooses()

    shop.passes(timedelta(minutes=16))
    shop.provider.fails_with = None
    shop.settles()

    with shop.ledger() as ledger:
        assert ledger.payments.open_of(ANNA.id) == []
    assert shop.provider.payments == {}


def test_a_check_that_was_overtaken_by_a_second_tap_abandons_nothing(shop: ShopUnderTest) -> None:
    """The claim saw a payment without an answer; meanwhile the customer got the link."""
    shop.provider.fails_with = ProviderUnavailable("timed out")
    with pytest.raises(ProviderUnavailable):
        shop.chooses()
    shop.passes(timedelta(minutes=14, seconds=59))
    with shop.database.open_ledger() as ledger:
        [claim] = ledger.payments.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)
    shop.provider.fails_with = None
    payment = shop.chooses()
    shop.passes(timedelta(seconds=2))

    shop.settle_payment(claim)
    shop.provider.pays(payment)
    shop.nudge(payment.id, None)
    shop.passes(timedelta(seconds=5))
    shop.works()

    assert shop.payment(payment).is_paid


def test_after_a_nudge_the_provider_is_asked_often_again(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    for _ in range(9):
        shop.passes(timedelta(minutes=11))
        shop.settles()
    shop.nudge(payment.id, None)
    shop.provider.fails_with = ProviderUnavailable("down")
    shop.passes(timedelta(seconds=2))
    shop.settles()
    shop.provider.fails_with = None
    shop.provider.pays(payment)

    shop.passes(timedelta(seconds=10))
    shop.works()

    assert shop.payment(payment).is_paid


def test_the_provider_is_left_alone_for_as_long_as_it_asks(shop: ShopUnderTest) -> None:
    shop.buys()
    shop.provider.fails_with = ProviderUnavailable("429", retry_after=120)
    shop.settles()
    shop.passes(timedelta(seconds=119))
    shop.settles()
    assert shop.provider.finds == 1

    shop.passes(timedelta(seconds=1))
    shop.settles()
    assert shop.provider.finds == 2


def test_what_is_paid_or_declined_at_the_very_creation_is_settled_by_the_worker(shop: ShopUnderTest) -> None:
    shop.provider.makes_it_as = OutcomeStatus.CANCELED
    payment = shop.chooses()

    shop.works()

    assert shop.payment(payment).state is PaymentState.DECLINED
    assert shop.letters() == ["PaymentDeclined"]


def test_a_link_that_ran_out_is_no_news_to_whoever_has_paid_by_another(shop: ShopUnderTest) -> None:
    left = shop.chooses(MONTH)
    shop.passes(timedelta(minutes=1))
    shop.buys_and_gets(YEAR)
    shop.provider.cancels(left, "expired_on_confirmation")
    shop.passes(timedelta(hours=1))
    shop.works()
    shop.works()

    assert shop.payment(left).state is PaymentState.DECLINED
    assert shop.letters() == ["KeysReady"]


def test_a_payment_settled_twice_extends_once(shop: ShopUnderTest) -> None:
    payment = shop.buys()
    with shop.database.open_ledger() as ledger:
        [claim] = ledger.payments.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)

    shop.settle_payment(claim)
    shop.settle_payment(claim)

    assert shop.subscription().ends_at == NOW + 30 * DAY
    assert shop.payment(payment).state is PaymentState.PAID


def test_a_nudge_during_a_check_is_not_lost(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.passes(timedelta(seconds=5))
    with shop.database.open_ledger() as ledger:
        [claim] = ledger.payments.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)
    shop.passes(timedelta(seconds=3))

    shop.nudge(payment.id, None)
    shop.settle_payment(claim)  # the provider still says "pending"
    shop.provider.pays(payment)
    shop.settles()

    assert shop.payment(payment).is_paid


def test_a_payment_is_asked_for_at_most_every_two_seconds(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.passes(timedelta(seconds=5))
    shop.settles()
    for _ in range(10):
        shop.nudge(payment.id, None)
        shop.settles()

    assert shop.provider.finds == 1
    shop.passes(timedelta(seconds=2))
    shop.settles()
    assert shop.provider.finds == 2


def test_a_lost_webhook_costs_only_time(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)

    shop.passes(timedelta(seconds=5))
    shop.works()

    assert shop.letters() == ["KeysReady"]


def test_a_nudge_by_the_providers_id_finds_the_payment_and_a_foreign_one_does_nothing(shop: ShopUnderTest) -> None:
    payment = shop.chooses()

    assert shop.nudge(None, payment.provider_id)
    assert not shop.nudge(None, "forged")
    assert not shop.nudge(None, None)


def test_an_error_of_the_provider_never_ends_the_checks(shop: ShopUnderTest) -> None:
    payment = shop.buys()
    shop.provider.fails_with = ProviderUnavailable("down")
    for _ in range(40):
        shop.settles()
        shop.passes(timedelta(hours=1))
    shop.provider.fails_with = None

    shop.passes(timedelta(days=1))
    shop.works()

    assert shop.payment(payment).is_paid


def test_a_provider_that_refuses_our_credentials_loses_nothing(shop: ShopUnderTest) -> None:
    payment = shop.buys()
    shop.provider.fails_with = PaymentRefused("401")

    assert [type(error) for error in shop.settles()] == [PaymentRefused]
    shop.provider.fails_with = None
    shop.passes(timedelta(minutes=1))
    shop.settles()

    assert shop.payment(payment).is_paid


@pytest.mark.parametrize("change", [{"amount": Money(1)}, {"amount": Money(19_900, "USD")}])
def test_money_that_does_not_match_grants_nothing(shop: ShopUnderTest, change: dict[str, Money]) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment, **change)
    shop.nudge(payment.id, None)

    shop.works()

    assert shop.payment(payment).state is PaymentState.DISPUTED
    assert not shop.has_subscription()
    assert shop.node.applied == []


def test_a_declined_payment_is_told_once_and_grants_nothing(shop: ShopUnderTest) -> None:
    payment = shop.chooses()
    shop.provider.cancels(payment, "insufficient_funds")
    for _ in range(3):
        shop.nudge(payment.id, None)
        shop.passes(timedelta(seconds=3))
        shop.works()

    assert shop.letters() == ["PaymentDeclined"]
    assert shop.payment(payment).reason == "insufficient_funds"
    assert not shop.has_subscription()


def test_two_links_both_paid_are_two_grants(shop: ShopUnderTest) -> None:
    first, second = shop.chooses(MONTH), shop.chooses(YEAR)
    shop.provider.pays(first)
    shop.provider.pays(second)
    shop.passes(timedelta(seconds=6))

    shop.works()

    assert shop.subscription().ends_at == shop.now + 390 * DAY


def test_a_dead_node_delays_the_keys_and_tells_the_customer_that_the_money_came(shop: ShopUnderTest) -> None:
    shop.node.fails_with = {protocol: NodeUnavailable("down") for protocol in Protocol}
    payment = shop.buys()
    shop.works()
    shop.passes(timedelta(seconds=3))
    shop.works()
    assert shop.letters() == ["PaymentReceived"]
    assert shop.payment(payment).is_paid

    shop.node.fails_with = {}
    shop.passes(timedelta(minutes=5))
    shop.works()

    assert shop.letters() == ["PaymentReceived", "KeysReady"]


def test_a_dead_node_is_tried_once_for_all_its_work(shop: ShopUnderTest) -> None:
    shop.node.fails_with = {protocol: NodeUnavailable("down") for protocol in Protocol}
    shop.buys()
    shop.works()
    tried = len(shop.node.applied)

    shop.provides()  # the gates are closed
    assert len(shop.node.applied) == tried

    shop.passes(timedelta(seconds=2))
    shop.provides()
    assert len(shop.node.applied) == 2 * tried


def test_the_first_key_that_works_is_delivered_without_waiting_for_the_last(shop: ShopUnderTest) -> None:
    shop.buys()
    shop.settles()
    agent = Keeper(NodeCode("de1"), Protocol.SHADOWSOCKS)
    with shop.database.open_ledger() as ledger:
        [claim] = ledger.accesses.claim_due(shop.now, shop.now + timedelta(minutes=3), 10, keeper=agent)
    asyncio.run(shop.provide_access(claim))
    shop.delivers()
    assert shop.letters() == []  # the panel may answer any moment

    shop.passes(timedelta(seconds=1))
    shop.delivers()

    [(_, letter)] = shop.messenger.sent
    assert "ss://" in letter.html
    assert "vless://" not in letter.html


def test_nobody_waits_for_the_keys_of_a_keeper_that_is_known_to_be_down(shop: ShopUnderTest) -> None:
    shop.node.fails_with = {Protocol.VLESS: NodeUnavailable("panel down")}
    shop.buys(customer_id=CustomerId(100))
    shop.works()

    shop.buys()
    shop.works()

    assert [to for to, _ in shop.messenger.sent] == [ANNA.id]  # the first one waited, until it was known


def test_when_a_gate_opens_one_tries_and_the_others_wait_for_it(shop: ShopUnderTest) -> None:
    for number in range(5):
        shop.buys(customer_id=CustomerId(100 + number))
    shop.settles()
    shop.node.fails_with = {protocol: NodeUnavailable("down") for protocol in Protocol}
    shop.provides()
    shop.node.applied.clear()

    shop.passes(timedelta(minutes=1))
    shop.provides()
    assert len(shop.node.applied) == len(Protocol)

    shop.node.fails_with = {}
    for _ in range(2):
        shop.passes(timedelta(minutes=1))
        shop.provides()
    assert len(shop.node.holds) == 5 * len(Protocol)


def test_nobody_else_tries_while_one_is_trying_a_gate(shop: ShopUnderTest) -> None:
    shop.node.fails_with = {protocol: NodeUnavailable("down") for protocol in Protocol}
    for number in range(3):
        shop.buys(customer_id=CustomerId(100 + number))
    shop.settles()
    shop.provides()
    shop.passes(timedelta(minutes=1))
    until = shop.now + timedelta(minutes=3)

    with shop.database.open_ledger() as ledger:
        assert len(ledger.accesses.claim_due(shop.now, until, 10)) == len(Protocol)
        assert ledger.accesses.claim_due(shop.now, until, 10) == []
    assert Activity.PROVIDE not in shop.agenda.due(shop.now)


def test_a_node_that_is_there_and_fails_on_one_access_keeps_nobody_else_waiting(shop: ShopUnderTest) -> None:
    shop.node.fails_with = {Protocol.VLESS: NodeUnavailable("500", answered=True)}
    shop.buys()
    shop.works()
    shop.node.fails_with = {}
    shop.buys(customer_id=CustomerId(2))

    shop.works()

    assert len(shop.show_subscription(CustomerId(2), Language.RUSSIAN).keys) == 2  # type: ignore[union-attr]


def test_a_node_that_is_ahead_of_a_restored_database_is_overtaken(shop: ShopUnderTest) -> None:
    shop.node.fails_with = {Protocol.SHADOWSOCKS: NodeIsAhead("409", revision=7)}
    shop.buys()
    shop.works()
    shop.node.fails_with = {}

    shop.works()

    assert shop.subscription().revision == 8
    assert {wanted.revision for wanted in shop.node.holds.values()} == {8}
    assert len(shop.node.holds) == 2


def test_a_node_that_refuses_is_tried_again_ever_more_rarely(shop: ShopUnderTest) -> None:
    shop.node.fails_with = {protocol: NodeRefused("422") for protocol in Protocol}
    shop.buys()
    shop.settles()
    for _ in range(60):
        shop.provides()
        shop.passes(timedelta(seconds=5))

    assert 2 * 4 <= len(shop.node.applied) <= 2 * 7


def test_a_renewal_says_so_on_the_node_and_in_the_chat(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(10 * DAY)

    shop.buys_and_gets()

    assert shop.subscription().ends_at == NOW + 60 * DAY
    assert {wanted.ends_at for wanted in shop.node.holds.values()} == {NOW + 60 * DAY}
    assert shop.letters() == ["KeysReady", "KeysReady"]


def test_a_renewal_while_the_node_is_down_hides_no_key_that_works(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    before = shop.show_subscription(ANNA.id, Language.RUSSIAN)
    shop.node.fails_with = {protocol: NodeUnavailable("down") for protocol in Protocol}

    shop.buys_and_gets()
    shop.passes(timedelta(seconds=3))
    shop.works()

    view = shop.show_subscription(ANNA.id, Language.RUSSIAN)
    assert before is not None
    assert view is not None
    assert view.keys == before.keys
    assert view.ends_at == NOW + 60 * DAY
    assert shop.letters() == ["KeysReady", "PaymentReceived"]


def test_a_key_whose_end_has_passed_on_the_node_is_not_shown_before_the_node_knows_better(
    shop: ShopUnderTest,
) -> None:
    shop.buys_and_gets()
    shop.node.fails_with = {protocol: NodeUnavailable("down") for protocol in Protocol}
    shop.passes(31 * DAY)
    shop.works()
    shop.buys_and_gets()

    view = shop.show_subscription(ANNA.id, Language.RUSSIAN)

    assert view is not None
    assert view.keys == []
    assert view.preparing == 2


def test_a_renewal_while_the_node_is_being_told_is_told_after_it(shop: ShopUnderTest) -> None:
    shop.buys()
    shop.settles()

    def renew() -> None:
        shop.passes(timedelta(seconds=5))
        shop.buys(YEAR)
        shop.settles()

    shop.node.meanwhile = renew
    shop.provides()
    shop.works()

    assert {wanted.ends_at for wanted in shop.node.holds.values()} == {NOW + 390 * DAY}
    with shop.ledger() as ledger:
        progress = ledger.accesses.progress(shop.subscription().id, shop.now)
    assert progress.applied == progress.wanted


def test_telegram_down_for_an_hour_delays_the_keys_and_loses_none(shop: ShopUnderTest) -> None:
    shop.messenger.fails_with = MessengerUnavailable("down")
    shop.buys()
    for _ in range(60):
        shop.works()
        shop.passes(timedelta(minutes=1))
    shop.messenger.fails_with = None

    shop.passes(timedelta(minutes=5))
    shop.works()

    assert shop.letters() == ["KeysReady"]


def test_telegram_is_left_alone_for_as_long_as_it_asks(shop: ShopUnderTest) -> None:
    shop.messenger.fails_with = MessengerUnavailable("flood", retry_after=120)
    shop.buys()
    shop.works()
    shop.messenger.fails_with = None

    shop.passes(timedelta(seconds=119))
    shop.works()
    assert shop.letters() == []

    shop.passes(timedelta(seconds=2))
    shop.works()
    assert shop.letters() == ["KeysReady"]


def test_what_came_too_late_for_whoever_blocked_the_bot_waits_no_longer(shop: ShopUnderTest) -> None:
    shop.messenger.fails_with = Unreachable("blocked")
    shop.buys_and_gets()
    shop.passes(DAY)
    assert Activity.DELIVER not in shop.agenda.due(shop.now)

    shop.passes(31 * DAY)
    assert Activity.DELIVER in shop.agenda.due(shop.now)
    for _ in range(2):  # one for each customer at a time
        shop.delivers()

    assert Activity.DELIVER not in shop.agenda.due(shop.now)
    assert shop.messenger.sent == []


def test_a_customer_who_blocked_the_bot_keeps_the_purchase_and_gets_the_keys_on_return(shop: ShopUnderTest) -> None:
    shop.messenger.fails_with = Unreachable("blocked")
    payment = shop.buys_and_gets()
    shop.messenger.fails_with = None
    assert shop.payment(payment).is_paid
    shop.passes(DAY)
    shop.works()
    assert shop.letters() == []

    shop.registers()
    shop.works()

    assert shop.letters() == ["KeysReady"]


def test_a_nearing_end_is_told_twice_and_the_end_once(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.messenger.sent.clear()

    for _ in range(35 * 4):
        shop.passes(DAY / 4)
        shop.works()

    assert shop.letters() == ["EndsSoon", "EndsSoon", "Ended"]
    assert shop.node.holds == {}
    with shop.ledger() as ledger:
        assert ledger.accesses.of_subscription(shop.subscription().id) == []


def test_a_reminder_is_dropped_when_the_customer_has_renewed_before_it_went(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.messenger.sent.clear()
    shop.messenger.fails_with = MessengerUnavailable("down")
    shop.passes(27 * DAY)
    shop.works()

    shop.messenger.fails_with = None
    shop.buys_and_gets()
    shop.passes(timedelta(minutes=10))
    while shop.agenda.due(shop.now):
        shop.works()

    assert shop.letters() == ["KeysReady"]


def test_an_expiry_that_a_renewal_overtook_ends_nothing_and_comes_at_the_new_end(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(30 * DAY)
    with shop.ledger() as ledger:
        [due] = ledger.subscriptions.due_for_expiry(shop.now, 10)
    shop.buys()
    shop.settles()

    shop.expire_subscription(due)
    shop.remind_customer(due)
    shop.works()

    assert len(shop.node.holds) == 2
    assert shop.subscription().is_active(shop.now)
    shop.passes(30 * DAY)
    shop.works()
    assert shop.node.holds == {}


def test_a_message_that_came_too_late_is_not_sent_any_more(shop: ShopUnderTest) -> None:
    shop.messenger.fails_with = MessengerUnavailable("down")
    payment = shop.chooses()
    shop.provider.cancels(payment, "insufficient_funds")
    shop.nudge(payment.id, None)
    shop.works()
    shop.messenger.fails_with = None

    shop.passes(31 * DAY)
    shop.works()

    assert shop.letters() == []
    assert Activity.DELIVER not in shop.agenda.due(shop.now)


def test_an_expired_customer_gets_the_very_same_keys_back(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    before = {wanted.credential for wanted in shop.node.holds.values()}
    shop.passes(31 * DAY)
    shop.works()
    assert shop.node.holds == {}

    shop.buys_and_gets()

    assert {wanted.credential for wanted in shop.node.holds.values()} == before
    assert shop.subscription().ends_at == shop.now + 30 * DAY


def test_a_purchase_during_removal_brings_the_access_back(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(31 * DAY)
    shop.expires()
    with shop.database.open_ledger() as ledger:
        claims = ledger.accesses.claim_due(shop.now, shop.now + timedelta(minutes=3), 10)
    shop.passes(timedelta(seconds=1))
    shop.buys()
    shop.settles()
    for claim in claims:
        asyncio.run(shop.provide_access(claim))

    shop.passes(timedelta(seconds=1))
    shop.works()

    assert len(shop.node.holds) == 2


def test_registering_twice_is_one_customer_in_the_latest_language(shop: ShopUnderTest) -> None:
    shop.register(CustomerId(5), "ru")
    shop.register(CustomerId(5), "en-GB")

    with shop.ledger() as ledger:
        assert ledger.customers.find(CustomerId(5)).language is Language.ENGLISH
