"""The Mini App: a shell without data, and fragments for the customer whom Telegram vouches for."""

from typing import Final
from uuid import UUID

from flask import Blueprint, Response, abort, request, send_file
from markupsafe import Markup

from node_a.domain.customer import Language
from node_a.domain.errors import ReceiptAddressNeeded, TrialRefused
from node_a.domain.payment import PaymentId
from node_a.web.needs import Web
from node_a.web.orders import Order, rotation_shown
from node_a.web.pages import Pages
from node_a.web.places import Places
from node_a.web.problems import explain_problems
from node_a.web.rate import POLLS, REQUESTS, Rate
from node_a.web.screens import Screens
from node_a.web.visitor import IdentifyCustomer

_TELEGRAM_SCRIPT_KEPT_FOR: Final = 3600


def mini_app(web: Web, pages: Pages, places: Places) -> Blueprint:
    blueprint = Blueprint("mini_app", __name__)
    identify = IdentifyCustomer(web)
    requests, polls = Rate(*REQUESTS), Rate(*POLLS)
    explain_problems(blueprint, pages)
    screens = Screens(web, pages)

    @blueprint.get("/app/home")
    def home() -> str:
        return screens.home(identify(requests))

    @blueprint.post("/app/payments")
    def buy() -> tuple[str, int]:
        customer = identify(requests)
        order = Order.of(request)
        receipt_to = order.receipt_to
        if web.receipts and receipt_to is None:
            receipt_to = web.last_receipt_address(customer.id)
        try:
            with places.one():
                payment = web.open_payment(customer.id, order.plan_code, receipt_to)
        except ReceiptAddressNeeded:
            return screens.home(customer, typed=receipt_to or ""), 422
        return screens.payment(customer, payment.id), 201

    @blueprint.get("/app/payments/<uuid:id>")
    def payment(id: UUID) -> str:
        return screens.payment(identify(polls), PaymentId(id))

    @blueprint.post("/app/trial")
    def take_trial() -> tuple[str, int]:
        customer = identify(requests)
        try:
            web.take_trial(customer.id)
        except TrialRefused:
            # A tap whose answer was lost is repeated: the days are there, and that is what the customer wants to see.
            if screens.trial(customer) is None:
                raise
            return screens.home(customer), 200
        return screens.trial(customer) or screens.home(customer), 201

    @blueprint.get("/app/trial")
    def trial() -> str:
        customer = identify(polls)
        return screens.trial(customer) or screens.home(customer)

    @blueprint.get("/app/rotation")
    def ask_about_new_keys() -> str:
        return screens.ask_about_new_keys(identify(requests))

    @blueprint.post("/app/rotation")
    def rotate() -> tuple[str, int]:
        customer = identify(requests)
        web.rotate_keys(customer.id, rotation_shown(request))
        return screens.new_keys(customer), 201

    @blueprint.get("/app/rotation/done")
    def new_keys() -> str:
        return screens.new_keys(identify(polls))

    @blueprint.get("/app/trouble")
    def trouble() -> str:
        return screens.trouble(identify(requests))

    @blueprint.post("/app/trouble/repair")
    def repair() -> str:
        customer = identify(requests)
        return screens.trouble(customer, web.repair_keys(customer.id))

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
