"""The shop's payments, and the only ways in which they change."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sandbox.store import Document, Store
from sandbox.yookassa.clock import Clock, written
from sandbox.yookassa.identity import authorization, new_id, test_card
from sandbox.yookassa.money import amount, kopecks
from sandbox.yookassa.problems import invalid, not_found
from sandbox.yookassa.validation import Fiscal, check_payment, check_receipt

TO_PAY = timedelta(hours=1)  # the original's limit for cards and SBP
TO_CAPTURE = timedelta(days=7)  # the original's limit for cards

FINAL = frozenset({"succeeded", "canceled"})

Notify = Callable[[str, Document], None]


class Shop:
    """A record keeps the payment object as the API shows it, beside what the API does not show."""

    def __init__(
        self, *, store: Store, clock: Clock, notify: Notify, shop_id: str, public_url: str, fiscal: Fiscal
    ) -> None:
        self._payments = store.table("yookassa.payments")
        self._fiscal = fiscal
        self._clock = clock
        self._notify = notify
        self._shop_id = shop_id
        self._public_url = public_url.rstrip("/")
        # Beside the store, so that looking for what is due does not read every payment ever made.
        self._deadlines = {
            payment_id: datetime.fromisoformat(record["deadline"])
            for payment_id, record in self._payments.items()
            if record["payment"]["status"] not in FINAL
        }

    def create_payment(self, body: Document) -> Document:
        check_payment(body, self._fiscal)
        now = self._clock.now()
        payment_id = new_id(now)
        payment: Document = {
            "id": payment_id,
            "status": "pending",
            "amount": amount(kopecks(body["amount"], "amount")),
            "recipient": {"account_id": self._shop_id, "gateway_id": f"{self._shop_id}1"},
            "created_at": written(now),
            "test": True,
            "paid": False,
            "refundable": False,
            "metadata": body.get("metadata", {}),
        }
        payment |= {name: body[name] for name in ("description", "merchant_customer_id") if name in body}
        record: Document = {
            "payment": payment,
            "capture": body.get("capture", False),
            "save": body.get("save_payment_method", False),
            "receipt": "receipt" in body,
            "return_url": None,
            "deadline": written(now + TO_PAY),
        }
        if "payment_method_id" in body:
            self._check_saved(body["payment_method_id"])
            self._accept(record, body["payment_method_id"])
        else:
            record["return_url"] = body["confirmation"]["return_url"]
            payment["confirmation"] = {
                "type": "redirect",
                "return_url": record["return_url"],
                "confirmation_url": f"{self._public_url}/pay/{payment_id}",
            }
            self._keep(record)
        return payment

    def payment(self, payment_id: str) -> Document:
        """The payment object; a Problem 404 for an unknown id."""
        payment: Document = self._record(payment_id)["payment"]
        return payment

    def return_url(self, payment_id: str) -> str | None:
        """Where the customer came from; None for a payment made without a page."""
        url: str | None = self._record(payment_id)["return_url"]
        return url

    def payments(self) -> Iterator[Document]:
        self.expire_due()
        return (record["payment"] for record in self._payments.values())

    def pay(self, payment_id: str) -> Document:
        record = self._expect(payment_id, "pending")
        return self._accept(record, payment_id)

    def decline(self, payment_id: str, reason: str = "insufficient_funds") -> Document:
        record = self._expect(payment_id, "pending")
        record["payment"]["payment_method"] = test_card(payment_id, saved=False)
        return self._cancel(record, "payment_network", reason)

    def capture(self, payment_id: str, body: Document) -> Document:
        """Takes the held money, or a part of it: the rest goes back to the customer."""
        record = self._expect(payment_id, "waiting_for_capture")
        payment = record["payment"]
        if "amount" in body:
            part = kopecks(body["amount"], "amount")
            if part > kopecks(payment["amount"], "amount"):
                raise invalid("More than was held", "amount.value")
            payment["amount"] = amount(part)
        check_receipt(body, kopecks(payment["amount"], "amount"))
        return self._succeed(record)

    def cancel(self, payment_id: str) -> Document:
        return self._cancel(self._expect(payment_id, "waiting_for_capture"), "merchant", "canceled_by_merchant")

    def expire_due(self) -> datetime | None:
        """Cancels what nobody paid or captured in time; the earliest deadline that is left."""
        now = self._clock.now()
        for payment_id in [known for known, deadline in self._deadlines.items() if deadline <= now]:
            record = self._payments[payment_id]
            is_held = record["payment"]["status"] == "waiting_for_capture"
            self._cancel(record, "yoo_money", "expired_on_capture" if is_held else "expired_on_confirmation")
        return min(self._deadlines.values(), default=None)

    def gives_back(self, payment_id: str, *, done: int, under_way: int) -> None:
        """Writes down how many kopecks have gone back, and whether any can still follow."""
        record = self._record(payment_id)
        payment = record["payment"]
        whole = kopecks(payment["amount"], "amount")
        payment |= {"refunded_amount": amount(done), "refundable": done + under_way < whole}
        self._keep(record)

    def _record(self, payment_id: str) -> Document:
        self.expire_due()
        record = self._payments.get(payment_id)
        if record is None:
            raise not_found("Payment", "payment_id")
        return record

    def _expect(self, payment_id: str, status: str) -> Document:
        record = self._record(payment_id)
        if record["payment"]["status"] != status:
            raise invalid(f"The payment is {record['payment']['status']}, not {status}", "payment_id")
        return record

    def _check_saved(self, method_id: str) -> None:
        # A saved method has the id of the payment that saved it, as in the original.
        record = self._payments.get(method_id)
        method = record["payment"].get("payment_method", {}) if record else {}
        if not method.get("saved"):
            raise invalid("Payment method doesn't exist or is not saved", "payment_method_id")

    def _accept(self, record: Document, method_id: str) -> Document:
        payment = record["payment"]
        saved = record["save"] or method_id != payment["id"]
        payment |= {
            "paid": True,
            "payment_method": test_card(method_id, saved=saved),
            "authorization_details": authorization(),
        }
        payment.pop("confirmation", None)
        if record["capture"]:
            return self._succeed(record)
        record["deadline"] = written(self._clock.now() + TO_CAPTURE)
        payment |= {"status": "waiting_for_capture", "expires_at": record["deadline"]}
        return self._saved(record, "payment.waiting_for_capture")

    def _succeed(self, record: Document) -> Document:
        payment = record["payment"]
        whole = kopecks(payment["amount"], "amount")
        payment.pop("expires_at", None)
        payment |= {
            "status": "succeeded",
            "refundable": True,
            "captured_at": written(self._clock.now()),
            "income_amount": amount(whole - whole * 35 // 1000),  # less the fee, 3.5 % here
            "refunded_amount": amount(0),
        }
        if record["receipt"]:
            payment["receipt_registration"] = "succeeded"
        return self._saved(record, "payment.succeeded")

    def _cancel(self, record: Document, party: str, reason: str) -> Document:
        payment = record["payment"]
        payment.pop("confirmation", None)
        payment.pop("expires_at", None)
        payment |= {
            "status": "canceled",
            "paid": False,
            "refundable": False,
            "cancellation_details": {"party": party, "reason": reason},
        }
        return self._saved(record, "payment.canceled")

    def _saved(self, record: Document, event: str) -> Document:
        self._keep(record)
        payment: Document = record["payment"]
        self._notify(event, payment)
        return payment

    def _keep(self, record: Document) -> None:
        payment_id = record["payment"]["id"]
        self._payments[payment_id] = record
        if record["payment"]["status"] in FINAL:
            self._deadlines.pop(payment_id, None)
        else:
            self._deadlines[payment_id] = datetime.fromisoformat(record["deadline"])
