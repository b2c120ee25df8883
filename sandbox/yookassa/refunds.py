"""The shop's refunds: asked for over the API or made by hand in the account, and what becomes of them."""

from collections.abc import Iterator
from typing import Final

from sandbox.store import Document, Store
from sandbox.yookassa.clock import Clock, written
from sandbox.yookassa.identity import new_id
from sandbox.yookassa.money import amount, kopecks
from sandbox.yookassa.problems import Problem, invalid, not_found
from sandbox.yookassa.shop import Notify, Shop
from sandbox.yookassa.validation import Fiscal, check_refund

FATES: Final = ("succeeded", "pending", "canceled")


class Refunds:
    """`fate`: how a new refund ends at once; one that stays pending waits for `finish`."""

    def __init__(self, *, store: Store, clock: Clock, notify: Notify, shop: Shop, fiscal: Fiscal) -> None:
        self.fate = "succeeded"
        self._table = store.table("yookassa.refunds")
        self._clock = clock
        self._notify = notify
        self._shop = shop
        self._fiscal = fiscal

    def create(self, body: Document) -> Document:
        """What the API is asked for."""
        whole = check_refund(body, self._fiscal)
        named: Document = {name: body[name] for name in ("description", "metadata") if name in body}
        if "receipt" in body:
            named["receipt_registration"] = "succeeded"
        return self._make(body["payment_id"], whole, named)

    def make_by_hand(self, payment_id: str, money: object) -> Document:
        """What somebody does in the shop's account: no metadata, no description; all that is left without `money`."""
        whole = self._left(payment_id) if money is None else kopecks(money, "amount")
        return self._make(payment_id, whole, {})

    def finish(self, refund_id: str, fate: str, reason: str) -> Document:
        """Ends a pending refund. Only a success is told to the shop: there is no event for the other."""
        refund = self.find(refund_id)
        if refund["status"] != "pending":
            raise invalid(f"The refund is {refund['status']}, not pending", "refund_id")
        return self._ended(refund, fate, reason)

    def find(self, refund_id: str) -> Document:
        refund = self._table.get(refund_id)
        if refund is None:
            raise not_found("Refund", "refund_id")
        return refund

    def all(self) -> Iterator[Document]:
        return iter(self._table.values())

    def _make(self, payment_id: str, whole: int, named: Document) -> Document:
        if whole == 0 or whole > self._left(payment_id):
            raise invalid("More than was paid and not yet refunded", "amount.value")
        now = self._clock.now()
        refund: Document = {
            "id": new_id(now),
            "payment_id": payment_id,
            "status": "pending",
            "created_at": written(now),
            "amount": amount(whole),
            **named,
        }
        return self._ended(refund, self.fate, "general_decline")

    def _ended(self, refund: Document, fate: str, reason: str) -> Document:
        refund["status"] = fate
        if fate == "canceled":
            refund["cancellation_details"] = {"party": "refund_network", "reason": reason}
        self._table[refund["id"]] = refund
        done, under_way = (self._sum(refund["payment_id"], status) for status in ("succeeded", "pending"))
        self._shop.gives_back(refund["payment_id"], done=done, under_way=under_way)
        if fate == "succeeded":
            self._notify("refund.succeeded", refund)
        return refund

    def _left(self, payment_id: str) -> int:
        """In kopecks; a Problem 400 for a payment of which nothing can be given back."""
        try:
            payment = self._shop.payment(payment_id)
        except Problem:
            payment = {"status": "unknown"}
        if payment["status"] != "succeeded":
            raise invalid("Only a payment that succeeded can be refunded", "payment_id")
        gone = self._sum(payment_id, "succeeded") + self._sum(payment_id, "pending")
        return kopecks(payment["amount"], "amount") - gone

    def _sum(self, payment_id: str, status: str) -> int:
        return sum(
            kopecks(refund["amount"], "amount")
            for refund in self._table.values()
            if (refund["payment_id"], refund["status"]) == (payment_id, status)
        )
