"""The Mini App's fragments, filled with what the use cases say of one customer."""

from collections.abc import Mapping
from typing import Final

from node_a.application.overview import PaymentStage
from node_a.domain.customer import Customer
from node_a.domain.payment import PaymentId
from node_a.domain.subscription import SubscriptionState
from node_a.web.needs import Web
from node_a.web.offers import Offer
from node_a.web.pages import Pages

# How the module asks again: milliseconds, growing by the factor, for at most an hour (so long lives a pay link).
POLLING: Final[Mapping[str, float]] = {"first": 1000, "factor": 1.5, "longest": 15_000, "until": 3_600_000}
_STILL_MOVING: Final = {PaymentStage.WAITING, PaymentStage.PREPARING, PaymentStage.SLOW}


class Screens:
    def __init__(self, web: Web, pages: Pages) -> None:
        self._web = web
        self._pages = pages
        self._offers = [Offer.of(plan) for plan in web.plans.values()]

    def home(self, customer: Customer, typed: str | None = None) -> str:
        """`typed`: what stood in the e-mail's field and is no address; None if nobody tried."""
        web = self._web
        subscription = web.show_subscription(customer.id, customer.language)
        receipt_to = typed
        if web.receipts and typed is None:
            receipt_to = web.last_receipt_address(customer.id)
        return self._pages(
            "home.html",
            customer.language,
            subscription=subscription,
            open_payment=web.show_open_payment(customer.id),
            trial=None if subscription else web.trial_available(customer.id),
            offers=self._offers,
            receipts=web.receipts,
            receipt_to=receipt_to,
            receipt_to_is_wrong=typed is not None,
            polling=POLLING if subscription and subscription.preparing else None,
        )

    def payment(self, customer: Customer, id: PaymentId) -> str:
        """As far as it really is: a repeated tap may find it paid, or given up. Raises UnknownPayment."""
        view = self._web.show_payment(id, customer.id, customer.language)
        polling = POLLING if view.stage in _STILL_MOVING else None
        return self._pages("payment.html", customer.language, view=view, polling=polling)

    def trial(self, customer: Customer) -> str | None:
        """How far the keys are; None if there is nothing they could be for."""
        subscription = self._web.show_subscription(customer.id, customer.language)
        if subscription is None or subscription.state is not SubscriptionState.ACTIVE:
            return None
        polling = None if subscription.keys else POLLING
        return self._pages("trial.html", customer.language, subscription=subscription, polling=polling)
