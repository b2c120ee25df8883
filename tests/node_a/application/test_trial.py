"""Trials: once for each person, only so many a day, and nobody comes back for a second by being erased."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from node_a.domain.customer import Customer, CustomerId, Language, Standing
from node_a.domain.errors import CustomerBanned, TrialRefused, UnknownCustomer
from node_a.domain.keys import KeyRing
from tests.builders import ANNA, DAY, MONTH, NOW, RING, TRIAL
from tests.databases import on_postgresql
from tests.fakes.shop import ShopUnderTest
from tests.node_a.application.waiting import until_somebody_waits

PER_DAY = 10  # of the shop under test


def takes_all(shop: ShopUnderTest, ids: list[CustomerId]) -> list[str]:
    """All of them at once; "taken", or the name of what was raised."""
    start = Barrier(len(ids))

    def take(id: CustomerId) -> str:
        start.wait(timeout=30)
        try:
            shop.take_trial(id)
        except TrialRefused as error:
            return type(error).__name__
        return "taken"

    with ThreadPoolExecutor(len(ids)) as pool:
        return sorted(pool.map(take, ids))


def many(shop: ShopUnderTest, count: int) -> list[CustomerId]:
    ids = [CustomerId(1000 + number) for number in range(count)]
    for id in ids:
        shop.register(id, "ru")
    return ids


def trials_taken(shop: ShopUnderTest) -> int:
    with shop.ledger() as ledger:
        return ledger.trials.taken_since(shop.now - DAY)  # type: ignore[no-any-return]


def test_a_trial_gives_its_days_and_the_keys_come_by_themselves(shop: ShopUnderTest) -> None:
    shop.registers()
    assert shop.trial_available(ANNA.id) == TRIAL

    shop.take_trial(ANNA.id)
    assert shop.works() == []

    assert shop.subscription().ends_at == NOW + 3 * DAY
    assert shop.subscription().plan_at(NOW) == TRIAL
    assert {wanted.traffic_limit for wanted in shop.node.holds.values()} == {TRIAL.traffic_limit}
    assert len(shop.node.holds) == 2
    assert shop.letters() == ["KeysReady"]


def test_a_second_trial_is_refused_and_adds_nothing(shop: ShopUnderTest) -> None:
    shop.registers()
    shop.take_trial(ANNA.id)
    shop.passes(100 * DAY)

    with pytest.raises(TrialRefused):
        shop.take_trial(ANNA.id)

    assert shop.trial_available(ANNA.id) is None
    assert len(shop.subscription().grants) == 1


def test_a_customer_who_pays_needs_no_trial_not_even_after_the_end(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    for _ in range(2):
        assert shop.trial_available(ANNA.id) is None
        with pytest.raises(TrialRefused):
            shop.take_trial(ANNA.id)
        shop.passes(40 * DAY)

    assert [grant.plan.code for grant in shop.subscription().grants] == ["month"]
    assert trials_taken(shop) == 0


def test_a_purchase_after_a_trial_begins_where_the_trial_ends(shop: ShopUnderTest) -> None:
    shop.registers()
    shop.take_trial(ANNA.id)
    shop.passes(DAY)

    shop.buys_and_gets()

    assert shop.subscription().ends_at == NOW + 33 * DAY


@pytest.mark.parametrize("standing", [Standing.BANNED, Standing.DELETED])
def test_whoever_may_not_use_the_shop_gets_no_trial(shop: ShopUnderTest, standing: Standing) -> None:
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(replace(ANNA, standing=standing))

    assert shop.trial_available(ANNA.id) is None
    with pytest.raises(CustomerBanned):
        shop.take_trial(ANNA.id)
    assert trials_taken(shop) == 0


def test_somebody_whom_nobody_knows_is_offered_none(shop: ShopUnderTest) -> None:
    assert shop.trial_available(ANNA.id) is None
    with pytest.raises(UnknownCustomer):
        shop.take_trial(ANNA.id)


def test_without_an_offer_there_are_no_trials(shop: ShopUnderTest) -> None:
    shop.registers()

    assert replace(shop.trial_available, offer=None)(ANNA.id) is None
    with pytest.raises(TrialRefused):
        replace(shop.take_trial, offer=None)(ANNA.id)
    assert not shop.has_subscription()


def test_the_days_cap_opens_again_trial_by_trial_after_24_hours(shop: ShopUnderTest) -> None:
    ids = many(shop, PER_DAY + 2)
    for id in ids[:PER_DAY]:
        shop.take_trial(id)
        shop.passes(timedelta(hours=1))
    assert shop.trial_available(ids[-1]) is None
    with pytest.raises(TrialRefused):
        shop.take_trial(ids[-1])

    shop.passes(timedelta(hours=24 - PER_DAY, seconds=1))  # the first of them is a day old, the second is not

    assert shop.trial_available(ids[-1]) == TRIAL
    shop.take_trial(ids[-1])
    with pytest.raises(TrialRefused):
        shop.take_trial(ids[-2])


def test_many_taps_of_one_customer_at_once_give_one_trial(shop: ShopUnderTest) -> None:
    shop.registers()

    outcomes = takes_all(shop, [ANNA.id] * 8)

    assert outcomes == ["TrialRefused"] * 7 + ["taken"]
    assert [grant.plan for grant in shop.subscription().grants] == [TRIAL]
    assert trials_taken(shop) == 1


def test_of_twenty_customers_at_once_exactly_so_many_get_one_as_may(shop: ShopUnderTest) -> None:
    outcomes = takes_all(shop, many(shop, 20))

    assert outcomes == ["TrialRefused"] * (20 - PER_DAY) + ["taken"] * PER_DAY
    assert trials_taken(shop) == PER_DAY


@on_postgresql
def test_a_trial_waits_for_a_purchase_that_is_being_settled_and_is_then_refused(shop: ShopUnderTest) -> None:
    shop.registers()
    with ThreadPoolExecutor(1) as pool:
        with shop.database.open_ledger() as ledger:
            ledger.customers.locked(ANNA.id)
            shop.take_trial.grant_days(ledger, ANNA.id, "payment:1", MONTH, shop.now)
            trial = pool.submit(shop.take_trial, ANNA.id)
            until_somebody_waits(shop)
        error = trial.exception(timeout=30)

    assert isinstance(error, TrialRefused)
    assert [grant.plan for grant in shop.subscription().grants] == [MONTH]


def test_being_erased_gives_no_second_trial(shop: ShopUnderTest) -> None:
    shop.registers()
    shop.take_trial(ANNA.id)
    shop.works()
    shop.leaves()
    for _ in range(3):
        shop.works()
        shop.passes(timedelta(minutes=1))

    assert shop.register(ANNA.id, "ru") == Customer(ANNA.id, Language.RUSSIAN)
    assert shop.trial_available(ANNA.id) is None
    with pytest.raises(TrialRefused):
        shop.take_trial(ANNA.id)


def test_a_trial_taken_under_an_older_secret_still_counts(shop: ShopUnderTest) -> None:
    shop.registers()
    older = KeyRing({1: RING.secrets[1]})
    with shop.database.open_ledger() as ledger:
        assert ledger.trials.take(older.trial_hashes(ANNA.id)[0], shop.now)

    assert shop.trial_available(ANNA.id) is None
    with pytest.raises(TrialRefused):
        shop.take_trial(ANNA.id)
    assert not shop.has_subscription()


def test_what_is_stored_of_a_trial_is_made_with_the_newest_secret_and_does_not_name_the_customer(
    shop: ShopUnderTest,
) -> None:
    shop.registers()
    shop.take_trial(ANNA.id)

    newest, older = RING.trial_hashes(ANNA.id)
    [grant] = shop.subscription().grants
    assert grant.source == f"trial:{newest}"
    assert str(ANNA.id) not in grant.source
    with shop.ledger() as ledger:
        assert ledger.trials.taken([newest])
        assert not ledger.trials.taken([older])
