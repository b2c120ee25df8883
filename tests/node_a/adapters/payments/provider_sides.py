"""The provider's side of a contract test: what its customers, its clerks and its failures do, for the fake and for the
real adapter on the stand-in alike."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from node_a.adapters.payments.yookassa_receipts import Receipts
from node_a.application.ports import ListedPayment, PaymentProvider
from node_a.domain.errors import ProviderUnavailable
from node_a.domain.money import Money
from node_a.domain.payment import Outcome, OutcomeStatus, Payment, Shop
from node_a.domain.refund import RefundOutcome, RefundState
from tests.builders import NOW, THE_SHOP
from tests.fakes.ports import FakeProvider
from tests.node_a.adapters.payments.conftest import Connect
from tests.sandbox.yookassa.bodies import open_payment
from tests.sandbox.yookassa.running import SHOP_ID, RunningYooKassa


class ProviderSide(Protocol):
    """`now`: when the test opens its payments and refunds."""

    provider: PaymentProvider
    shop: Shop
    now: datetime

    def a_minute_passes(self) -> None: ...

    def is_paid(self, payment: Payment) -> None: ...

    def declines(self, payment: Payment) -> None: ...

    def refunds_by_hand(self, payment: Payment, amount: Money | None = None) -> None: ...

    def lets_refunds_wait(self) -> None: ...

    def ends(self, refund: RefundOutcome, state: RefundState, reason: str) -> None: ...

    def takes_a_foreign_payment(self) -> None: ...

    def sends_receipts(self) -> None: ...

    def failing(self, *, after_the_work: bool = False) -> AbstractContextManager[None]: ...


class FakeSide:
    def __init__(self) -> None:
        self.fake = FakeProvider()
        self.provider: PaymentProvider = self.fake
        self.shop = THE_SHOP
        self.now = NOW

    def a_minute_passes(self) -> None:
        self.now += timedelta(minutes=1)

    def is_paid(self, payment: Payment) -> None:
        self.fake.pays(payment)

    def declines(self, payment: Payment) -> None:
        self.fake.cancels(payment, "insufficient_funds")

    def refunds_by_hand(self, payment: Payment, amount: Money | None = None) -> None:
        self.fake.refunds_by_hand(payment, amount, self.now)

    def lets_refunds_wait(self) -> None:
        self.fake.refunds_as = RefundState.PENDING

    def ends(self, refund: RefundOutcome, state: RefundState, reason: str) -> None:
        self.fake.finishes(refund, state, reason if state is RefundState.FAILED else None)

    def takes_a_foreign_payment(self) -> None:
        outcome = Outcome(str(uuid4()), OutcomeStatus.SUCCEEDED, Money(100), self.shop)
        self.fake.foreign.append(ListedPayment(outcome, self.now))

    def sends_receipts(self) -> None:
        self.fake.wants_receipts = True

    @contextmanager
    def failing(self, *, after_the_work: bool = False) -> Iterator[None]:
        self.fake.fails_with, self.fake.fails_after_the_work = ProviderUnavailable("away"), after_the_work
        yield
        self.fake.fails_with, self.fake.fails_after_the_work = None, False


class StandInSide:
    def __init__(self, stand_in: RunningYooKassa, connect: Connect) -> None:
        self._stand_in = stand_in
        self._connect = connect
        self.provider: PaymentProvider = connect()
        self.shop = Shop(SHOP_ID, test=True)
        self.now = NOW

    def a_minute_passes(self) -> None:
        self._stand_in.advance(60)

    def is_paid(self, payment: Payment) -> None:
        self._stand_in.pay(str(payment.provider_id))

    def declines(self, payment: Payment) -> None:
        self._stand_in.control(f"/payments/{payment.provider_id}/decline", {})

    def refunds_by_hand(self, payment: Payment, amount: Money | None = None) -> None:
        self._stand_in.refund_by_hand(str(payment.provider_id), None if amount is None else str(amount))

    def lets_refunds_wait(self) -> None:
        self._stand_in.let_refunds_become("pending")

    def ends(self, refund: RefundOutcome, state: RefundState, reason: str) -> None:
        fate = "succeeded" if state is RefundState.DONE else "canceled"
        self._stand_in.finish_refund(refund.provider_id, fate, reason)

    def takes_a_foreign_payment(self) -> None:
        self._stand_in.pay(open_payment(self._stand_in, amount={"value": "1.00", "currency": "RUB"})["id"])

    def sends_receipts(self) -> None:
        self._stand_in.require_receipts()
        self.provider = self._connect(receipts=Receipts(vat_code=11))

    @contextmanager
    def failing(self, *, after_the_work: bool = False) -> Iterator[None]:
        self._stand_in.fail_next("500_after_work" if after_the_work else "500", count=100)
        yield
        self._stand_in.control("/faults", {"next": None})
