"""Checkout: a customer who chose a plan gets a link to pay; a second tap gets the same link."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from node_a.application.ports import Clock, DescribePlan, Ledger, NewIds, PaymentProvider, Transact
from node_a.domain.customer import Customer, CustomerId, Standing
from node_a.domain.errors import CustomerBanned, UnknownPlan
from node_a.domain.payment import FIRST_CHECK, Outcome, OutcomeStatus, Payment, PaymentState, Shop
from node_a.domain.plan import Plan

# Longer than all time-outs of one creation, so that the worker does not repeat it while it still runs.
CREATION_LEFT_ALONE_FOR: Final = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenPayment:
    """Returns a payment with a link. Raises UnknownPlan, CustomerBanned, ProviderUnavailable (the payment is kept, the
    same tap repeats it), PaymentRefused. The customer must be registered."""

    write: Transact
    provider: PaymentProvider
    plans: Mapping[str, Plan]
    shop: Shop
    describe: DescribePlan
    clock: Clock
    new_ids: NewIds

    def __call__(self, customer_id: CustomerId, plan_code: str) -> Payment:
        plan = self.plans.get(plan_code)
        if plan is None:
            raise UnknownPlan(plan_code)
        payment = self.write(lambda ledger: self._stored(ledger, customer_id, plan))
        if payment.state is PaymentState.PENDING:
            return payment
        outcome = self.provider.create(payment)  # outside any transaction; repeatable by its key
        return self.write(lambda ledger: self._opened(ledger, payment, outcome))

    def _stored(self, ledger: Ledger, customer_id: CustomerId, plan: Plan) -> Payment:
        """The payment with its exact request, committed before the provider hears of it."""
        now = self.clock()
        customer = ledger.customers.locked(customer_id)
        if customer.standing is not Standing.GOOD:
            raise CustomerBanned(customer_id)
        return self._reusable(ledger, customer_id, plan, now) or self._new(ledger, customer, plan, now)

    def _opened(self, ledger: Ledger, payment: Payment, outcome: Outcome) -> Payment:
        now = self.clock()
        ledger.customers.locked(payment.customer_id)
        opened = (ledger.payments.find(payment.id) or payment).opened(outcome)
        ledger.payments.save(opened)
        # What is paid or declined so soon is settled by the worker, like everything else.
        final = outcome.status is not OutcomeStatus.PENDING
        ledger.payments.schedule(payment.id, now if final else now + FIRST_CHECK)
        return opened

    def _reusable(self, ledger: Ledger, customer_id: CustomerId, plan: Plan, now: datetime) -> Payment | None:
        for payment in ledger.payments.open_of(customer_id):
            opening = payment.state is PaymentState.OPENING and payment.creation_may_be_repeated(now)
            if payment.plan == plan and payment.shop == self.shop and (opening or payment.can_be_paid(now)):
                return payment
        return None

    def _new(self, ledger: Ledger, customer: Customer, plan: Plan, now: datetime) -> Payment:
        payment = Payment(self.new_ids.payment(), customer.id, plan, self.shop, opened_at=now)
        request = self.provider.request_for(payment, self.describe(payment, customer.language))
        payment = replace(payment, request=request)
        ledger.payments.add(payment, check_at=now + CREATION_LEFT_ALONE_FOR)
        return payment
