"""Fakes at the ports: small, honest about failure, and in the domain's words."""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock

from node_a.application.ports import Letter, ListedPayment
from node_a.domain.access import AccessId, HeldAccess, HeldPage, WantedAccess
from node_a.domain.customer import CustomerId
from node_a.domain.errors import PaymentRefused, ReceiptAddressNeeded, ShopError
from node_a.domain.money import Money
from node_a.domain.node import NodeObservation, Protocol
from node_a.domain.payment import Outcome, OutcomeStatus, Payment, PaymentId
from node_a.domain.refund import Refund, RefundId, RefundOutcome, RefundState
from tests.builders import NOW


@dataclass
class FakeProvider:
    """Recognises a repeated creation by the payment's or refund's id, as the original does by its key. `makes_it_as`
    and `refunds_as`: what becomes of a new one; `foreign`: payments that somebody else made with the same account."""

    payments: dict[PaymentId, Outcome] = field(default_factory=dict)
    refunds: dict[str, RefundOutcome] = field(default_factory=dict)
    foreign: list[ListedPayment] = field(default_factory=list)
    creations: list[tuple[PaymentId, str]] = field(default_factory=list)
    refund_creations: list[tuple[RefundId, str]] = field(default_factory=list)
    finds: int = 0
    fails_with: ShopError | None = None
    fails_after_the_work: bool = False
    makes_it_as: OutcomeStatus = OutcomeStatus.PENDING
    refunds_as: RefundState = RefundState.DONE
    wants_receipts: bool = False
    payments_break_off_with: ShopError | None = None
    _opened: dict[PaymentId, Payment] = field(default_factory=dict)
    _one_at_a_time: Lock = field(default_factory=Lock, repr=False)

    def request_for(self, payment: Payment, description: str) -> str:
        self._check_receipt(payment)
        return f"{payment.plan.code} for {payment.customer_id}: {description}"

    def create(self, payment: Payment) -> Outcome:
        with self._answering():
            self.creations.append((payment.id, payment.request))
            self._opened.setdefault(payment.id, payment)
            made = Outcome(
                f"provider-{payment.id.int}",
                self.makes_it_as,
                payment.plan.price,
                payment.shop,
                link=f"https://pay.example.org/{payment.id.int}",
            )
            return self.payments.setdefault(payment.id, made)

    def find(self, payment: Payment) -> Outcome:
        self.finds += 1
        if payment.provider_id is None:
            raise ValueError("not known to the provider yet")
        self._check_up()
        if payment.id not in self.payments:
            raise PaymentRefused("no such payment")
        return self.payments[payment.id]

    def refund_request_for(self, payment: Payment, refund: Refund, description: str) -> str:
        self._check_receipt(payment)
        return f"{refund.amount} of {payment.provider_id}: {description}"

    def create_refund(self, refund: Refund) -> RefundOutcome:
        with self._answering():
            self.refund_creations.append((refund.id, refund.request))
            known = next((made for made in self.refunds.values() if made.id == refund.id), None)
            return known or self._refund(refund.payment_id, refund.amount, refund.opened_at, refund.id)

    def refunds_of(self, payment: Payment) -> Sequence[RefundOutcome]:
        self._check_up()
        return [made for made in self._newest_first() if made.payment_provider_id == payment.provider_id]

    def payments_since(self, moment: datetime) -> Iterator[ListedPayment]:
        self._check_up()
        ours = [
            ListedPayment(self.payments[payment.id], payment.opened_at, payment.id, payment.customer_id, payment.plan)
            for payment in self._opened.values()
        ]
        listed = [entry for entry in (*self.foreign, *ours) if entry.created_at >= moment]
        yield from sorted(listed, key=lambda entry: entry.created_at)[::-1]
        if self.payments_break_off_with is not None:
            raise self.payments_break_off_with

    def refunds_since(self, moment: datetime) -> Iterator[RefundOutcome]:
        self._check_up()
        yield from (made for made in self._newest_first() if made.created_at >= moment)

    # ── what happens on the provider's side ──

    def pays(self, payment: Payment, **changes: object) -> None:
        """The customer pays on the provider's page."""
        paid = replace(self.payments[payment.id], status=OutcomeStatus.SUCCEEDED)
        self.payments[payment.id] = replace(paid, **changes)  # type: ignore[arg-type]

    def cancels(self, payment: Payment, reason: str) -> None:
        outcome = replace(self.payments[payment.id], status=OutcomeStatus.CANCELED, reason=reason)
        self.payments[payment.id] = outcome

    def forgets(self, payment: Payment) -> None:
        """It was another account's."""
        del self.payments[payment.id], self._opened[payment.id]

    def refunds_by_hand(self, payment: Payment, amount: Money | None = None, at: datetime = NOW) -> RefundOutcome:
        """Somebody pays back in the provider's own pages; all that is left where no amount is given."""
        return self._refund(payment.id, amount or self._left(payment.id), at, None)

    def finishes(self, refund: RefundOutcome, state: RefundState, reason: str | None = None) -> None:
        """What becomes of a refund that was pending."""
        self._keep(replace(refund, state=state, reason=reason))

    def _refund(self, payment_id: PaymentId, amount: Money, at: datetime, id: RefundId | None) -> RefundOutcome:
        paid = self.payments.get(payment_id)
        if paid is None or paid.status is not OutcomeStatus.SUCCEEDED:
            raise PaymentRefused("only what was paid can be paid back")
        if amount.minor_units > self._left(payment_id).minor_units:
            raise PaymentRefused("more than is left")
        number = f"refund-{len(self.refunds) + 1}-of-{paid.provider_id}"
        return self._keep(RefundOutcome(number, paid.provider_id, amount, self.refunds_as, at, id))

    def _keep(self, refund: RefundOutcome) -> RefundOutcome:
        self.refunds[refund.provider_id] = refund
        for id, paid in self.payments.items():
            if paid.provider_id == refund.payment_provider_id:
                back = self._sum(paid, {RefundState.DONE})
                self.payments[id] = replace(paid, refunded=Money(back, paid.amount.currency))
        return refund

    def _left(self, payment_id: PaymentId) -> Money:
        paid = self.payments[payment_id]
        gone = self._sum(paid, {RefundState.DONE, RefundState.PENDING})
        return Money(paid.amount.minor_units - gone, paid.amount.currency)

    def _sum(self, paid: Outcome, states: Set[RefundState]) -> int:
        back = (made for made in self.refunds.values() if made.payment_provider_id == paid.provider_id)
        return sum(made.amount.minor_units for made in back if made.state in states)

    def _newest_first(self) -> list[RefundOutcome]:
        return sorted(self.refunds.values(), key=lambda made: made.created_at)[::-1]

    def _check_receipt(self, payment: Payment) -> None:
        if self.wants_receipts and "@" not in (payment.receipt_to or ""):
            raise ReceiptAddressNeeded("no e-mail for the receipt")

    def _check_up(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with

    @contextmanager
    def _answering(self) -> Iterator[None]:
        if not self.fails_after_the_work:
            self._check_up()
        with self._one_at_a_time:
            yield
        self._check_up()


@dataclass
class FakeNode:
    """Holds what it was told; may be down for one or for both of its keepers. `meanwhile` happens once, while it is
    being told; `counters`: bytes that its users have used; `strangers`: users that no access of ours stands behind."""

    holds: dict[AccessId, WantedAccess] = field(default_factory=dict)
    counters: dict[AccessId, int] = field(default_factory=dict)
    strangers: list[tuple[Protocol, HeldAccess]] = field(default_factory=list)
    page_size: int = 100
    applied: list[WantedAccess] = field(default_factory=list)
    fails_with: Mapping[Protocol, ShopError] = field(default_factory=dict)
    meanwhile: Callable[[], None] | None = None
    observation: NodeObservation = field(default_factory=lambda: NodeObservation(NOW, True, True, cpu_percent=12.0))

    async def apply(self, wanted: WantedAccess) -> None:
        self.applied.append(wanted)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await asyncio.to_thread(happens)
        if wanted.id.protocol in self.fails_with:
            raise self.fails_with[wanted.id.protocol]
        if wanted.present:
            self.holds[wanted.id] = wanted
        else:
            self.holds.pop(wanted.id, None)
            self.counters.pop(wanted.id, None)

    async def held(self, protocol: Protocol, after: str | None) -> HeldPage:
        self._check_up(protocol)
        users = [_held(wanted, self.counters.get(id, 0)) for id, wanted in self.held_now(protocol)]
        users += [one for by, one in self.strangers if by is protocol]
        rest = sorted((one for one in users if one.user_name > (after or "")), key=lambda one: one.user_name)
        page = rest[: self.page_size]
        return HeldPage(page, page[-1].user_name if len(rest) > self.page_size else None)

    async def remove_user(self, protocol: Protocol, held: HeldAccess) -> None:
        self._check_up(protocol)
        self.strangers = [(by, one) for by, one in self.strangers if (by, one.user_name) != (protocol, held.user_name)]

    async def observe(self) -> NodeObservation:
        return self.observation

    def held_now(self, protocol: Protocol) -> list[tuple[AccessId, WantedAccess]]:
        return [(id, wanted) for id, wanted in self.holds.items() if id.protocol is protocol]

    def _check_up(self, protocol: Protocol) -> None:
        if protocol in self.fails_with:
            raise self.fails_with[protocol]


def _held(wanted: WantedAccess, used: int) -> HeldAccess:
    ends_at = datetime.fromtimestamp(math.ceil(wanted.ends_at.timestamp()), UTC)
    limit, revision = wanted.traffic_limit, wanted.revision
    return HeldAccess(wanted.user_name, wanted.credential, ends_at, limit, used, revision=revision)


@dataclass
class FakeMessenger:
    """Remembers what was sent."""

    sent: list[tuple[CustomerId, Letter]] = field(default_factory=list)
    fails_with: ShopError | None = None

    async def send(self, customer_id: CustomerId, letter: Letter) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.sent.append((customer_id, letter))
