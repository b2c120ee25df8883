"""Renewal from the page at the subscription link: below `/sub/<token>/payments`, and nothing but that.

A form's answer never leads to the provider itself: a browser holds `form-action` against redirects, too. It leads to a
page of ours that has the provider's link on it and waits there for what becomes of the payment.
"""

from dataclasses import replace
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, abort, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from node_a.application.overview import PaymentStage, PaymentView, SubscriptionView
from node_a.domain.errors import (
    CustomerBanned,
    ReceiptAddressNeeded,
    UnknownCustomer,
    UnknownPayment,
    UnknownSubscription,
)
from node_a.domain.payment import Payment, PaymentId
from node_a.web.link_page import LinkPage, Tried, lang_query, language_of
from node_a.web.link_problems import explain_problems
from node_a.web.needs import Web
from node_a.web.orders import Order
from node_a.web.pages import Pages
from node_a.web.payments_return import remember_where_to_return
from node_a.web.places import Places
from node_a.web.rate import POLLS, Rate
from node_a.web.refreshing import refresh_after
from node_a.web.visitor import TooManyRequests

# For one subscription: enough for every plan and a few retries.
_RENEWALS: Final = (10, 600)
_MOVING: Final = frozenset({PaymentStage.WAITING, PaymentStage.PREPARING, PaymentStage.SLOW})


def renewals(web: Web, pages: Pages, places: Places) -> Blueprint:
    blueprint = Blueprint("renewals", __name__)
    page = LinkPage(web, pages)
    orders, polls = Rate(*_RENEWALS), Rate(*POLLS)
    explain_problems(blueprint, pages)

    @blueprint.get("/sub/<token>/payments")
    def choose(token: str) -> AnyResponse:
        """A browser that loads the answer to the form anew."""
        _opened(token)
        return redirect(f"/sub/{token}{lang_query()}", 303)

    @blueprint.post("/sub/<token>/payments")
    def renew(token: str) -> AnyResponse:
        view = _opened(token, orders)
        order = Order.of_form(request)
        try:
            payment = _payment_of(token, order)
        except ReceiptAddressNeeded:
            return _with_status(page.show(view, token, Tried(order.receipt_to or "")), 422)
        except CustomerBanned:
            return _with_status(page.show(replace(view, renewable=False), token), 403)
        response = redirect(f"/sub/{token}/payments/{payment.id}{lang_query()}", 303)
        remember_where_to_return(response, web, token)
        return response

    @blueprint.get("/sub/<token>/payments/<uuid:id>")
    def progress(token: str, id: UUID) -> str:
        subscription = _opened(token, polls)
        view = _shown(token, PaymentId(id))
        return pages(
            "link_payment.html",
            language_of(subscription),
            view=view,
            path=f"/sub/{token}",
            asked=lang_query(),
            refresh=refresh_after(view, web.clock(), _MOVING),
        )

    @blueprint.after_request
    def for_no_search_engine(response: Response) -> Response:
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response

    def _opened(token: str, rate: Rate | None = None) -> SubscriptionView:
        try:
            view = web.open_link(token)
        except UnknownSubscription:
            abort(404)
        g.language = language_of(view)
        wait = rate.wait(view.id) if rate else 0
        if wait:
            raise TooManyRequests(wait)
        return view

    def _payment_of(token: str, order: Order) -> Payment:
        try:
            with places.one():
                return web.renew_by_link(token, order.plan_code, order.receipt_to if web.receipts else None)
        except (UnknownSubscription, UnknownCustomer):  # rotated or erased at this moment
            abort(404)

    def _shown(token: str, id: PaymentId) -> PaymentView:
        try:
            return web.show_renewal(token, id)
        except (UnknownSubscription, UnknownPayment):
            abort(404)

    return blueprint


def _with_status(response: Response, status: int) -> Response:
    response.status_code = status
    return response
