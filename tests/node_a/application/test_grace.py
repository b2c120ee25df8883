"""Days of grace from the setting to the node: the keys live on for a while, so that somebody can renew through them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from node_a.application.notices import Ended, LookUpNotice
from node_a.application.overview import SubscriptionView, TrafficView
from node_a.domain.customer import Language
from node_a.domain.message import Message, MessageId
from node_a.domain.money import Money
from node_a.domain.plan import Plan
from node_a.domain.subscription import SubscriptionState
from tests.builders import ANNA, DAY, MONTH, NOW, TRIAL, YEAR
from tests.fakes.operations import Operations
from tests.fakes.shop import ShopUnderTest

GIGABYTE = 10**9
GRACE = Plan("grace", 2, Money(0), GIGABYTE)
END = NOW + 30 * DAY


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    """GRACE_DAYS is 2."""
    shop = ShopUnderTest(database_url, grace=GRACE)
    yield shop
    shop.close()


@pytest.fixture
def others(shop: ShopUnderTest, database_url: str) -> Iterator["Settings"]:
    settings = Settings(shop, database_url)
    yield settings
    settings.close()


class Settings:
    """The same shop after its settings were changed and it was started again."""

    def __init__(self, shop: ShopUnderTest, database_url: str) -> None:
        self._shop, self._url, self._opened = shop, database_url, list[ShopUnderTest]()

    def with_grace(self, grace: Plan | None) -> ShopUnderTest:
        self._opened.append(ShopUnderTest(self._url, world=self._shop, grace=grace))
        return self._opened[-1]

    def close(self) -> None:
        for shop in self._opened:
            shop.close()


def buys(shop: ShopUnderTest, plan: Plan = MONTH) -> None:
    """Pays, gets the keys, and a moment later everything has been said of it."""
    shop.buys_and_gets(plan)
    shop.passes(timedelta(seconds=3))
    shop.delivers()
    shop.passes(-timedelta(seconds=3))


def ends_on_the_node(shop: ShopUnderTest) -> set[datetime]:
    return {wanted.ends_at for wanted in shop.node.holds.values()}


def view(shop: ShopUnderTest) -> SubscriptionView:
    found = shop.show_subscription(ANNA.id, Language.RUSSIAN)
    assert found is not None
    return found


def test_the_node_knows_the_end_with_grace_from_the_start(shop: ShopUnderTest) -> None:
    buys(shop)

    assert ends_on_the_node(shop) == {END + 2 * DAY}
    assert view(shop).ends_at == END
    assert view(shop).keys_until == END + 2 * DAY


def test_at_the_paid_end_the_customer_is_told_and_the_keys_stay_for_two_days(shop: ShopUnderTest) -> None:
    buys(shop)
    shop.passes(30 * DAY)
    shop.works()

    assert shop.letters() == ["KeysReady", "Ended"]
    assert view(shop).state is SubscriptionState.GRACE
    assert len(view(shop).keys) == 2
    assert view(shop).days_left == 0

    shop.passes(2 * DAY)
    shop.works()
    assert shop.node.holds == {}
    assert view(shop).state is SubscriptionState.EXPIRED
    assert shop.letters() == ["KeysReady", "Ended"]


def test_reminders_are_about_the_paid_end(shop: ShopUnderTest) -> None:
    buys(shop)
    shop.passes(27 * DAY)
    shop.works()
    shop.passes(2 * DAY)
    shop.works()
    shop.passes(2 * DAY)
    shop.works()

    assert shop.letters() == ["KeysReady", "EndsSoon", "EndsSoon", "Ended"]


def test_a_renewal_in_grace_starts_at_once_and_says_keys_ready_once(shop: ShopUnderTest) -> None:
    buys(shop)
    shop.passes(31 * DAY)
    shop.works()

    shop.passes(timedelta(hours=1))
    now = shop.now
    buys(shop)

    assert shop.subscription().paid_until == now + 30 * DAY
    assert ends_on_the_node(shop) == {now + 32 * DAY}
    assert view(shop).state is SubscriptionState.ACTIVE
    assert shop.letters() == ["KeysReady", "Ended", "KeysReady"]


def test_nobody_is_told_that_keys_are_ready_for_days_of_grace(shop: ShopUnderTest) -> None:
    buys(shop)
    shop.passes(30 * DAY)
    shop.works()
    with shop.database.open_ledger() as ledger:  # as by a repair
        ledger.accesses.make_due(shop.subscription().id, shop.now)
    shop.works()
    shop.passes(timedelta(minutes=1))
    shop.works()

    assert shop.letters() == ["KeysReady", "Ended"]


def test_grace_has_little_traffic_and_whoever_uses_that_up_has_just_ended(shop: ShopUnderTest) -> None:
    buys(shop)
    shop.passes(30 * DAY)
    shop.works()
    assert view(shop).traffic == TrafficView(0, GIGABYTE, END + 2 * DAY)
    assert {wanted.traffic_limit for wanted in shop.node.holds.values()} == {GIGABYTE}

    for used in (9 * GIGABYTE // 20, GIGABYTE):
        shop.node.counters = dict.fromkeys(shop.node.holds, used)
        shop.counts()
        shop.works()

    assert shop.node.holds == {}
    assert view(shop).state is SubscriptionState.EXPIRED
    assert shop.letters() == ["KeysReady", "Ended"]
    shop.passes(timedelta(hours=1))
    buys(shop)
    assert len(shop.node.holds) == 2
    assert view(shop).state is SubscriptionState.ACTIVE


def test_who_was_suspended_at_the_paid_end_can_still_renew_through_the_vpn(shop: ShopUnderTest) -> None:
    buys(shop, YEAR)
    shop.passes(359 * DAY)
    shop.works()
    limit = {wanted.traffic_limit for wanted in shop.node.holds.values()}.pop() or 0
    shop.node.counters = dict.fromkeys(shop.node.holds, limit)
    shop.counts()
    shop.works()
    assert view(shop).state is SubscriptionState.SUSPENDED

    shop.passes(DAY)
    shop.works()

    assert view(shop).state is SubscriptionState.GRACE
    assert len(shop.node.holds) == 2


def test_a_refund_moves_the_grace_to_the_new_end(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()
    shop.passes(10 * DAY)
    shop.refunds(payment)
    shop.works()
    shop.works()

    end = shop.now
    assert shop.subscription().paid_until == end
    assert ends_on_the_node(shop) == {end + 2 * DAY}
    assert view(shop).state is SubscriptionState.GRACE


def test_a_trial_alone_has_no_grace_and_what_is_bought_after_it_has(shop: ShopUnderTest) -> None:
    shop.registers()
    shop.take_trial(ANNA.id)
    shop.works()
    assert ends_on_the_node(shop) == {NOW + TRIAL.period}

    buys(shop)
    assert ends_on_the_node(shop) == {END + TRIAL.period + 2 * DAY}


def test_a_gift_has_grace_too(shop: ShopUnderTest) -> None:
    operations = Operations(shop)
    shop.registers()
    operations.grant(operations.says(), ANNA.id, 5)
    shop.works()

    assert ends_on_the_node(shop) == {NOW + 7 * DAY}


@pytest.mark.parametrize(("grace", "days"), [(None, 0), (Plan("grace", 5, Money(0), GIGABYTE), 5)])
def test_who_renews_after_the_setting_changed_has_it_as_it_is_then(
    shop: ShopUnderTest, others: Settings, grace: Plan | None, days: int
) -> None:
    buys(shop)
    changed = others.with_grace(grace)
    assert changed.subscription().ends_at == END + 2 * DAY  # what was given stays

    changed.buys_and_gets()

    assert changed.subscription().paid_until == END + 30 * DAY
    assert ends_on_the_node(changed) == {END + (30 + days) * DAY}
    changed.passes((60 + days) * DAY)
    changed.works()
    assert view(changed).state is SubscriptionState.EXPIRED
    assert changed.node.holds == {}


def test_switched_on_later_grace_comes_with_the_next_renewal(shop: ShopUnderTest, others: Settings) -> None:
    without = others.with_grace(None)
    without.buys_and_gets()
    assert ends_on_the_node(without) == {END}

    shop.buys_and_gets()
    assert ends_on_the_node(shop) == {END + 32 * DAY}


def test_what_is_written_about_the_end_says_how_long_the_keys_work(shop: ShopUnderTest) -> None:
    buys(shop)
    shop.passes(30 * DAY)
    message = Message.ended(MessageId(UUID(int=900)), shop.subscription(), END, shop.now)
    look_up = LookUpNotice(view=shop.view, clock=lambda: shop.now)

    with shop.ledger() as ledger:
        assert look_up(ledger, message, ANNA) == Ended(END, END + 2 * DAY)
    shop.passes(2 * DAY)
    with shop.ledger() as ledger:
        assert look_up(ledger, message, ANNA) == Ended(END)
