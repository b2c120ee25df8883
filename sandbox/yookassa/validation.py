"""What the API refuses to accept. Fields it does not know are ignored: its specification closes no object."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from sandbox.store import Document
from sandbox.yookassa.money import kopecks
from sandbox.yookassa.problems import invalid

# A test shop takes cards and YooMoney only: https://yookassa.ru/developers/payment-acceptance/testing-and-going-live/testing
PAYMENT_METHODS = ("bank_card", "yoo_money")


@dataclass
class Fiscal:
    """Whether YooKassa sends the tax receipts of this shop (54-FZ), and so refuses what brings none."""

    required: bool = False


def check_payment(body: Document, fiscal: Fiscal) -> None:
    """Raises a Problem 400 that names the first wrong field of a request to create a payment."""
    whole = kopecks(body.get("amount"), "amount")
    check_text(body, "description", 128)
    check_text(body, "merchant_customer_id", 200)
    check_text(body, "payment_method_id", 100)
    check_text(body, "client_ip", 64)
    check_flag(body, "capture")
    check_flag(body, "save_payment_method")
    check_metadata(body)
    check_receipt(body, whole, required=fiscal.required)
    _check_method(body)
    if "payment_method_id" not in body:
        _check_confirmation(body.get("confirmation"))


def check_refund(body: Document, fiscal: Fiscal) -> int:
    """The kopecks to give back; raises a Problem 400 that names the first wrong field."""
    if not isinstance(body.get("payment_id"), str):
        raise invalid("payment_id is required", "payment_id")
    whole = kopecks(body.get("amount"), "amount")
    check_text(body, "description", 250)
    check_metadata(body)
    check_receipt(body, whole, required=fiscal.required)
    return whole


def check_text(body: Document, name: str, longest: int) -> None:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise invalid(f"A string of at most {longest} characters", name)


def check_flag(body: Document, name: str) -> None:
    if not isinstance(body.get(name, False), bool):
        raise invalid("true or false", name)


def check_metadata(body: Document) -> None:
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise invalid("An object of at most 16 keys", "metadata")
    for key, value in metadata.items():
        if len(key) > 32:
            raise invalid("A key has at most 32 characters", f"metadata.{key}")
        if value is not None and not (isinstance(value, str) and len(value) <= 512):
            raise invalid("A value is a string of at most 512 characters", f"metadata.{key}")


def check_receipt(body: Document, whole: int, *, required: bool = False) -> None:
    if "receipt" not in body:
        if required:
            raise invalid("Receipt is missing or illegal", "receipt")
        return
    receipt = body["receipt"]
    if not isinstance(receipt, dict) or not isinstance(receipt.get("items"), list) or not receipt["items"]:
        raise invalid("A receipt has items", "receipt.items")
    customer = receipt.get("customer")
    if not isinstance(customer, dict) or not (customer.get("email") or customer.get("phone")):
        raise invalid("Where shall the receipt be sent?", "receipt.customer")
    if required:
        _check_fiscal(customer, receipt["items"])
    total = sum(
        (_item_total(item, f"receipt.items.{place}") for place, item in enumerate(receipt["items"])), Decimal(0)
    )
    if total != whole:
        raise invalid("The sum of the receipt's items is not the amount", "receipt.items")


def _item_total(item: object, where: str) -> Decimal:
    if not isinstance(item, dict):
        raise invalid("An item is an object", where)
    if not isinstance(item.get("description"), str) or not 1 <= len(item["description"]) <= 128:
        raise invalid("1 to 128 characters", f"{where}.description")
    quantity = _quantity(item.get("quantity"), f"{where}.quantity")
    vat_code = item.get("vat_code")
    # 11 and 12 (22 %) exist since 2026-01-01; the specification still ends at 10.
    if isinstance(vat_code, bool) or not isinstance(vat_code, int) or not 1 <= vat_code <= 12:
        raise invalid("A code from 1 to 12", f"{where}.vat_code")
    return quantity * kopecks(item.get("amount"), f"{where}.amount")


def _check_fiscal(customer: Document, items: list[object]) -> None:
    """What YooKassa's own receipts need beyond any receipt: an address, and every item's kind and measure."""
    if "@" not in str(customer.get("email")):
        raise invalid("Receipts are sent by e-mail", "receipt.customer.email")
    for place, item in enumerate(items):
        for name in ("payment_subject", "payment_mode", "measure"):
            if not (isinstance(item, dict) and item.get(name)):
                raise invalid("Missing", f"receipt.items.{place}.{name}")


def _quantity(value: object, where: str) -> Decimal:
    # A number by the specification, but the original's own SDK sends the string "1.0" and is understood.
    try:
        quantity = Decimal(str(value))
    except InvalidOperation as error:
        raise invalid("A number", where) from error
    if not quantity.is_finite() or quantity <= 0:
        raise invalid("A number above zero", where)
    return quantity


def _check_method(body: Document) -> None:
    data = body.get("payment_method_data")
    if data is None:
        return
    if not isinstance(data, dict) or data.get("type") not in PAYMENT_METHODS:
        raise invalid("A test shop takes bank_card and yoo_money only", "payment_method_data.type")


def _check_confirmation(confirmation: object) -> None:
    if not isinstance(confirmation, dict):
        raise invalid("How shall the customer confirm?", "confirmation")
    if confirmation.get("type") != "redirect":
        raise invalid("The stand-in has a page to be redirected to, nothing else", "confirmation.type")
    url = confirmation.get("return_url")
    if not isinstance(url, str) or len(url) > 2048 or not _is_absolute(url):
        raise invalid("A full http(s) address of at most 2048 characters", "confirmation.return_url")


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and url.isprintable() and " " not in url
