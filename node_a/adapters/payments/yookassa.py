"""Payments through YooKassa."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

from node_a.adapters.payments.yookassa_lists import entries, readable, since
from node_a.adapters.payments.yookassa_metadata import remembered_payment
from node_a.adapters.payments.yookassa_receipts import Receipts
from node_a.adapters.payments.yookassa_replies import PageReply, PaymentReply, RefundReply
from node_a.adapters.payments.yookassa_requests import known_id, payment_body, refund_body
from node_a.adapters.payments.yookassa_sdk import SDK_ERRORS, TimedClient, translated
from node_a.application.ports import ListedPayment
from node_a.domain.errors import ProviderUnavailable
from node_a.domain.payment import Outcome, OutcomeStatus, Payment
from node_a.domain.refund import Refund, RefundOutcome

T = TypeVar("T")

API_URL: Final = "https://api.yookassa.ru/v3"


class YooKassa:
    """The PaymentProvider of one shop. Synchronous and safe to use from several threads.

    Timeouts are seconds, for connecting and for each wait for data; a whole answer takes 30 s at most. Every call
    raises ProviderUnavailable when its outcome is unknown and PaymentRefused when it will never work. `receipts`: None
    where the shop sends no tax receipts through YooKassa.
    """

    def __init__(
        self,
        *,
        shop_id: str,
        secret_key: str,
        return_url: str,
        api_url: str = API_URL,
        connect_timeout: float = 5,
        read_timeout: float = 20,
        receipts: Receipts | None = None,
    ) -> None:
        self._return_url = return_url
        self._receipts = receipts
        self._client = TimedClient(
            shop_id=shop_id,
            secret_key=secret_key,
            api_url=api_url.rstrip("/"),
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )

    def request_for(self, payment: Payment, description: str) -> str:
        """The JSON body that creates `payment`. Raises ReceiptAddressNeeded."""
        body = payment_body(payment, description, self._return_url, self._receipts)
        return json.dumps(body, ensure_ascii=False)

    def create(self, payment: Payment) -> Outcome:
        """Sends the stored request as it is: another body under the same key would be refused."""
        outcome = self._create("/payments", str(payment.id), payment.request, _payment)
        if outcome.status is OutcomeStatus.PENDING and outcome.link is None:
            raise ProviderUnavailable("YooKassa made a payment without a link")
        return outcome

    def find(self, payment: Payment) -> Outcome:
        """ValueError for a payment whose creation has not been answered."""
        provider_id = known_id(payment)
        outcome = self._ask(_payment, "get", f"/payments/{quote(provider_id, safe='')}")
        if outcome.provider_id != provider_id:
            raise ProviderUnavailable("YooKassa answered about another payment")
        return outcome

    def refund_request_for(self, payment: Payment, refund: Refund, description: str) -> str:
        """The JSON body that creates `refund`. Raises ReceiptAddressNeeded."""
        return json.dumps(refund_body(payment, refund, description, self._receipts), ensure_ascii=False)

    def create_refund(self, refund: Refund) -> RefundOutcome:
        """Like `create`. ValueError for a refund that we did not open."""
        if not refund.request:
            raise ValueError(f"refund {refund.id} was made by hand")
        outcome = self._create("/refunds", str(refund.id), refund.request, _refund)
        if outcome.payment_provider_id != json.loads(refund.request)["payment_id"]:
            raise ProviderUnavailable("YooKassa answered about another payment")
        return outcome

    def refunds_of(self, payment: Payment) -> Sequence[RefundOutcome]:
        """ValueError for a payment whose creation has not been answered."""
        provider_id = known_id(payment)
        refunds = list(self._refunds({"payment_id": provider_id}))
        if any(refund.payment_provider_id != provider_id for refund in refunds):
            raise ProviderUnavailable("YooKassa answered about another payment")
        return refunds

    def payments_since(self, moment: datetime) -> Iterator[ListedPayment]:
        found = entries(self._page_of("/payments"), since(moment))
        return readable(found, _listed, lambda entry: remembered_payment(entry.get("metadata")) is None)

    def refunds_since(self, moment: datetime) -> Iterator[RefundOutcome]:
        return self._refunds(since(moment))

    def _refunds(self, query: Mapping[str, str]) -> Iterator[RefundOutcome]:
        # One made by hand carries nothing of ours and may yet be of our payment: none is foreign.
        return readable(entries(self._page_of("/refunds"), query), _refund, lambda _: False)

    def _page_of(self, path: str) -> Callable[[dict[str, str]], PageReply]:
        return lambda query: self._ask(PageReply.model_validate, "get", path, query=query)

    def _create(self, path: str, key: str, request: str, read: Callable[[Any], T]) -> T:
        body = json.loads(request)
        return self._ask(read, "post", path, headers={"Idempotence-Key": key}, body=body)

    def _ask(
        self,
        read: Callable[[Any], T],
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> T:
        # Not the SDK's Payment.create: that one rebuilds the body from its own models and adds to it.
        try:
            return read(self._client.request(method, path, query, headers, body))
        except SDK_ERRORS as error:
            raise translated(error) from error


def _payment(answer: Any) -> Outcome:
    return PaymentReply.model_validate(answer).outcome()


def _listed(entry: Any) -> ListedPayment:
    return PaymentReply.model_validate(entry).listed()


def _refund(answer: Any) -> RefundOutcome:
    return RefundReply.model_validate(answer).outcome()
