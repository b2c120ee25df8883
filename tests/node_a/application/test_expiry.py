"""What time alone changes, for whom time must change nothing any more."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from node_a.domain.plan import Plan
from node_a.domain.subscription import SubscriptionState
from tests.builders import ANNA, DAY, YEAR, a_node
from tests.fakes.operations import Operations
from tests.fakes.shop import ShopUnderTest


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(database_url, nodes=[a_node()])
    yield shop
    shop.close()


def buys_and_uses_it_up(shop: ShopUnderTest, plan: Plan = YEAR) -> None:
    shop.buys_and_gets(plan)
    shop.node.counters = dict.fromkeys(shop.node.holds, plan.traffic_limit or 0)
    shop.counts()
    shop.works()
    assert shop.subscription().state(shop.now) is SubscriptionState.SUSPENDED


def is_due_then(shop: ShopUnderTest) -> bool:
    with shop.ledger() as ledger:
        return bool(ledger.subscriptions.due_for_expiry(shop.now + 400 * DAY, 1))


def test_a_new_traffic_period_brings_no_keys_to_whoever_was_banned_at_that_moment(shop: ShopUnderTest) -> None:
    buys_and_uses_it_up(shop)
    id = shop.subscription().id
    shop.passes(30 * DAY)

    # The worker has just seen that it is due.
    operations = Operations(shop)
    operations.ban(operations.says(), ANNA.id)
    shop.expire_subscription(id)
    shop.works()

    assert not shop.node.holds
    assert not is_due_then(shop)


def test_a_new_traffic_period_does_not_stand_in_the_way_of_an_erasure(shop: ShopUnderTest) -> None:
    buys_and_uses_it_up(shop)
    id = shop.subscription().id
    shop.passes(30 * DAY)

    shop.leaves()
    shop.expire_subscription(id)
    shop.works()
    shop.passes(timedelta(minutes=2))
    shop.works()

    assert not shop.has_subscription()
