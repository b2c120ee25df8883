"""Reconciling: the provider's own lists of payments and refunds against our grants, nightly and after a restore."""

from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime

from node_a.application.acts import ActKind, about_payment
from node_a.application.ports import Clock, Ledger, ListedPayment, OpenLedger, PaymentProvider, Transact
from node_a.application.refunding import ApplyRefunds
from node_a.application.settlement import RecordOutcome, locked_payment
from node_a.domain.customer import NOBODY, Customer, Language
from node_a.domain.errors import PaymentRefused, ProviderUnavailable
from node_a.domain.payment import Attention, Outcome, OutcomeStatus, Payment, PaymentId, PaymentState, Shop
from node_a.domain.refund import RefundOutcome, left_to_refund


@dataclass(slots=True)
class Reconciliation:
    """What was found. `payments`, `refunds`: looked at, ours; `foreign`: paid into the shop, and not by us; `rebuilt`:
    our database had forgotten them; `settled`: they changed; `shortened`: a refund was new. For a person: `unreadable`,
    the provider's numbers of paid ones that we have forgotten and that do not say what for; and `differences`, payments
    of which money in and grants do not agree."""

    payments: int = 0
    refunds: int = 0
    foreign: int = 0
    rebuilt: int = 0
    settled: int = 0
    shortened: int = 0
    unreadable: list[str] = field(default_factory=list)
    differences: list[Payment] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileMoney:
    """Walks everything since a moment; safe to repeat and beside a working shop. Raises ProviderUnavailable and
    PaymentRefused: what was done so far is kept."""

    read_ledger: OpenLedger
    write: Transact
    provider: PaymentProvider
    record: RecordOutcome
    apply_refunds: ApplyRefunds
    shop: Shop
    default_language: Language
    clock: Clock

    def __call__(self, since: datetime) -> Reconciliation:
        found, started = Reconciliation(), self.clock()
        # One list that breaks off must not keep the other from being walked.
        broken: list[ProviderUnavailable | PaymentRefused] = []
        paid: set[PaymentId] = set()
        try:
            self._payments(found, since, paid)
        except (ProviderUnavailable, PaymentRefused) as error:
            broken.append(error)
        try:
            for outcome in self.provider.refunds_since(since):
                self._refund(found, outcome)
        except (ProviderUnavailable, PaymentRefused) as error:
            broken.append(error)
        if broken:
            raise broken[0]
        self._question(since, started, paid)
        with self.read_ledger() as ledger:
            found.differences.extend(ledger.payments.needing_a_person())
        return found

    def _payments(self, found: Reconciliation, since: datetime, paid: set[PaymentId]) -> None:
        for listed in self.provider.payments_since(since):
            succeeded = listed.outcome.status is OutcomeStatus.SUCCEEDED
            if listed.id is None:
                found.foreign += succeeded
                continue
            found.payments += 1
            if succeeded:
                paid.add(listed.id)
            self._payment(found, listed, listed.id)

    def _payment(self, found: Reconciliation, listed: ListedPayment, id: PaymentId) -> None:
        with self.read_ledger() as ledger:
            known = ledger.payments.find(id)
        if known is None:
            if not self.write(lambda ledger: self._rebuilt(ledger, listed, id)):
                if listed.outcome.status is OutcomeStatus.SUCCEEDED:
                    found.unreadable.append(listed.outcome.provider_id)
                return
            found.rebuilt += 1
        elif known.provider_id not in {None, listed.outcome.provider_id}:
            if listed.outcome.status is OutcomeStatus.SUCCEEDED:
                self._ask_a_person(id, Attention.PAID_TWICE)
            return
        elif not _has_news(known, listed.outcome):
            return
        found.settled += self.write(lambda ledger: self._settled(ledger, listed.outcome, id))

    def _rebuilt(self, ledger: Ledger, listed: ListedPayment, id: PaymentId) -> bool:
        """What the provider remembers of a payment is enough to settle it. False if nothing can come of it any more."""
        outcome, customer_id, plan = listed.outcome, listed.customer_id, listed.plan
        if outcome.status is OutcomeStatus.CANCELED or customer_id is None or plan is None:
            return False
        ledger.customers.add(Customer(customer_id, self.default_language))
        ledger.customers.locked(customer_id)
        if ledger.payments.find(id) is not None:
            return True  # another one was faster
        payment = Payment(id, customer_id, plan, self.shop, listed.created_at).opened(outcome)
        ledger.payments.add(payment, check_at=self.clock())
        return True

    def _settled(self, ledger: Ledger, outcome: Outcome, id: PaymentId) -> bool:
        now = self.clock()
        before, customer = locked_payment(ledger, id)
        payment = self.record(ledger, before.reopened(outcome), customer, outcome, now)
        return payment.state is not before.state

    def _refund(self, found: Reconciliation, outcome: RefundOutcome) -> None:
        with self.read_ledger() as ledger:
            payment = ledger.payments.by_provider_id(outcome.payment_provider_id)
            known = ledger.refunds.by_provider_id(outcome.provider_id)
        if payment is None:
            return  # a payment that is not ours, and was counted as such
        found.refunds += 1
        if known is None or known.state is not outcome.state:
            found.shortened += 1
            self.write(lambda ledger: self._applied(ledger, outcome, payment.id))

    def _applied(self, ledger: Ledger, outcome: RefundOutcome, id: PaymentId) -> None:
        payment, customer = locked_payment(ledger, id)
        self.apply_refunds(ledger, payment, customer, self.clock(), outcomes=[outcome], refused={})

    def _question(self, since: datetime, started: datetime, paid: Set[PaymentId]) -> None:
        """Money in and days given must agree, both ways."""
        with self.read_ledger() as ledger:
            payments = [
                one
                for one in ledger.payments.paid_between(since, started)
                if one.shop == self.shop and one.settled_at and one.settled_at < started
            ]
            granted = ledger.subscriptions.granted_sources([one.source for one in payments])
            owed = [one for one in payments if one.source not in granted and _is_owed(ledger, one)]
        for payment in payments:
            if payment.id not in paid:
                self._ask_a_person(payment.id, Attention.NOT_PAID_THERE)
            elif payment in owed:
                self._ask_a_person(payment.id, Attention.NO_DAYS_GIVEN)

    def _ask_a_person(self, id: PaymentId, why: Attention) -> None:
        """Unless one is asked already, or has dealt with it."""

        def work(ledger: Ledger) -> None:
            payment, _ = locked_payment(ledger, id)
            acts = ledger.operator_acts.about([about_payment(id)])
            if payment.attention is None and ActKind.HANDLED not in {act.act for act in acts}:
                self.record.save(ledger, payment, payment.needs_a_person(why), self.clock())

        self.write(work)


def _is_owed(ledger: Ledger, payment: Payment) -> bool:
    left = left_to_refund(payment, ledger.refunds.of_payment(payment.id))
    return payment.customer_id != NOBODY and left.minor_units > 0


def _has_news(known: Payment, outcome: Outcome) -> bool:
    final = outcome.status is not OutcomeStatus.PENDING
    given_up = known.state in {PaymentState.ABANDONED, PaymentState.DECLINED}
    # Without the provider's number, the worker would give it up, although somebody may hold its link.
    return (known.is_open and (final or known.provider_id is None)) or (
        given_up and outcome.status is OutcomeStatus.SUCCEEDED
    )
