"""Whatever happens at the same moment: nobody's money counts twice, nobody's days get lost, nobody hears of a lock.

The shop's clock stands, so that every race is won and lost within one moment; two workers share the database."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from node_a.application.acts import Instruction, PerformAct
from node_a.application.banning import BanCustomer, UnbanCustomer
from node_a.application.ports import PaymentClaim
from node_a.domain.customer import NOBODY, Customer, CustomerId, Standing
from node_a.domain.errors import ProviderUnavailable
from node_a.domain.payment import OutcomeStatus, Payment, PaymentState
from node_a.domain.refund import RefundState
from node_a.domain.subscription import Subscription
from tests.builders import DAY, MONTH, OLGA
from tests.databases import KINDS, a_migrated_database
from tests.fakes.shop import ShopUnderTest
from tests.proofs.at_once import at_once

MANY: Final = 20
# Each race is run so often, every time with somebody new.
ROUNDS: Final = range(4)
A_MOMENT: Final = timedelta(milliseconds=5)

# Two workers of one shop.
Workers = tuple[ShopUnderTest, ShopUnderTest]


@pytest.fixture(params=KINDS)
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as at_the_end:
        if request.param == "sqlite":
            url = f"sqlite:///{a_migrated_database(tmp_path)}"
        else:
            url = at_the_end.enter_context(request.getfixturevalue("postgresql").database(migrated=True))
        one = ShopUnderTest(url)
        at_the_end.callback(one.close)
        other = ShopUnderTest(url, world=one)
        at_the_end.callback(other.close)
        yield one, other


def somebody(round: int) -> CustomerId:
    return CustomerId(7_000_000_100 + round)


def time_passes(workers: Workers, time: timedelta) -> None:
    for worker in workers:
        worker.passes(time)


def stale(shop: ShopUnderTest, payment: Payment, count: int) -> list[PaymentClaim]:
    """The payment claimed by so many one after another, each of whom was too slow for its lease; all begin now."""
    shop.nudge(payment.id, None, about_a_refund=True)
    shop.passes(timedelta(seconds=2))  # the least between two checks
    claims = []
    for number in range(count, 0, -1):
        with shop.database.open_ledger() as ledger:
            claimed = ledger.payments.claim_due(shop.now, shop.now - number * A_MOMENT, 100)
            claims += [claim for claim in claimed if claim.payment.id == payment.id]
    assert len(claims) == count
    return claims


def paid(shop: ShopUnderTest, customer_id: CustomerId) -> Payment:
    """Chosen and paid; nobody has looked yet."""
    return shop.buys(MONTH, customer_id)


def settling(workers: Workers, claims: list[PaymentClaim]) -> list[Callable[[], object]]:
    return [
        partial(worker.settle_payment, claim) for worker, claim in zip(itertools.cycle(workers), claims, strict=False)
    ]


def settles_all(worker: ShopUnderTest) -> None:
    assert worker.settles() == []


def everything_is_done(workers: Workers) -> None:
    one, _ = workers
    for _ in range(2):
        assert one.works() == []
        time_passes(workers, timedelta(minutes=2))


def subscription_of(shop: ShopUnderTest, customer_id: CustomerId) -> Subscription | None:
    with shop.ledger() as ledger:
        found: Subscription | None = ledger.subscriptions.of_customer(customer_id)
    return found


def end_of(shop: ShopUnderTest, customer_id: CustomerId) -> datetime | None:
    subscription = subscription_of(shop, customer_id)
    return subscription.ends_at if subscription else None


def customer(shop: ShopUnderTest, id: CustomerId) -> Customer | None:
    with shop.ledger() as ledger:
        found: Customer | None = ledger.customers.find(id)
    return found


def waiting_for(shop: ShopUnderTest, customer_id: CustomerId) -> list[str]:
    with shop.ledger() as ledger:
        messages = ledger.messages.waiting_since(shop.now + 9 * DAY)
    return sorted(message.kind.value for message in messages if message.customer_id == customer_id)


def letters_to(shop: ShopUnderTest, customer_id: CustomerId) -> list[str]:
    return sorted(letter.html.split()[0] for whom, letter in shop.messenger.sent if whom == customer_id)


def holds_keys(shop: ShopUnderTest, customer_id: CustomerId) -> bool:
    """Whether the node lets them in."""
    subscription = subscription_of(shop, customer_id)
    assert subscription is not None
    held = [wanted for id, wanted in shop.node.holds.items() if id.subscription_id == subscription.id]
    assert len(held) in {0, 2}
    return bool(held) and all(wanted.ends_at == subscription.ends_at for wanted in held)


def test_nudged_and_checked_by_many_at_once_a_payment_gives_its_days_once(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS):
        payment = paid(one, who)
        claims = stale(one, payment, 8)
        other.now = one.now

        at_once(
            *settling(workers, claims),
            *(partial(worker.nudge, payment.id, None) for worker in workers * 2),
            *(partial(worker.nudge, None, f"provider-{payment.id.int}") for worker in workers * 2),
            *(partial(settles_all, worker) for worker in workers * 2),
        )

        assert one.payment(payment).state is PaymentState.PAID
        assert waiting_for(one, who) == ["payment received"]
        everything_is_done(workers)
        subscription = subscription_of(one, who)
        assert subscription is not None
        assert [(grant.source, grant.days_taken) for grant in subscription.grants] == [(payment.source, 0)]
        assert subscription.revision == 1
        assert letters_to(one, who) == ["KeysReady"]  # which says it better than "received"


def test_many_payments_of_one_customer_at_once_lose_no_day(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS[:2]):
        payments = []
        for _ in range(MANY):
            payments.append(paid(one, who))
            one.passes(timedelta(minutes=46))  # afterwards the same link is not given again
        with one.database.open_ledger() as ledger:
            claims = ledger.payments.claim_due(one.now, one.now + timedelta(minutes=3), 100)
        assert len(claims) == MANY
        other.now = one.now + A_MOMENT  # no two clocks are the same

        at_once(*settling(workers, list(claims)))

        subscription = subscription_of(one, who)
        assert subscription is not None
        assert {grant.source for grant in subscription.grants} == {payment.source for payment in payments}
        assert {grant.ends_at - grant.starts_at for grant in subscription.grants} == {MONTH.period}
        assert all(a.ends_at == b.starts_at for a, b in itertools.pairwise(subscription.grants))
        assert subscription.grants[0].starts_at in {one.now, other.now}
        assert subscription.revision == MANY
        assert waiting_for(one, who) == ["payment received"] * MANY
        one.now = other.now
        assert one.provides() == []
        assert waiting_for(one, who) == ["keys ready"] * MANY + ["payment received"] * MANY
        assert holds_keys(one, who)


def _at_its_end(workers: Workers, who: CustomerId) -> tuple[Subscription, Payment]:
    """A subscription of which the last moment is now, and the payment that renews it."""
    one, _ = workers
    paid(one, who)
    everything_is_done(workers)
    subscription = subscription_of(one, who)
    assert subscription is not None
    assert subscription.ends_at is not None
    time_passes(workers, subscription.ends_at - one.now)
    return subscription, paid(one, who)


def assert_renewed(workers: Workers, who: CustomerId, since: datetime) -> None:
    one, _ = workers
    everything_is_done(workers)
    assert end_of(one, who) == since + MONTH.period
    assert holds_keys(one, who)
    assert letters_to(one, who) == ["KeysReady", "KeysReady"]


def test_renewed_while_it_ends_a_subscription_runs_on_and_nobody_says_it_ended(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS):
        subscription, payment = _at_its_end(workers, who)
        claims = stale(one, payment, 2)
        other.now = one.now

        expiring = [partial(worker.expire_subscription, subscription.id) for worker in workers]
        at_once(*settling(workers, claims), *expiring)

        assert_renewed(workers, who, one.now)


@pytest.mark.parametrize("ends_first", [True, False])
def test_in_either_order_the_renewal_wins_over_the_end(workers: Workers, ends_first: bool) -> None:
    one, _ = workers
    _at_its_end(workers, somebody(0))
    begun = one.now

    for step in (one.expires, one.settles) if ends_first else (one.settles, one.expires):
        step()

    assert_renewed(workers, somebody(0), begun)


def test_refunded_during_a_renewal_the_end_is_that_of_one_after_the_other(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS):
        first = paid(one, who)
        everything_is_done(workers)
        began = one.now - timedelta(minutes=4)
        time_passes(workers, 3 * DAY)
        second = paid(one, who)
        refund = one.refunds(first)
        renewing, refunding = stale(one, second, 2), stale(one, first, 2)
        other.now = one.now

        at_once(
            *settling(workers, renewing),
            *(partial(worker.settle_refunds, claim) for worker, claim in zip(workers, refunding, strict=True)),
            *(worker.reconciles for worker in workers),
        )

        assert waiting_for(one, who) == ["payment received", "refunded"]
        subscription = subscription_of(one, who)
        assert subscription is not None
        intervals = {grant.source: (grant.starts_at, grant.ends_at) for grant in subscription.grants}
        assert intervals == {first.source: (began, one.now), second.source: (one.now, one.now + MONTH.period)}
        assert subscription.revision == 3
        assert len([made for made in one.provider.refunds.values() if made.id == refund.id]) == 1
        with one.ledger() as ledger:
            assert [known.state for known in ledger.refunds.of_payment(first.id)] == [RefundState.DONE]
        everything_is_done(workers)
        assert holds_keys(one, who)
        assert {one.payment(payment).attention for payment in (first, second)} == {None}


def test_greeted_by_many_at_once_somebody_is_one_customer(workers: Workers) -> None:
    one, _ = workers
    for who in map(somebody, ROUNDS):
        registered = at_once(*(partial(worker.register, who, "ru") for worker in workers * (MANY // 2)))

        assert {found.id for found in registered} == {who}
        assert set(registered) == {customer(one, who)}


def test_a_plan_tapped_many_times_at_once_is_one_payment(workers: Workers) -> None:
    one, _ = workers
    for who in map(somebody, ROUNDS):
        one.register(who, "ru")
        before = len(one.provider.payments)

        opened = at_once(*(partial(worker.open_payment, who, MONTH.code) for worker in workers * (MANY // 2)))

        assert len({(payment.id, payment.link) for payment in opened}) == 1
        assert len(one.provider.payments) == before + 1
        with one.ledger() as ledger:
            assert [known.id for known in ledger.payments.of_customer(who)] == [opened[0].id]


def test_tapped_again_while_it_is_settled_a_payment_stays_paid(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS):
        one.register(who, "ru")
        one.provider.makes_it_as = OutcomeStatus.SUCCEEDED
        one.provider.fails_with, one.provider.fails_after_the_work = ProviderUnavailable("no answer"), True
        with pytest.raises(ProviderUnavailable):
            one.open_payment(who, MONTH.code)
        one.provider.fails_with = None
        with one.ledger() as ledger:
            [payment] = ledger.payments.of_customer(who)
        claims = stale(one, payment, 4)
        other.now = one.now

        tapping = [partial(worker.open_payment, who, MONTH.code) for worker in workers * 4]
        settles = settling(workers, claims)
        at_once(*(step for pair in itertools.zip_longest(tapping, settles) for step in pair if step is not None))

        assert one.payment(payment).state is PaymentState.PAID
        assert waiting_for(one, who) == ["payment received"]
        assert end_of(one, who) == one.now + MONTH.period


def test_banned_while_settling_nobody_loses_what_they_paid(workers: Workers) -> None:
    one, other = workers
    numbers = itertools.count(1)
    for who in map(somebody, ROUNDS):
        payment = paid(one, who)
        claims = stale(one, payment, 3)
        other.now = one.now
        perform = PerformAct(write=other.database.write, clock=lambda: one.now)
        ban = BanCustomer(perform=perform, operators=frozenset({OLGA}))
        unban = UnbanCustomer(perform=perform, nodes=[one.domain_node])

        at_once(partial(ban, Instruction(next(numbers), OLGA), who), *settling(workers, claims))

        settled = one.payment(payment)
        assert settled.state is PaymentState.PAID
        assert settled.received == MONTH.price
        # Either the days were there first, or a person is told that they are not.
        assert (end_of(one, who) is None) == (settled.attention is not None)
        everything_is_done(workers)
        assert end_of(one, who) is None or not holds_keys(one, who)

        unban(Instruction(next(numbers), OLGA), who)
        everything_is_done(workers)
        subscription = subscription_of(one, who)
        assert subscription is not None
        assert [grant.ends_at - grant.starts_at for grant in subscription.grants] == [MONTH.period]
        assert holds_keys(one, who)


def test_erased_while_settling_the_money_stays_on_record(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS):
        payment = paid(one, who)
        claims = stale(one, payment, 3)
        other.now = one.now

        at_once(partial(other.leaves, who), partial(one.erase_customer, who), *settling(workers, claims))

        assert one.payment(payment).state is PaymentState.PAID
        granted = end_of(one, who) is not None
        everything_is_done(workers)
        assert_erased(one, who, payment, granted=granted)


def test_erased_at_the_last_step_while_settling_the_money_is_for_a_person(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS):
        payment = paid(one, who)
        one.leaves(who)
        claims = stale(one, payment, 4)
        other.now = one.now

        at_once(*(partial(worker.erase_customer, who) for worker in workers), *settling(workers, claims))

        assert_erased(one, who, payment, granted=False)


def assert_erased(shop: ShopUnderTest, who: CustomerId, payment: Payment, *, granted: bool) -> None:
    kept = shop.payment(payment)
    assert (kept.state, kept.received, kept.customer_id) == (PaymentState.PAID, MONTH.price, NOBODY)
    assert (kept.attention is None) == granted
    assert customer(shop, who) is None
    assert subscription_of(shop, who) is None


def test_erased_while_greeted_somebody_begins_anew_or_is_gone(workers: Workers) -> None:
    one, other = workers
    for who in map(somebody, ROUNDS):
        one.register(who, "ru")
        one.leaves(who)

        greeted = at_once(
            *(partial(one.register, who, language) for language in ("ru", "en") * 4),
            partial(other.erase_customer, who),
        )

        known = customer(one, who)
        assert known is None or known.standing is Standing.GOOD
        assert all(found is None or found.id == who for found in greeted)
