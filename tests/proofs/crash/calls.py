"""The ports as the use cases see them, with a process behind that may end at any call."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn, TypeVar

from node_a.adapters.database.ledger import Database
from node_a.application.ports import Ledger, Letter, ListedPayment, Messenger, NodeGateway, PaymentProvider
from node_a.domain.access import HeldAccess, HeldPage, WantedAccess
from node_a.domain.customer import CustomerId
from node_a.domain.node import NodeObservation, Protocol
from node_a.domain.payment import Outcome, Payment
from node_a.domain.refund import Refund, RefundOutcome
from tests.proofs.crash.job import CrashPoint, Moment

T = TypeVar("T")

# What is being done, for the names of the calls.
doing: ContextVar[str] = ContextVar("doing", default="buy")


@dataclass
class Calls:
    """Counts the calls through all ports; ends the process with `die` when it comes to the crash point."""

    crash: CrashPoint | None
    die: Callable[[str], NoReturn]
    made: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def call(self, name: str) -> Iterator[Callable[[], None]]:
        """Inside, the call happens. What it yields is for writes: called at the end of their work."""
        with self._lock:
            self.made.append(f"{doing.get()}: {name}")
            number = len(self.made)
        self._reach(number, Moment.BEFORE)
        yield lambda: self._reach(number, Moment.BEFORE_COMMIT)
        self._reach(number, Moment.AFTER)

    def _reach(self, number: int, moment: Moment) -> None:
        if self.crash == CrashPoint(number, moment):
            self.die(f"{moment} {number}, {self.made[number - 1]}")


def moments_of(name: str) -> tuple[Moment, ...]:
    """Where a process may end in a call of this name."""
    return tuple(Moment) if ": write" in name else (Moment.BEFORE, Moment.AFTER)


@dataclass(frozen=True)
class MortalProvider:
    calls: Calls
    inner: PaymentProvider

    def request_for(self, payment: Payment, description: str) -> str:
        return self.inner.request_for(payment, description)  # pure

    def create(self, payment: Payment) -> Outcome:
        with self.calls.call("create"):
            return self.inner.create(payment)

    def find(self, payment: Payment) -> Outcome:
        with self.calls.call("find"):
            return self.inner.find(payment)

    def refund_request_for(self, payment: Payment, refund: Refund, description: str) -> str:
        return self.inner.refund_request_for(payment, refund, description)  # pure

    def create_refund(self, refund: Refund) -> RefundOutcome:
        with self.calls.call("create refund"):
            return self.inner.create_refund(refund)

    def refunds_of(self, payment: Payment) -> Sequence[RefundOutcome]:
        with self.calls.call("refunds of"):
            return self.inner.refunds_of(payment)

    def payments_since(self, moment: datetime) -> Iterator[ListedPayment]:
        return self.inner.payments_since(moment)  # for reconciling, which is no part of a purchase

    def refunds_since(self, moment: datetime) -> Iterator[RefundOutcome]:
        return self.inner.refunds_since(moment)


@dataclass(frozen=True)
class MortalNode:
    calls: Calls
    inner: NodeGateway

    async def apply(self, wanted: WantedAccess) -> None:
        with self.calls.call(f"apply {wanted.id.protocol}"):
            await self.inner.apply(wanted)

    async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
        with self.calls.call(f"held {protocol}"):
            return await self.inner.held(protocol, after)

    async def remove_user(self, protocol: Protocol, held: HeldAccess) -> None:
        with self.calls.call(f"remove {protocol}"):
            await self.inner.remove_user(protocol, held)

    async def observe(self) -> NodeObservation:
        return await self.inner.observe()


@dataclass(frozen=True)
class MortalMessenger:
    calls: Calls
    inner: Messenger

    async def send(self, customer_id: CustomerId, letter: Letter) -> None:
        with self.calls.call("send"):
            await self.inner.send(customer_id, letter)


@dataclass(frozen=True)
class MortalDatabase:
    """The transactions of a Database, under their own names."""

    calls: Calls
    inner: Database

    def write(self, work: Callable[[Ledger], T]) -> T:
        with self.calls.call(f"write ({_whose(work)})") as before_commit:

            def worked(ledger: Ledger) -> T:
                result = work(ledger)
                before_commit()
                return result

            return self.inner.write(worked)

    def read(self, work: Callable[[Ledger], T]) -> T:
        with self.calls.call(f"read ({_whose(work)})"):
            return self.inner.read(work)

    @contextmanager
    def read_ledger(self) -> Iterator[Ledger]:
        with self.calls.call("read"), self.inner.read_ledger() as ledger:
            yield ledger


def _whose(work: Callable[[Ledger], object]) -> str:
    """The use case that the work is written in; "claim" for a desk's."""
    whose = work.__qualname__.partition(".")[0]
    return "claim" if whose in {"desks", "providing_desks"} else whose
