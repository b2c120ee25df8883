"""The shop on a real database, told everything in any order, late, twice and by halves: in the end the customer has the
days that were paid for and not paid back, and has heard of each thing once."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from node_a.adapters.database.tables import messages
from node_a.application.ports import Ledger, PaymentClaim
from node_a.application.settlement import locked_payment
from node_a.domain.errors import PaymentRefused, ProviderUnavailable, RefundRefused
from node_a.domain.money import Money
from node_a.domain.payment import OutcomeStatus, Payment
from node_a.domain.refund import RefundState
from node_a.domain.subscription import Subscription
from tests.builders import ANNA, DAY, MONTH, YEAR
from tests.databases import a_migrated_database
from tests.fakes.shop import LEASE, ShopUnderTest

# Smaller than it is usual: each is a whole database.
EXAMPLES: Final = 15


class Scene:
    """Three payments of one customer, two of them for the same plan; nothing is paid yet."""

    def __init__(self, shop: ShopUnderTest) -> None:
        self.shop = shop
        first = shop.chooses(MONTH)
        shop.passes(timedelta(minutes=46))  # afterwards the same link is not given again
        self.payments = [first, shop.chooses(MONTH), shop.chooses(YEAR)]

    # ── what may happen ──

    def pays(self, payment: Payment, _: int) -> None:
        if self.shop.provider.payments[payment.id].status is OutcomeStatus.PENDING:
            self.shop.provider.pays(payment)

    def is_checked(self, payment: Payment, _: int) -> None:
        self._check(self.shop.payment(payment))

    def is_checked_by_somebody_slow(self, payment: Payment, _: int) -> None:
        """Who has it in mind as it was at the beginning."""
        with suppress(ProviderUnavailable):
            self.shop.settle_payment(self._claim(payment))

    def is_paid_back(self, payment: Payment, percent: int) -> None:
        """By an operator."""

        def work(ledger: Ledger) -> object:
            current, _ = locked_payment(ledger, payment.id)
            return self.shop.open_refund(ledger, current, _part(payment, percent), self.shop.now)

        with suppress(RefundRefused):
            self.shop.database.write(work)

    def is_paid_back_by_hand(self, payment: Payment, percent: int) -> None:
        with suppress(PaymentRefused):
            self.shop.provider.refunds_by_hand(payment, _part(payment, percent), at=self.shop.now)

    def refunds_take_their_time(self, _: Payment, __: int) -> None:
        self.shop.provider.refunds_as = RefundState.PENDING

    def refunds_come_through(self, _: Payment, __: int) -> None:
        for refund in list(self.shop.provider.refunds.values()):
            if refund.state is RefundState.PENDING:
                self.shop.provider.finishes(refund, RefundState.DONE)

    def the_provider_is_down(self, _: Payment, percent: int) -> None:
        self.shop.provider.fails_with = ProviderUnavailable("down")
        self.shop.provider.fails_after_the_work = percent % 2 == 0

    def the_provider_is_back(self, _: Payment, __: int) -> None:
        self.shop.provider.fails_with = None

    def is_reconciled(self, _: Payment, __: int) -> None:
        with suppress(ProviderUnavailable):
            self.shop.reconciles()

    def the_worker_works(self, payment: Payment, _: int) -> None:
        self.shop.nudge(payment.id, None, about_a_refund=True)
        self.shop.works()

    def days_pass(self, _: Payment, percent: int) -> None:
        self.shop.passes(percent * DAY / 4)

    def _check(self, payment: Payment) -> None:
        check = self.shop.settle_refunds if payment.holds_money else self.shop.settle_payment
        with suppress(ProviderUnavailable):
            check(self._claim(payment))

    def _claim(self, payment: Payment) -> PaymentClaim:
        return PaymentClaim(payment, self.shop.now, self.shop.now + LEASE)

    # ── the end of it ──

    def everything_arrives(self) -> None:
        payment = self.payments[0]
        self.the_provider_is_back(payment, 0)
        for _ in range(2):
            self.refunds_come_through(payment, 0)
            for payment in self.payments:
                self.is_checked(payment, 0)
        self.is_reconciled(payment, 0)

    def subscription(self) -> Subscription | None:
        return self.shop.subscription() if self.shop.has_subscription() else None

    def said(self) -> list[str]:
        """Whatever was ever queued for the customer."""
        with self.shop.engine.connect() as connection:
            query = select(messages.c.kind).where(messages.c.customer_id == ANNA.id)
            return sorted(connection.scalars(query))


Happens = Callable[[Scene, Payment, int], None]

WITHIN_A_MOMENT: Final[Mapping[str, Happens]] = {
    happens.__name__: happens
    for happens in (
        Scene.pays,
        Scene.is_checked,
        Scene.is_checked_by_somebody_slow,
        Scene.is_paid_back,
        Scene.is_paid_back_by_hand,
        Scene.refunds_take_their_time,
        Scene.refunds_come_through,
        Scene.the_provider_is_down,
        Scene.the_provider_is_back,
        Scene.is_reconciled,
        Scene.the_worker_works,
    )
}
AS_TIME_PASSES: Final[Mapping[str, Happens]] = {**WITHIN_A_MOMENT, "days_pass": Scene.days_pass}

# What happens, to which payment, and how much.
Step = tuple[str, int, int]


def steps(what: Mapping[str, Happens]) -> st.SearchStrategy[list[Step]]:
    # Mostly what brings things on: otherwise most of the stories would be of a shop that sells nothing.
    names = st.one_of(st.sampled_from(["pays", "is_checked", "is_paid_back"]), st.sampled_from(sorted(what)))
    return st.lists(st.tuples(names, st.integers(0, 2), st.integers(1, 100)), min_size=3, max_size=20)


def _part(payment: Payment, percent: int) -> Money:
    price = payment.plan.price
    return replace(price, minor_units=max(1, price.minor_units * percent // 100))


@contextmanager
def a_scene() -> Iterator[Scene]:
    with TemporaryDirectory() as directory:
        shop = ShopUnderTest(f"sqlite:///{a_migrated_database(Path(directory))}")
        try:
            yield Scene(shop)
        finally:
            shop.close()


def assert_in_order(before: Subscription | None, after: Subscription | None, scene: Scene) -> None:
    if after is None:
        assert before is None
        return
    assert all(grant.starts_at <= grant.ends_at for grant in after.grants)
    assert all(one.ends_at <= next.starts_at for one, next in itertools.pairwise(after.grants))
    if before is not None and before.ends_at is not None and after.ends_at is not None:
        assert after.ends_at >= min(before.ends_at, scene.shop.now)
        if before.grants != after.grants:
            assert after.revision > before.revision
        assert after.revision >= before.revision


def play(scene: Scene, story: list[Step], what: Mapping[str, Happens]) -> None:
    for name, number, percent in story:
        before = scene.subscription()
        what[name](scene, scene.payments[number], percent)
        assert_in_order(before, scene.subscription(), scene)
    scene.everything_arrives()


def paid_back(scene: Scene, payment: Payment) -> int:
    """At the provider."""
    outcome = scene.shop.provider.payments[payment.id]
    return outcome.refunded.minor_units if outcome.refunded else 0


def assert_the_books_agree(scene: Scene) -> None:
    """Each payment and each refund as the provider has it; who was told of what."""
    received = refunded = 0
    for payment in scene.payments:
        with scene.shop.ledger() as ledger:
            refunds = ledger.refunds.of_payment(payment.id)
        done = [one.amount.minor_units for one in refunds if one.state is RefundState.DONE]
        assert sum(done) == paid_back(scene, payment)
        assert not any(one.is_open for one in refunds)
        succeeded = scene.shop.provider.payments[payment.id].status is OutcomeStatus.SUCCEEDED
        assert scene.shop.payment(payment).is_paid == succeeded
        assert not (scene.shop.payment(payment).attention or "").startswith(("paid", "the provider"))
        received += succeeded
        refunded += len(done)
    said = scene.said()
    assert said.count("payment received") == received
    assert said.count("refunded") == refunded


def assert_nothing_more_happens(scene: Scene) -> None:
    before, said = scene.subscription(), scene.said()
    for payment in scene.payments:
        scene.is_checked_by_somebody_slow(payment, 0)
    scene.everything_arrives()
    assert scene.subscription() == before
    assert scene.said() == said


@settings(max_examples=EXAMPLES)
@given(steps(WITHIN_A_MOMENT))
@example([("pays", 0, 1), ("is_checked", 0, 1), ("is_paid_back", 0, 50), ("is_paid_back_by_hand", 0, 50)])
@example(
    [("pays", 0, 1), ("is_paid_back_by_hand", 0, 100), ("pays", 1, 1), ("is_checked", 1, 1), ("is_reconciled", 0, 1)]
)
def test_in_any_order_the_end_is_what_was_paid_less_what_went_back(story: list[Step]) -> None:
    with a_scene() as scene:
        play(scene, story, WITHIN_A_MOMENT)

        days = 0
        for payment in scene.payments:
            if scene.shop.provider.payments[payment.id].status is OutcomeStatus.SUCCEEDED:
                days += payment.plan.days
                days -= payment.plan.days * paid_back(scene, payment) // payment.plan.price.minor_units
        subscription = scene.subscription()
        ends_at = subscription.ends_at if subscription else None
        assert (ends_at or scene.shop.now) == scene.shop.now + days * DAY
        assert_the_books_agree(scene)
        assert_nothing_more_happens(scene)


@settings(max_examples=EXAMPLES)
@given(steps(AS_TIME_PASSES))
def test_as_time_passes_nothing_used_is_taken_and_nothing_paid_is_lost(story: list[Step]) -> None:
    with a_scene() as scene:
        play(scene, story, AS_TIME_PASSES)

        subscription = scene.subscription()
        for grant in subscription.grants if subscription else ():
            kept = grant.ends_at - grant.starts_at
            assert grant.plan.period - grant.days_taken * DAY <= kept <= grant.plan.period
        assert_the_books_agree(scene)
        assert_nothing_more_happens(scene)
