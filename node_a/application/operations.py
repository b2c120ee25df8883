"""Operations: what an operator gives to a customer by hand, days or money."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from node_a.application.acts import (
    ActKind,
    Answered,
    Instruction,
    PerformAct,
    Result,
    about_customer,
    about_payment,
    why_not,
)
from node_a.application.granting import GrantDays
from node_a.application.ports import Ledger, OpenLedger
from node_a.application.refunding import OpenRefund
from node_a.application.registration import locked_if_known
from node_a.application.settlement import locked_payment
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import ReceiptAddressNeeded, RefundRefused, UnknownPayment
from node_a.domain.money import Money
from node_a.domain.payment import Payment, PaymentId
from node_a.domain.plan import Plan
from node_a.domain.refund import left_to_refund

MOST_DAYS: Final = 3650


def gift(days: int) -> Plan:
    """Days that nobody paid for; unlimited."""
    return Plan("gift", days, Money(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantByHand:
    """1 to 3650 days. The customer hears of it by the message with the keys. ValueError for other numbers."""

    perform: PerformAct
    grant_days: GrantDays

    def __call__(self, instruction: Instruction, id: CustomerId, days: int) -> Answered:
        if not 1 <= days <= MOST_DAYS:
            raise ValueError(f"{days} days cannot be given")
        source = f"admin:{instruction.update_id}"

        def work(ledger: Ledger, now: datetime) -> Answered:
            customer = locked_if_known(ledger, id)
            if customer is None or customer.standing is not Standing.GOOD:
                return why_not(customer)
            self.grant_days(ledger, id, source, gift(days), now)
            subscription = ledger.subscriptions.of_customer(id)
            ends_at = subscription.paid_until if subscription else None
            return Answered(Result.GRANTED, ends_at.isoformat() if ends_at else "")

        return self.perform(instruction, ActKind.GRANT, about_customer(id), work)


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundByHand:
    """`named`: the payment's number, ours or the provider's; `amount` None: all that is left. Here it is only decided:
    the worker then asks the provider, and takes back the days."""

    read_ledger: OpenLedger
    perform: PerformAct
    open_refund: OpenRefund

    def __call__(self, instruction: Instruction, named: str, amount: Money | None) -> Answered:
        with self.read_ledger() as ledger:
            found = payment_named(ledger, named)
        if found is None:
            return self.perform(instruction, ActKind.REFUND, f"payment:{named[:64]}", _unknown)
        return self.perform(instruction, ActKind.REFUND, about_payment(found.id), self._refund(found.id, amount))

    def _refund(self, id: PaymentId, amount: Money | None) -> Callable[[Ledger, datetime], Answered]:
        def work(ledger: Ledger, now: datetime) -> Answered:
            try:
                payment, _ = locked_payment(ledger, id)
            except UnknownPayment:
                return Answered(Result.UNKNOWN_PAYMENT)
            try:
                refund = self.open_refund(ledger, payment, amount, now)
            except RefundRefused:
                refunds = ledger.refunds.of_payment(id)
                left = left_to_refund(payment, refunds) if payment.holds_money else Money(0)
                return Answered(Result.REFUND_REFUSED, f"{left} {left.currency}")
            except ReceiptAddressNeeded:
                return Answered(Result.NO_RECEIPT_ADDRESS)
            return Answered(Result.REFUND_OPENED, f"{refund.amount} {refund.amount.currency}")

        return work


def _unknown(ledger: Ledger, now: datetime) -> Answered:
    return Answered(Result.UNKNOWN_PAYMENT)


def payment_named(ledger: Ledger, text: str) -> Payment | None:
    """By our number or the provider's; both look alike."""
    try:
        known = ledger.payments.find(PaymentId(UUID(text)))
    except ValueError:
        known = None
    return known or ledger.payments.by_provider_id(text)
