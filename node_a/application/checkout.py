"""Checkout: a customer who chose a plan gets a link to pay; a second tap gets the same link."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from node_a.application.ports import Clock, DescribePlan, Ledger, NewIds, OpenLedger, PaymentProvider, Transact
from node_a.application.settlement import locked_payment
from node_a.domain.customer import Customer, CustomerId, Standing
from node_a.domain.errors import CustomerBanned, ReceiptAddressNeeded, UnknownPlan
from node_a.domain.payment import FIRST_CHECK, Outcome, OutcomeStatus, Payment, PaymentState, Shop
from node_a.domain.plan import Plan
from node_a.domain.receipt import receipt_address

# Longer than all time-outs of one creation, so that the worker does not repeat it while it still runs.
CREATION_LEFT_ALONE_FOR: Final = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenPayment:
    """Returns a payment with a link, or one that was given up because the customer is being erased at this moment.
    Raises UnknownPlan, ReceiptAddressNeeded, CustomerBanned, ProviderUnavailable (the payment is kept, the same tap
    repeats it), PaymentRefused. The customer must be registered. `receipts`: whether the buyer gets tax receipts, for
    which `receipt_to` is needed; without them no address is kept. `by_link`: whoever holds the subscription link pays,
    which need not be the customer: neither is led to a payment of the other."""

    write: Transact
    provider: PaymentProvider
    plans: Mapping[str, Plan]
    shop: Shop
    describe: DescribePlan
    clock: Clock
    new_ids: NewIds
    receipts: bool = False

    def __call__(
        self, customer_id: CustomerId, plan_code: str, receipt_to: str | None = None, *, by_link: bool = False
    ) -> Payment:
        plan = self.plans.get(plan_code)
        if plan is None:
            raise UnknownPlan(plan_code)
        order = _Order(plan, self._address(receipt_to), by_link)
        payment = self.write(lambda ledger: self._stored(ledger, customer_id, order))
        if payment.state is PaymentState.PENDING:
            return payment
        outcome = self.provider.create(payment)  # outside any transaction; repeatable by its key
        return self.write(lambda ledger: self._opened(ledger, payment, outcome))

    def _address(self, receipt_to: str | None) -> str | None:
        if not self.receipts:
            return None
        address = receipt_address(receipt_to)
        if address is None:
            raise ReceiptAddressNeeded("no e-mail for the receipt, or not a valid one")
        return address

    def _stored(self, ledger: Ledger, customer_id: CustomerId, order: "_Order") -> Payment:
        """The payment with its exact request, committed before the provider hears of it."""
        now = self.clock()
        customer = ledger.customers.locked(customer_id)
        if customer.standing is not Standing.GOOD:
            raise CustomerBanned(customer_id)
        return self._reusable(ledger, customer_id, order, now) or self._new(ledger, customer, order, now)

    def _opened(self, ledger: Ledger, payment: Payment, outcome: Outcome) -> Payment:
        now = self.clock()
        known, _ = locked_payment(ledger, payment.id)
        opened = known.opened(outcome)
        ledger.payments.save(opened)
        if opened.is_open:
            # What is paid or declined so soon is settled by the worker, like everything else.
            final = outcome.status is not OutcomeStatus.PENDING
            ledger.payments.schedule(payment.id, now if final else now + FIRST_CHECK)
        return opened

    def _reusable(self, ledger: Ledger, customer_id: CustomerId, order: "_Order", now: datetime) -> Payment | None:
        for payment in ledger.payments.open_of(customer_id):
            opening = payment.state is PaymentState.OPENING and payment.creation_may_be_repeated(now)
            same = payment.shop == self.shop and _Order.of(payment) == order
            if same and (opening or payment.can_be_paid(now)):
                return payment
        return None

    def _new(self, ledger: Ledger, customer: Customer, order: "_Order", now: datetime) -> Payment:
        payment = Payment(
            self.new_ids.payment(),
            customer.id,
            order.plan,
            self.shop,
            opened_at=now,
            receipt_to=order.receipt_to,
            by_link=order.by_link,
        )
        request = self.provider.request_for(payment, self.describe(payment, customer.language))
        payment = replace(payment, request=request)
        ledger.payments.add(payment, check_at=now + CREATION_LEFT_ALONE_FOR)
        return payment


@dataclass(frozen=True, slots=True)
class _Order:
    """What one attempt to pay has in common with its repetition."""

    plan: Plan
    receipt_to: str | None
    by_link: bool

    @classmethod
    def of(cls, payment: Payment) -> "_Order":
        return cls(payment.plan, payment.receipt_to, payment.by_link)


@dataclass(frozen=True, kw_only=True, slots=True)
class LastReceiptAddress:
    """Where the customer's last receipt went, to be offered again; None if there was none. What somebody with the link
    typed is not the customer's."""

    read_ledger: OpenLedger

    def __call__(self, customer_id: CustomerId) -> str | None:
        with self.read_ledger() as ledger:
            payments = ledger.payments.of_customer(customer_id)
            return next((one.receipt_to for one in payments if one.receipt_to and not one.by_link), None)
