"""Settling: a payment the provider calls paid becomes days, exactly once."""

from dataclasses import dataclass
from datetime import datetime

from node_a.application.alerts import TellOperators
from node_a.application.granting import GrantDays
from node_a.application.ports import Chance, Clock, Ledger, NewIds, PaymentClaim, PaymentProvider, Transact
from node_a.domain.backoff import asked_for
from node_a.domain.customer import Customer, Standing
from node_a.domain.errors import PaymentRefused, ProviderUnavailable, UnknownCustomer, UnknownPayment
from node_a.domain.message import Message, MessageKind
from node_a.domain.payment import (
    LONGEST_PAUSE,
    OPEN_STATES,
    STATES_WITH_MONEY,
    Attention,
    Outcome,
    Payment,
    PaymentId,
    PaymentState,
    Shop,
)


def locked_payment(ledger: Ledger, id: PaymentId) -> tuple[Payment, Customer]:
    """The payment as it is under its customer's lock, which comes first: two payments of one customer must not meet.
    Raises UnknownPayment."""
    for _ in range(2):  # the customer may be erased at this very moment: then the payment is NOBODY's
        payment = ledger.payments.find(id)
        if payment is None:
            break
        try:
            customer = ledger.customers.locked(payment.customer_id)
        except UnknownCustomer:
            continue
        current = ledger.payments.find(id)
        if current is not None and current.customer_id == customer.id:
            return current, customer
    raise UnknownPayment(str(id))


def check_again(
    ledger: Ledger, claim: PaymentClaim, error: ProviderUnavailable | PaymentRefused, now: datetime, chance: float
) -> None:
    """Called inside a transaction, after a check without an answer."""
    payment, _ = locked_payment(ledger, claim.payment.id)
    payment = payment.not_answered(now)
    ledger.payments.save(payment)
    ledger.payments.reschedule(claim, max(payment.next_try(now, chance), now + asked_for(error, LONGEST_PAUSE)))


@dataclass(frozen=True, kw_only=True, slots=True)
class NudgePayment:
    """Somebody says that something happened to a payment, or to its refunds: believe nothing, look soon. False if none
    fits."""

    write: Transact
    clock: Clock

    def __call__(self, id: PaymentId | None, provider_id: str | None, about_a_refund: bool = False) -> bool:
        states = OPEN_STATES | STATES_WITH_MONEY if about_a_refund else OPEN_STATES
        return self.write(lambda ledger: ledger.payments.nudge(id, provider_id, self.clock(), states=states))


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordOutcome:
    """Called inside a transaction that holds the customer's lock: the payment after the provider's word, stored with
    all that follows from it. Repeating it changes nothing."""

    grant_days: GrantDays
    tell_operators: TellOperators
    new_ids: NewIds

    def __call__(self, ledger: Ledger, before: Payment, customer: Customer, outcome: Outcome, now: datetime) -> Payment:
        payment = before.settled(outcome, now)
        if payment.is_paid and before.is_open:
            if customer.standing is Standing.GOOD:
                ledger.messages.queue(Message.payment_received(self.new_ids.message(), payment, now))
            else:
                payment = payment.needs_a_person(Attention.LATE, f"the customer is {customer.standing}")
        declined = payment.state is PaymentState.DECLINED and before.is_open
        # Whoever held the link sees it on the page; the customer perhaps never heard of it.
        if declined and not payment.by_link and customer.standing is Standing.GOOD:
            ledger.messages.queue(Message.payment_declined(self.new_ids.message(), payment, now))
        self.grant_owed(ledger, payment, customer, now)
        self.save(ledger, before, payment, now)
        return payment

    def grant_owed(self, ledger: Ledger, payment: Payment, customer: Customer, now: datetime) -> bool:
        """True if days were added. Who is banned or wants to be erased gets none: their money waits for a person."""
        if not payment.is_paid or customer.standing is not Standing.GOOD:
            return False
        return self.grant_days(ledger, customer.id, payment.source, payment.plan, now)

    def save(self, ledger: Ledger, before: Payment, payment: Payment, now: datetime) -> None:
        """Stored; operators are told if it needs a person for a new reason."""
        ledger.payments.save(payment)
        if payment.attention is not None and payment.attention != before.attention:
            # With the moment: what was dealt with and comes again is news.
            key = f"{payment.id}:{now.isoformat()}"
            self.tell_operators(ledger, MessageKind.MONEY_NEEDS_YOU, subject=payment.id, key=key, now=now)


def leave_to_a_person(ledger: Ledger, claim: PaymentClaim, record: RecordOutcome, now: datetime) -> Payment:
    """Called inside a transaction: a payment of a shop that the settings do not name any more. The provider would
    not know it, or would take it for a new one."""
    before, _ = locked_payment(ledger, claim.payment.id)
    payment = before.needs_a_person(Attention.ANOTHER_SHOPS)
    record.save(ledger, before, payment, now)
    ledger.payments.reschedule(claim, None)
    return payment


@dataclass(frozen=True, kw_only=True, slots=True)
class SettlePayment:
    """One check of an open payment. Returns it as it is afterwards; ProviderUnavailable and PaymentRefused are raised
    again after the next check was planned: an error never ends the checks."""

    write: Transact
    provider: PaymentProvider
    shop: Shop
    record: RecordOutcome
    clock: Clock
    chance: Chance

    def __call__(self, claim: PaymentClaim) -> Payment:
        if claim.payment.shop.id != self.shop.id:
            return self.write(lambda ledger: leave_to_a_person(ledger, claim, self.record, self.clock()))
        try:
            outcome = self._ask(claim.payment)  # outside any transaction
        except (ProviderUnavailable, PaymentRefused) as error:
            not_now = error  # Python forgets `error` at the end of this block
            self.write(lambda ledger: check_again(ledger, claim, not_now, self.clock(), self.chance()))
            raise
        return self.write(lambda ledger: self._settled(ledger, claim, outcome))

    def _settled(self, ledger: Ledger, claim: PaymentClaim, outcome: Outcome | None) -> Payment:
        now = self.clock()
        before, customer = locked_payment(ledger, claim.payment.id)
        before = before.checked()
        if outcome is None:
            payment = before.abandoned(now)
            ledger.payments.save(payment)
        else:
            payment = self.record(ledger, before, customer, outcome, now)
        check_at = payment.next_check(now, self.chance())
        refunded = outcome.refunded if outcome is not None else None
        if payment.holds_money and refunded is not None and refunded.minor_units:
            check_at = now  # some of it went back before we ever heard of it
        ledger.payments.reschedule(claim, check_at)  # unless nudged meanwhile
        return payment

    def _ask(self, payment: Payment) -> Outcome | None:
        """The provider's word; None when it never heard of this payment and it is too late to repeat."""
        if payment.provider_id is not None:
            return self.provider.find(payment)
        if payment.is_open and payment.creation_may_be_repeated(self.clock()):
            return self.provider.create(payment)
        return None
