"""Settling: a payment the provider calls paid becomes days, exactly once."""

from dataclasses import dataclass
from datetime import timedelta

from node_a.application.granting import GrantDays
from node_a.application.ports import Clock, Ledger, NewIds, PaymentClaim, PaymentProvider, Transact
from node_a.domain.errors import PaymentRefused, ProviderUnavailable
from node_a.domain.message import Message
from node_a.domain.payment import Outcome, Payment, PaymentId, PaymentState


@dataclass(frozen=True, kw_only=True, slots=True)
class NudgePayment:
    """Somebody says that something happened to a payment: believe nothing, look soon. False if no open one fits."""

    write: Transact
    clock: Clock

    def __call__(self, id: PaymentId | None, provider_id: str | None) -> bool:
        return self.write(lambda ledger: ledger.payments.nudge(id, provider_id, self.clock()))


@dataclass(frozen=True, kw_only=True, slots=True)
class SettlePayment:
    """One check. Returns the payment as it is afterwards; ProviderUnavailable and PaymentRefused are raised again
    after the next check was planned: an error never ends the checks."""

    write: Transact
    provider: PaymentProvider
    grant_days: GrantDays
    clock: Clock
    new_ids: NewIds

    def __call__(self, claim: PaymentClaim) -> Payment:
        try:
            outcome = self._ask(claim.payment)  # outside any transaction
        except (ProviderUnavailable, PaymentRefused) as error:
            retry_after = error.retry_after if isinstance(error, ProviderUnavailable) else None
            self.write(lambda ledger: self._try_again(ledger, claim, retry_after))
            raise
        return self.write(lambda ledger: self._settled(ledger, claim, outcome))

    def _settled(self, ledger: Ledger, claim: PaymentClaim, outcome: Outcome | None) -> Payment:
        now = self.clock()
        # The customer row first: two payments of one customer must not meet.
        customer = ledger.customers.locked(claim.payment.customer_id)
        before = self._current(ledger, claim)
        payment = (before.settled(outcome, now) if outcome else before.abandoned(now)).checked()
        ledger.payments.save(payment)
        ledger.payments.reschedule(claim, payment.next_check(now))  # unless nudged meanwhile
        if payment.is_paid and self.grant_days(ledger, customer.id, payment.source, payment.plan, now):
            ledger.messages.queue(Message.payment_received(self.new_ids.message(), payment, now))
        if payment.state is PaymentState.DECLINED and before.is_open:
            ledger.messages.queue(Message.payment_declined(self.new_ids.message(), payment, now))
        return payment

    def _try_again(self, ledger: Ledger, claim: PaymentClaim, retry_after: float | None) -> None:
        now = self.clock()
        ledger.customers.locked(claim.payment.customer_id)
        payment = self._current(ledger, claim).checked()
        ledger.payments.save(payment)
        check_at = payment.next_try(now)
        if retry_after is not None:
            check_at = max(check_at, now + timedelta(seconds=retry_after))
        ledger.payments.reschedule(claim, check_at)

    def _ask(self, payment: Payment) -> Outcome | None:
        """The provider's word; None when it never heard of this payment and it is too late to repeat."""
        if payment.provider_id is not None:
            return self.provider.find(payment)
        if payment.creation_may_be_repeated(self.clock()):
            return self.provider.create(payment)
        return None

    @staticmethod
    def _current(ledger: Ledger, claim: PaymentClaim) -> Payment:
        # It may have been opened or settled since the claim; it cannot have gone.
        return ledger.payments.find(claim.payment.id) or claim.payment
