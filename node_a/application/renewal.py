"""Renewal by the subscription link: whoever holds it can pay for that subscription, and can do nothing else."""

from dataclasses import dataclass

from node_a.application.checkout import OpenPayment
from node_a.application.overview import PaymentView, ShowPayment, subscription_of_link
from node_a.application.ports import OpenLedger
from node_a.domain.customer import Language
from node_a.domain.errors import UnknownPayment
from node_a.domain.keys import KeyRing
from node_a.domain.payment import Payment, PaymentId


@dataclass(frozen=True, kw_only=True, slots=True)
class RenewByLink:
    """Raises UnknownSubscription, and what OpenPayment raises; UnknownCustomer if the customer is being erased at this
    moment."""

    read_ledger: OpenLedger
    ring: KeyRing
    open_payment: OpenPayment

    def __call__(self, token: str, plan_code: str, receipt_to: str | None = None) -> Payment:
        with self.read_ledger() as ledger:
            customer_id = subscription_of_link(ledger, self.ring, token).customer_id
        return self.open_payment(customer_id, plan_code, receipt_to, by_link=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowRenewal:
    """How far a payment is that was opened by this link. UnknownSubscription; UnknownPayment for one of another
    subscription, and for what the customers opened themselves."""

    read_ledger: OpenLedger
    ring: KeyRing
    show_payment: ShowPayment

    def __call__(self, token: str, id: PaymentId) -> PaymentView:
        with self.read_ledger() as ledger:
            customer_id = subscription_of_link(ledger, self.ring, token).customer_id
            payment = ledger.payments.find(id)
            customer = ledger.customers.find(customer_id)
        if payment is None or not payment.by_link:
            raise UnknownPayment(str(id))
        # Which looks whose it is.
        return self.show_payment(id, customer_id, customer.language if customer else Language.RUSSIAN)
