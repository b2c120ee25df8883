"""The bodies that create payments and refunds."""

from typing import Any, Final

from node_a.adapters.payments.yookassa_amounts import amount_of
from node_a.adapters.payments.yookassa_metadata import metadata_of, metadata_of_refund
from node_a.adapters.payments.yookassa_receipts import Receipts, receipts_as_sold
from node_a.domain.payment import Payment
from node_a.domain.refund import Refund

# Characters; https://yookassa.ru/developers/api#create_payment and #create_refund
LONGEST_DESCRIPTION: Final = 128
LONGEST_REFUND_DESCRIPTION: Final = 250


def known_id(payment: Payment) -> str:
    """The provider's id. ValueError for a payment whose creation has not been answered."""
    if payment.provider_id is None:
        raise ValueError(f"payment {payment.id} is not known to the provider yet")
    return payment.provider_id


def payment_body(payment: Payment, description: str, return_url: str, receipts: Receipts | None) -> dict[str, Any]:
    """Raises ReceiptAddressNeeded."""
    price = payment.plan.price
    body: dict[str, Any] = {
        "amount": amount_of(price),
        "capture": True,  # the provider's default is to hold the money only
        # The provider adds nothing to it (FACTS: YooKassa), so that it must name the payment itself.
        "confirmation": {"type": "redirect", "return_url": f"{return_url}?payment={payment.id}"},
        "description": description[:LONGEST_DESCRIPTION],
        "metadata": metadata_of(payment),
    }
    if receipts is not None:
        body["receipt"] = receipts.receipt(price, description, payment.receipt_to)
    return body


def refund_body(payment: Payment, refund: Refund, description: str, receipts: Receipts | None) -> dict[str, Any]:
    """Raises ReceiptAddressNeeded, and ValueError for a payment whose creation has not been answered."""
    body: dict[str, Any] = {
        "payment_id": known_id(payment),
        "amount": amount_of(refund.amount),
        "description": description[:LONGEST_REFUND_DESCRIPTION],
        "metadata": metadata_of_refund(refund),
    }
    # What was sold with a receipt is paid back with one, whatever the settings say today.
    receipts = receipts_as_sold(payment.request) or receipts
    if receipts is not None:
        body["receipt"] = receipts.receipt(refund.amount, description, payment.receipt_to)
    return body
