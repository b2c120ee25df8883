"""The Mini App: a shell without data, and fragments for the customer whom Telegram vouches for."""

from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, abort, request, send_file
from markupsafe import Markup

from node_a.application.overview import PaymentStage, PaymentView
from node_a.domain.customer import Language
from node_a.domain.errors import ProviderUnavailable, UnknownPlan
from node_a.domain.payment import PaymentId
from node_a.web.needs import Web
from node_a.web.offers import Offer
from node_a.web.pages import Pages
from node_a.web.problems import explain_problems
from node_a.web.rate import POLLS, REQUESTS, Rate
from node_a.web.visitor import IdentifyCustomer

# How the module asks again: milliseconds, growing by the factor, for at most an hour (so long lives a pay link).
POLLING: Final[Mapping[str, float]] = {"first": 1000, "factor": 1.5, "longest": 15_000, "until": 3_600_000}
_STILL_MOVING: Final = {PaymentStage.WAITING, PaymentStage.PREPARING, PaymentStage.SLOW}
_TELEGRAM_SCRIPT_KEPT_FOR: Final = 3600


def mini_app(web: Web, pages: Pages) -> Blueprint:
    blueprint = Blueprint("mini_app", __name__)
    identify = IdentifyCustomer(web)
    requests, polls = Rate(*REQUESTS), Rate(*POLLS)
    # A provider that hangs must leave threads for everything else.
    places = BoundedSemaphore(web.payments_at_once)
    explain_problems(blueprint, pages)
    offers = [Offer.of(plan) for plan in web.plans.values()]

    def payment_screen(view: PaymentView, language: Language) -> str:
        polling = POLLING if view.stage in _STILL_MOVING else None
        return pages("payment.html", language, view=view, polling=polling)

    @blueprint.get("/app/home")
    def home() -> str:
        customer = identify(requests)
        subscription = web.show_subscription(customer.id, customer.language)
        polling = POLLING if subscription and subscription.preparing else None
        return pages(
            "home.html",
            customer.language,
            subscription=subscription,
            open_payment=web.show_open_payment(customer.id),
            offers=offers,
            polling=polling,
        )

    @blueprint.post("/app/payments")
    def buy() -> tuple[str, int]:
        customer = identify(requests)
        order = request.get_json(silent=True)
        code = order.get("plan") if isinstance(order, dict) else None
        if not isinstance(code, str):
            raise UnknownPlan("no plan named")
        if not places.acquire(blocking=False):
            raise ProviderUnavailable("as many payments are being opened as may be at once")
        try:
            payment = web.open_payment(customer.id, code)
        finally:
            places.release()
        # It need not be waiting any more: a repeated tap may find it paid, or given up.
        view = web.show_payment(payment.id, customer.id, customer.language)
        return payment_screen(view, customer.language), 201

    @blueprint.get("/app/payments/<uuid:id>")
    def payment(id: UUID) -> str:
        customer = identify(polls)
        view = web.show_payment(PaymentId(id), customer.id, customer.language)
        return payment_screen(view, customer.language)

    return blueprint


def mini_app_shell(web: Web, pages: Pages) -> Blueprint:
    """What is the same for everybody: a page that works without Telegram's script, and perhaps a copy of that."""
    blueprint = Blueprint("mini_app_shell", __name__)
    # The sentences for a lost network must be there before it is lost, and in either language.
    offline = {language.value: Markup(pages("offline.html", language)) for language in Language}  # noqa: S704
    shell = pages("app.html", web.default_language, offline=offline)

    @blueprint.get("/app")
    def app() -> Response:
        return Response(shell, headers={"Cache-Control": "no-cache"})

    @blueprint.get("/telegram-web-app.js")
    def telegram_script() -> Response:
        file = web.telegram_script_file
        if file is None or not file.is_file():
            abort(404)
        return send_file(file.absolute(), mimetype="text/javascript", max_age=_TELEGRAM_SCRIPT_KEPT_FOR)

    return blueprint
