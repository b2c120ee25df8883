"""Fakes at the ports: small, honest about failure, and in the domain's words."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from node_a.application.ports import Letter
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.customer import CustomerId
from node_a.domain.errors import ShopError
from node_a.domain.node import NodeObservation, Protocol
from node_a.domain.payment import Outcome, OutcomeStatus, Payment, PaymentId
from tests.builders import NOW


@dataclass
class FakeProvider:
    """Recognises a repeated creation by the payment's id, as the original does by its key."""

    payments: dict[PaymentId, Outcome] = field(default_factory=dict)
    creations: list[tuple[PaymentId, str]] = field(default_factory=list)
    finds: int = 0
    fails_with: ShopError | None = None
    fails_after_the_work: bool = False
    makes_it_as: OutcomeStatus = OutcomeStatus.PENDING

    def request_for(self, payment: Payment, description: str) -> str:
        return f"{payment.plan.code} for {payment.customer_id}: {description}"

    def create(self, payment: Payment) -> Outcome:
        if self.fails_with is not None and not self.fails_after_the_work:
            raise self.fails_with
        self.creations.append((payment.id, payment.request))
        made = Outcome(
            f"provider-{payment.id.int}",
            self.makes_it_as,
            payment.plan.price,
            payment.shop,
            link=f"https://pay.example.org/{payment.id.int}",
        )
        outcome = self.payments.setdefault(payment.id, made)
        if self.fails_with is not None:
            raise self.fails_with
        return outcome

    def find(self, payment: Payment) -> Outcome:
        self.finds += 1
        if self.fails_with is not None:
            raise self.fails_with
        return self.payments[payment.id]

    def pays(self, payment: Payment, **changes: object) -> None:
        """The customer pays on the provider's page."""
        paid = replace(self.payments[payment.id], status=OutcomeStatus.SUCCEEDED)
        self.payments[payment.id] = replace(paid, **changes)  # type: ignore[arg-type]

    def cancels(self, payment: Payment, reason: str) -> None:
        outcome = replace(self.payments[payment.id], status=OutcomeStatus.CANCELED, reason=reason)
        self.payments[payment.id] = outcome


@dataclass
class FakeNode:
    """Holds what it was told; may be down for one or for both of its keepers. `meanwhile` happens once, while it is
    being told."""

    held: dict[AccessId, WantedAccess] = field(default_factory=dict)
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
            self.held[wanted.id] = wanted
        else:
            self.held.pop(wanted.id, None)

    async def observe(self) -> NodeObservation:
        return self.observation


@dataclass
class FakeMessenger:
    """Remembers what was sent."""

    sent: list[tuple[CustomerId, Letter]] = field(default_factory=list)
    fails_with: ShopError | None = None

    async def send(self, customer_id: CustomerId, letter: Letter) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.sent.append((customer_id, letter))
