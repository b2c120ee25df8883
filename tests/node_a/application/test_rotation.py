"""New keys: for a customer who asks, once for each question; and for everybody when a secret is taken out of use."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest

from node_a.application.ports import Ledger, Urgency
from node_a.application.rotation import RotationOffer
from node_a.application.wanting import Wanting
from node_a.domain.customer import CustomerId, Language, Standing
from node_a.domain.errors import (
    CustomerBanned,
    NodeUnavailable,
    RotationRefused,
    TooManyRotations,
    UnknownSubscription,
)
from node_a.domain.keys import KeyRing
from node_a.domain.node import Protocol
from tests.builders import ANNA, DAY, MONTH, RING
from tests.fakes.operations import Operations
from tests.fakes.shop import ShopUnderTest

NEXT_RING = KeyRing({**RING.secrets, 3: b"the obviously fake one that comes after the others"})
BORIS = CustomerId(7_000_000_002)


def link(shop: ShopUnderTest) -> str:
    view = shop.show_subscription(ANNA.id, Language.RUSSIAN)
    assert view is not None
    return view.link


def token(shop: ShopUnderTest) -> str:
    return link(shop).rpartition("/")[2]


def credentials(shop: ShopUnderTest) -> set[str]:
    return {wanted.credential for wanted in shop.node.holds.values()}


def set_standing(shop: ShopUnderTest, standing: Standing) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(replace(ledger.customers.locked(ANNA.id), standing=standing))


# ── a customer asks ──


def test_new_keys_replace_the_old_ones_everywhere_and_the_old_link_leads_nowhere(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    old_token, old_keys, before = token(shop), credentials(shop), shop.subscription()

    shop.rotate_keys(ANNA.id, shown=0)

    with pytest.raises(UnknownSubscription):
        shop.open_link(old_token)
    assert shop.open_link(token(shop)).keys == []  # the new link is there at once, its keys are on the way
    assert shop.provides() == []
    assert credentials(shop).isdisjoint(old_keys)
    assert len(shop.open_link(token(shop)).keys) == 2
    after = shop.subscription()
    assert (after.rotation, after.grants, after.ends_at) == (1, before.grants, before.ends_at)


def test_one_letter_tells_when_the_first_new_key_works(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    old_keys = credentials(shop)
    shop.rotate_keys(ANNA.id, shown=0)
    assert (shop.delivers(), shop.letters()) == ([], ["KeysReady"])

    for _ in range(3):
        shop.works()
        shop.passes(timedelta(seconds=2))

    assert shop.letters() == ["KeysReady", "NewKeys"]
    written = shop.messenger.sent[-1][1].html
    assert not any(old in written for old in old_keys)
    assert "vless://" in written


def test_a_letter_about_keys_that_were_replaced_again_is_not_sent(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.rotate_keys(ANNA.id, shown=0)
    shop.provides()
    shop.passes(timedelta(seconds=1))
    shop.rotate_keys(ANNA.id, shown=1)
    shop.delivers()
    assert shop.letters() == ["KeysReady"]

    shop.works()

    assert shop.letters() == ["KeysReady", "NewKeys"]


def test_a_letter_that_a_ban_kept_back_comes_with_the_keys(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.rotate_keys(ANNA.id, shown=0)
    shop.provides()
    operations = Operations(shop)
    operations.ban(operations.says(), ANNA.id)
    shop.passes(timedelta(seconds=2))
    for _ in range(3):  # one letter at a time
        shop.works()
    assert shop.letters() == ["KeysReady"]

    operations.unban(operations.says(), ANNA.id)
    shop.works()

    assert shop.letters() == ["KeysReady", "NewKeys"]


def test_the_same_tap_delivered_twice_rotates_once(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.rotate_keys(ANNA.id, shown=0)
    first = token(shop)

    shop.rotate_keys(ANNA.id, shown=0)

    assert shop.subscription().rotation == 1
    assert token(shop) == first
    assert shop.offer_rotation(ANNA.id) == RotationOffer(rotation=1, left=2)


def test_two_taps_at_the_same_moment_rotate_once(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    start = Barrier(4)

    def tap(_: int) -> None:
        start.wait(timeout=30)
        shop.rotate_keys(ANNA.id, shown=0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tap, range(4)))

    assert shop.subscription().rotation == 1


def test_a_question_about_keys_that_are_gone_rotates_nothing(shop: ShopUnderTest) -> None:
    """An old one, or one that is later than our database: a backup was restored."""
    shop.buys_and_gets()
    shop.rotate_keys(ANNA.id, shown=0)
    for shown in (0, 2, 77):
        shop.rotate_keys(ANNA.id, shown=shown)
    assert shop.subscription().rotation == 1


def test_only_so_many_new_keys_are_given_in_any_24_hours(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    for number in range(3):
        shop.rotate_keys(ANNA.id, shown=number)
        shop.passes(timedelta(hours=1))
    assert shop.offer_rotation(ANNA.id) == RotationOffer(rotation=3, left=0)

    with pytest.raises(TooManyRotations):
        shop.rotate_keys(ANNA.id, shown=3)

    shop.passes(timedelta(hours=20))  # 23 hours after the first
    with pytest.raises(TooManyRotations):
        shop.rotate_keys(ANNA.id, shown=3)
    shop.passes(timedelta(hours=1))
    shop.rotate_keys(ANNA.id, shown=3)
    assert shop.subscription().rotation == 4


def test_a_shop_may_give_no_new_keys_at_all(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    assert replace(shop.offer_rotation, per_day=0)(ANNA.id) is None
    with pytest.raises(RotationRefused):
        replace(shop.rotate_keys, per_day=0)(ANNA.id, shown=0)
    assert shop.subscription().rotation == 0


def test_nobody_gets_anothers_keys_replaced(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.register(BORIS, "ru")

    with pytest.raises(RotationRefused):
        shop.rotate_keys(BORIS, shown=0)

    assert shop.subscription().rotation == 0


def test_what_has_ended_gets_no_new_keys(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(MONTH.period)
    for _ in range(2):
        assert shop.offer_rotation(ANNA.id) is None
        with pytest.raises(RotationRefused):
            shop.rotate_keys(ANNA.id, shown=0)
        shop.works()
    assert shop.node.holds == {}


@pytest.mark.parametrize("standing", [Standing.BANNED, Standing.DELETED])
def test_whoever_may_not_use_the_shop_gets_no_new_keys(shop: ShopUnderTest, standing: Standing) -> None:
    shop.buys_and_gets()
    set_standing(shop, standing)
    with pytest.raises(CustomerBanned):
        shop.rotate_keys(ANNA.id, shown=0)
    assert shop.subscription().rotation == 0


def test_at_the_traffic_limit_the_old_link_dies_and_the_new_keys_wait_for_the_renewal(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    old_token, old_keys = token(shop), credentials(shop)
    with shop.database.open_ledger() as ledger:
        suspended = shop.subscription().suspended_now()
        ledger.subscriptions.save(suspended, remind_at=None, expire_at=suspended.ends_at)
        ledger.accesses.want(ledger.accesses.of_subscription(suspended.id), present=False, due_at=shop.now)
    shop.works()

    shop.rotate_keys(ANNA.id, shown=0)
    shop.works()

    with pytest.raises(UnknownSubscription):
        shop.open_link(old_token)
    assert shop.node.holds == {}
    assert shop.letters() == ["KeysReady"]
    shop.buys_and_gets()
    assert len(shop.node.holds) == 2
    assert credentials(shop).isdisjoint(old_keys)


def test_a_node_that_is_down_replaces_its_key_as_soon_as_it_answers(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    old_keys = credentials(shop)
    shop.node.fails_with = {Protocol.VLESS: NodeUnavailable("down")}
    shop.rotate_keys(ANNA.id, shown=0)
    shop.works()
    assert len(credentials(shop) & old_keys) == 1
    assert len(shop.open_link(token(shop)).keys) == 1, "what the node may still hold is not shown as a key that works"

    shop.node.fails_with = {}
    shop.passes(timedelta(minutes=5))
    shop.works()

    assert credentials(shop).isdisjoint(old_keys)
    assert len(shop.node.holds) == 2


def test_new_keys_taken_while_a_node_is_being_told_of_the_old_ones_reach_it(shop: ShopUnderTest) -> None:
    shop.buys()
    shop.settles()

    def a_second_later() -> None:
        shop.passes(timedelta(seconds=1))
        shop.rotate_keys(ANNA.id, shown=0)

    shop.node.meanwhile = a_second_later
    shop.provides()
    shop.provides()

    expected = {RING.credential(shop.subscription(), id.node, id.protocol) for id in shop.node.holds}
    assert credentials(shop) == expected
    assert len(expected) == 2


# ── a secret is taken out of use ──


class Stopped(BaseException):
    """As a killed process: nothing after it runs."""


def customers(shop: ShopUnderTest, number: int) -> list[CustomerId]:
    ids = [CustomerId(100 + one) for one in range(number)]
    for id in ids:
        shop.buys(customer_id=id)
    shop.works()
    return ids


def subscriptions(shop: ShopUnderTest, ids: list[CustomerId]) -> list[tuple[int, int]]:
    """Secret and rotation of each."""
    with shop.ledger() as ledger:
        found = [ledger.subscriptions.of_customer(id) for id in ids]
    return [(one.secret_number, one.rotation) for one in found]


def with_next_secret(shop: ShopUnderTest) -> Any:
    """The shop goes on with a third secret in its ring; the use case that moves everybody to it."""
    shop.provide_access = replace(shop.provide_access, wanting=Wanting(NEXT_RING, shop.domain_nodes))
    shop.view = replace(shop.view, ring=NEXT_RING)
    shop.show_subscription = replace(shop.show_subscription, view=shop.view)
    shop.open_link = replace(shop.open_link, ring=NEXT_RING, view=shop.view)
    look_up = replace(shop.deliver_message.look_up, view=shop.view)
    shop.deliver_message = replace(shop.deliver_message, look_up=look_up)
    return replace(shop.move_to_newest_secret, ring=NEXT_RING)


def test_everybody_moves_to_the_newest_secret_in_batches_and_is_told_once(shop: ShopUnderTest) -> None:
    ids = customers(shop, 5)
    move, old_keys = with_next_secret(shop), credentials(shop)
    assert move.left() == 5

    assert [move(batch=2), move.left(), move(batch=2), move(batch=2), move(batch=2)] == [2, 3, 2, 1, 0]

    assert subscriptions(shop, ids) == [(3, 1)] * 5
    for _ in range(3):
        shop.works()
        shop.passes(timedelta(seconds=2))
    assert credentials(shop).isdisjoint(old_keys)
    assert len(shop.node.holds) == 10
    assert sorted(id for id, letter in shop.messenger.sent if letter.html.startswith("NewKeys")) == ids


def test_moving_counts_as_none_of_the_customers_own_rotations(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    with_next_secret(shop)(batch=10)
    assert shop.offer_rotation(ANNA.id) == RotationOffer(rotation=1, left=3)


def test_killed_in_the_middle_it_goes_on_and_nobody_is_moved_twice(shop: ShopUnderTest) -> None:
    ids = customers(shop, 5)
    move, transactions = with_next_secret(shop), count(1)

    def write_until_killed(work: Any) -> Any:
        number = next(transactions)

        def killed_before_the_commit(ledger: Ledger) -> Any:
            result = work(ledger)
            if number == 3:
                raise Stopped
            return result

        return shop.database.write(killed_before_the_commit)

    with pytest.raises(Stopped):
        replace(move, write=write_until_killed)(batch=10)
    assert sorted(subscriptions(shop, ids)) == [(2, 0), (2, 0), (2, 0), (3, 1), (3, 1)]

    assert [move(batch=10), move(batch=10)] == [3, 0]

    assert subscriptions(shop, ids) == [(3, 1)] * 5


def test_two_who_move_at_the_same_time_move_everybody_once(shop: ShopUnderTest) -> None:
    ids = customers(shop, 4)
    move, start = with_next_secret(shop), Barrier(2)

    def run(_: int) -> None:
        start.wait(timeout=30)
        while move(batch=2):
            pass

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))

    assert subscriptions(shop, ids) == [(3, 1)] * 4


def test_a_purchase_goes_before_what_moving_left_to_do(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    with_next_secret(shop)(batch=10)
    shop.passes(timedelta(seconds=5))
    shop.buys(customer_id=BORIS)
    shop.settles()

    with shop.database.open_ledger() as ledger:
        anna, boris = (ledger.subscriptions.of_customer(id) for id in (ANNA.id, BORIS))
        claims = ledger.accesses.claim_due(shop.now, shop.now + timedelta(minutes=3), 100)

    assert anna is not None
    assert boris is not None
    urgencies = {(claim.id.subscription_id, claim.urgency) for claim in claims}
    assert urgencies == {(anna.id, Urgency.UPKEEP), (boris.id, Urgency.CUSTOMER)}


def test_moving_brings_nothing_back_to_whoever_is_banned(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    operations = Operations(shop)
    operations.ban(operations.says(), ANNA.id)
    shop.works()

    with_next_secret(shop)(batch=10)
    shop.passes(MONTH.period - DAY)
    shop.works()

    assert shop.subscription().secret_number == 3
    assert shop.node.holds == {}
    operations.unban(operations.says(), ANNA.id)
    shop.works()
    assert len(shop.node.holds) == 2
    assert shop.letters() == ["KeysReady", "NewKeys"]


def test_an_ended_subscription_is_moved_in_silence_and_renewed_with_its_new_keys(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(MONTH.period + DAY)
    shop.works()
    old_token = token(shop)

    with_next_secret(shop)(batch=10)
    shop.works()
    assert shop.letters() == ["KeysReady", "Ended"]
    assert shop.node.holds == {}
    with pytest.raises(UnknownSubscription):
        shop.open_link(old_token)

    shop.buys_and_gets()
    shop.passes(timedelta(seconds=2))
    shop.works()
    assert len(shop.open_link(token(shop)).keys) == 2
