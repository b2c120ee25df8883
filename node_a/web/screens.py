"""The Mini App's fragments, filled with what the use cases say of one customer."""

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from node_a.application.diagnosis import Diagnosis, Finding
from node_a.application.overview import PaymentStage, SubscriptionView
from node_a.application.repair import Repaired
from node_a.domain.customer import Customer, Language
from node_a.domain.errors import RotationRefused, TooManyRotations
from node_a.domain.payment import PaymentId
from node_a.domain.subscription import SubscriptionState
from node_a.web.needs import Web
from node_a.web.offers import Offer
from node_a.web.pages import Pages
from node_a.web.plot import traffic_plot
from node_a.wording import support, troubles

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
            new_keys=web.new_keys_offered and subscription is not None and bool(subscription.keys),
            offers=self._offers,
            receipts=web.receipts,
            receipt_to=receipt_to,
            receipt_to_is_wrong=typed is not None,
            polling=POLLING if subscription and subscription.preparing else None,
            plot=self._plot(subscription, customer.language),
        )

    def _plot(self, subscription: SubscriptionView | None, language: Language) -> Markup | None:
        """None when there is nothing to show; then there is no card of traffic either."""
        if subscription is None or subscription.state is SubscriptionState.EXPIRED:
            return None
        return traffic_plot(self._web.show_traffic(subscription.id), language)

    def payment(self, customer: Customer, id: PaymentId) -> str:
        """As far as it really is: a repeated tap may find it paid, or given up. Raises UnknownPayment."""
        view = self._web.show_payment(id, customer.id, customer.language)
        preparing = view.subscription is not None and view.subscription.preparing
        polling = POLLING if view.stage in _STILL_MOVING or preparing else None
        return self._pages("payment.html", customer.language, view=view, polling=polling)

    def trial(self, customer: Customer) -> str | None:
        """How far the keys are; None if there is nothing they could be for."""
        subscription = self._web.show_subscription(customer.id, customer.language)
        if subscription is None or subscription.state is not SubscriptionState.ACTIVE:
            return None
        polling = POLLING if subscription.preparing or not subscription.keys else None
        return self._pages("trial.html", customer.language, subscription=subscription, polling=polling)

    def ask_about_new_keys(self, customer: Customer) -> str:
        """Raises RotationRefused and TooManyRotations."""
        offer = self._web.offer_rotation(customer.id)
        if offer is None:
            raise RotationRefused("there is nothing to replace")
        if not offer.left:
            raise TooManyRotations("none are left in these 24 hours")
        return self._pages("rotation.html", customer.language, stage="question", rotation=offer.rotation)

    def new_keys(self, customer: Customer) -> str:
        """The new link, and how far its keys are. Raises RotationRefused if it has ended meanwhile."""
        view = self._web.show_subscription(customer.id, customer.language)
        if view is None or view.state is SubscriptionState.EXPIRED:
            raise RotationRefused("no days are left")
        polling = POLLING if view.preparing or not view.keys else None
        stage = "ready" if view.keys else "preparing"
        return self._pages("rotation.html", customer.language, stage=stage, subscription=view, polling=polling)

    def trouble(self, customer: Customer, repaired: Repaired | None = None) -> str:
        """`repaired`: what became of a repair that was asked for just now."""
        web, language = self._web, customer.language
        diagnosis = web.diagnose(customer.id, language)
        facts = support.for_support(diagnosis, language)
        return self._pages(
            "trouble.html",
            language,
            notice=troubles.after_repair(repaired, language),
            findings=[_in_words(finding, diagnosis, language) for finding in diagnosis.findings],
            link=diagnosis.link,
            facts=facts,
            facts_url=support.support_url(web.support_contact, web.telegram_link_url, facts),
        )


def _in_words(finding: Finding, diagnosis: Diagnosis, language: Language) -> dict[str, str]:
    explained = troubles.explain(finding, diagnosis, language)
    return {
        "trouble": finding.trouble.value,
        "remedy": finding.remedy.value,
        "title": explained.title,
        "text": explained.text,
        "label": troubles.label(finding.remedy, language),
    }
