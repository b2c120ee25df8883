"""Jobs: at their hours, once, however many workers there are, and again if they fail."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from node_a.adapters.threads import Threads
from node_a.application.jobs import AFTER_A_FAILURE, Job, RunJob, ensure_jobs, next_run
from node_a.application.ports import Activity, JobClaim
from node_a.domain.errors import ProviderUnavailable
from tests.fakes.shop import ShopUnderTest

LEASE = timedelta(minutes=30)


@pytest.fixture
def shop(database_url: str) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(database_url)
    shop.database.write(lambda ledger: ensure_jobs(ledger, shop.now))
    yield shop
    shop.close()


def claims(shop: ShopUnderTest) -> list[JobClaim]:
    return list(shop.database.write(lambda ledger: ledger.jobs.claim_due(list(Job), shop.now, shop.now + LEASE, 10)))


def run(shop: ShopUnderTest, claim: JobClaim, error: Exception | None = None) -> list[str]:
    done: list[str] = []

    async def work() -> None:
        done.append(claim.name)
        if error is not None:
            raise error

    threads = Threads("jobs", 1)
    job = RunJob(ledger=threads.transaction(shop.database.write), work=dict.fromkeys(Job, work), clock=lambda: shop.now)
    asyncio.run(job(claim))
    return done


def failing(shop: ShopUnderTest) -> list[tuple[str, datetime]]:
    with shop.ledger() as ledger:
        return list(ledger.jobs.failing_since(shop.now))


@pytest.mark.parametrize(
    ("now", "night"),
    [
        (datetime(2026, 11, 22, 12, 0, tzinfo=UTC), datetime(2026, 11, 23, 0, 30, tzinfo=UTC)),
        (datetime(2026, 11, 22, 0, 29, tzinfo=UTC), datetime(2026, 11, 22, 0, 30, tzinfo=UTC)),
        (datetime(2026, 11, 22, 0, 30, tzinfo=UTC), datetime(2026, 11, 23, 0, 30, tzinfo=UTC)),
    ],
)
def test_reconciling_is_for_the_night(now: datetime, night: datetime) -> None:
    assert next_run(Job.RECONCILE, now) == night


def test_a_job_is_taken_by_one_worker_and_comes_back_the_next_night(shop: ShopUnderTest) -> None:
    shop.now = datetime(2026, 11, 23, 0, 31, tzinfo=UTC)
    assert Activity.JOB in shop.agenda.due(shop.now)
    due = {claim.name: claim for claim in claims(shop)}
    assert claims(shop) == []

    assert run(shop, due[Job.RECONCILE]) == [Job.RECONCILE]

    shop.now += timedelta(hours=23)
    assert Job.RECONCILE not in [claim.name for claim in claims(shop)]
    shop.now += timedelta(hours=1)
    assert Job.RECONCILE in [claim.name for claim in claims(shop)]


def test_a_worker_that_died_is_followed_when_its_lease_ends(shop: ShopUnderTest) -> None:
    shop.now += timedelta(days=1)
    first = claims(shop)
    shop.now += LEASE
    assert {claim.name for claim in claims(shop)} == {claim.name for claim in first}


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), ValueError("nobody foresaw this")])
def test_one_that_failed_is_tried_again_soon(shop: ShopUnderTest, error: Exception) -> None:
    shop.now += timedelta(days=1)
    (claim,) = [one for one in claims(shop) if one.name == Job.RECONCILE]

    with pytest.raises(type(error)):
        run(shop, claim, error)

    assert failing(shop) == [(Job.RECONCILE, shop.now)]
    shop.now += AFTER_A_FAILURE
    assert Job.RECONCILE in [one.name for one in claims(shop)]


def test_a_restart_plans_nothing_anew(shop: ShopUnderTest) -> None:
    shop.now += timedelta(days=1)
    shop.database.write(lambda ledger: ensure_jobs(ledger, shop.now))
    assert {claim.name for claim in claims(shop)} == set(Job)


def test_a_job_of_a_later_release_is_left_to_it(shop: ShopUnderTest) -> None:
    shop.database.write(lambda ledger: ledger.jobs.ensure("of a later release", shop.now))
    assert claims(shop) == []


def test_since_when_a_job_fails_is_known_until_it_gets_through(shop: ShopUnderTest) -> None:
    began = None
    for _ in range(2):
        shop.now += timedelta(days=1)
        (claim,) = [one for one in claims(shop) if one.name == Job.RECONCILE]
        began = began or shop.now
        with pytest.raises(ProviderUnavailable):
            run(shop, claim, ProviderUnavailable("down"))
    assert failing(shop) == [(Job.RECONCILE, began)]

    shop.database.write(lambda ledger: ledger.jobs.make_due(Job.RECONCILE, shop.now))
    (claim,) = [one for one in claims(shop) if one.name == Job.RECONCILE]
    run(shop, claim)

    assert failing(shop) == []
    assert not shop.database.write(lambda ledger: ledger.jobs.make_due(Job.RECONCILE, shop.now))
