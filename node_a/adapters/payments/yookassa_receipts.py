"""Tax receipts (54-FZ): what a request must say so that YooKassa writes one for the buyer."""

import json
from dataclasses import dataclass
from typing import Any, Final

from node_a.adapters.payments.yookassa_amounts import amount_of
from node_a.domain.errors import ReceiptAddressNeeded
from node_a.domain.money import Money
from node_a.domain.receipt import receipt_address

# https://yookassa.ru/developers/payment-acceptance/receipts/54fz/yoomoney/parameters-values
LONGEST_ITEM: Final = 128  # characters


@dataclass(frozen=True, slots=True)
class Receipts:
    """How the shop is taxed. `vat_code`: 1 none … 11 22 %, 12 22/122; `tax_system_code`: only for a shop with a cash
    register of its own, YooKassa's ignores it."""

    vat_code: int
    tax_system_code: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.vat_code <= 12:
            raise ValueError("a VAT code is a number from 1 to 12")
        if self.tax_system_code is not None and not 1 <= self.tax_system_code <= 6:
            raise ValueError("a tax system's code is a number from 1 to 6")

    def receipt(self, amount: Money, description: str, to: str | None) -> dict[str, Any]:
        """For one service, paid at once. Raises ReceiptAddressNeeded, and never sends it to anybody but the buyer."""
        if to is None or receipt_address(to) != to:
            raise ReceiptAddressNeeded("a receipt is due, and there is no e-mail address for it")
        item = {
            "description": description[:LONGEST_ITEM],
            "quantity": 1,
            "amount": amount_of(amount),
            "vat_code": self.vat_code,
            "payment_subject": "service",
            "payment_mode": "full_payment",
            "measure": "piece",
        }
        receipt: dict[str, Any] = {"customer": {"email": to}, "items": [item]}
        if self.tax_system_code is not None:
            receipt["tax_system_code"] = self.tax_system_code
        return receipt


def receipts_as_sold(request: str) -> Receipts | None:
    """How the sale was taxed that this body opened; None if it had no receipt. Tax rates change between a sale and its
    refund, and a refund is taxed like its sale."""
    try:
        receipt = json.loads(request)["receipt"]
        return Receipts(receipt["items"][0]["vat_code"], receipt.get("tax_system_code"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
