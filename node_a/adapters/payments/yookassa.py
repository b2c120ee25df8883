"""Payments through YooKassa."""

import json
from typing import Any, Final
from urllib.parse import quote

from node_a.adapters.payments.yookassa_replies import PaymentReply
from node_a.adapters.payments.yookassa_sdk import SDK_ERRORS, TimedClient, translated
from node_a.domain.errors import ProviderUnavailable
from node_a.domain.payment import Outcome, OutcomeStatus, Payment

API_URL: Final = "https://api.yookassa.ru/v3"
LONGEST_DESCRIPTION: Final = 128  # characters; https://yookassa.ru/developers/api#create_payment


class YooKassa:
    """The PaymentProvider of one shop. Synchronous and safe to use from several threads.

    Timeouts are seconds, for connecting and for each wait for data; a whole answer takes 30 s at most. Every call
    raises ProviderUnavailable when its outcome is unknown and PaymentRefused when it will never work.
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
    ) -> None:
        self._return_url = return_url
        self._client = TimedClient(
            shop_id=shop_id,
            secret_key=secret_key,
            api_url=api_url.rstrip("/"),
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )

    def request_for(self, payment: Payment, description: str) -> str:
        """The JSON body that creates `payment`; with its metadata alone a lost payment can be settled."""
        plan = payment.plan
        traffic = "unlimited" if plan.traffic_limit is None else str(plan.traffic_limit)
        body = {
            "amount": {"value": str(plan.price), "currency": plan.price.currency},
            "capture": True,  # the provider's default is to hold the money only
            # The provider adds nothing to it (FACTS: YooKassa), so that it must name the payment itself.
            "confirmation": {"type": "redirect", "return_url": f"{self._return_url}?payment={payment.id}"},
            "description": description[:LONGEST_DESCRIPTION],
            "metadata": {
                "payment_id": str(payment.id),
                "customer_id": str(payment.customer_id),
                "plan_code": plan.code,
                "days": str(plan.days),
                "traffic": traffic,  # bytes per 30 days
            },
        }
        return json.dumps(body, ensure_ascii=False)

    def create(self, payment: Payment) -> Outcome:
        """Sends the stored request as it is: another body under the same key would be refused."""
        body = json.loads(payment.request)
        outcome = self._ask("post", "/payments", {"Idempotence-Key": str(payment.id)}, body)
        if outcome.status is OutcomeStatus.PENDING and outcome.link is None:
            raise ProviderUnavailable("YooKassa made a payment without a link")
        return outcome

    def find(self, payment: Payment) -> Outcome:
        """ValueError for a payment whose creation has not been answered."""
        if payment.provider_id is None:
            raise ValueError(f"payment {payment.id} is not known to the provider yet")
        outcome = self._ask("get", f"/payments/{quote(payment.provider_id, safe='')}")
        if outcome.provider_id != payment.provider_id:
            raise ProviderUnavailable("YooKassa answered about another payment")
        return outcome

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> Outcome:
        # Not the SDK's Payment.create: that one rebuilds the body from its own models and adds to it.
        try:
            answer = self._client.request(method, path, None, headers, body)
            return PaymentReply.model_validate(answer).outcome()
        except SDK_ERRORS as error:
            raise translated(error) from error
