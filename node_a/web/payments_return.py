"""Where the provider sends whoever paid after the pay page: a browser that is not Telegram and proves nothing.

Whoever paid from the page at the subscription link goes back there. The address that the provider leads to names the
payment alone, and must not be worth more than that: the link's token is never in it, because it would lie with the
provider. The browser that opened the payment keeps the token in a cookie for this one address instead. Another browser
(a bank's app opened it) sees how far the payment is, and the page that it came from notices by itself.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from node_a.application.overview import PaymentStage, PaymentView
from node_a.domain.customer import Language
from node_a.domain.errors import UnknownPayment, UnknownSubscription
from node_a.domain.payment import PaymentId
from node_a.web.needs import Web
from node_a.web.pages import Pages
from node_a.web.refreshing import refresh_after

_PATH: Final = "/pay/return"
_COOKIE: Final = "renewal"
# The provider's link lives an hour; a bank may take longer to say yes.
_KEPT_FOR: Final = timedelta(hours=24)
_MOVING: Final = frozenset({PaymentStage.WAITING})
# Seconds. The provider sends the customer back before it tells us: the first look is nearly always too early.
_AT_FIRST: Final = 1


def payments_return(web: Web, pages: Pages) -> Blueprint:
    blueprint = Blueprint("payments_return", __name__)

    @blueprint.get(_PATH)
    def back() -> AnyResponse | str:
        language = pages.requested_language()
        view = _found(request.args.get("payment", ""), language)
        token = request.cookies.get(_COOKIE, "")
        if view is not None and view.payment.by_link and _is_of_link(token, view.payment.id):
            return redirect(f"/sub/{token}/payments/{view.payment.id}", 303)
        refresh = refresh_after(view, web.clock(), _MOVING) if view else None
        if refresh and "again" not in request.args:
            refresh = _AT_FIRST
        return pages(
            "return.html",
            language,
            stage=view.stage if view else None,
            refresh=refresh,
            payment=view and view.payment.id,
            by_link=view is not None and view.payment.by_link,
        )

    def _found(text: str, language: Language) -> PaymentView | None:
        try:
            return web.show_payment(PaymentId(UUID(text)), None, language)
        except (ValueError, UnknownPayment):
            return None

    def _is_of_link(token: str, id: PaymentId) -> bool:
        try:
            web.show_renewal(token, id)
        except (UnknownPayment, UnknownSubscription):
            return False
        return True

    return blueprint


def remember_where_to_return(response: AnyResponse, web: Web, token: str) -> None:
    response.set_cookie(
        _COOKIE,
        token,
        max_age=_KEPT_FOR,
        path=_PATH,
        secure=web.public_url.startswith("https://"),
        httponly=True,
        # Coming back from the provider is a plain link to us; nothing else needs it.
        samesite="Lax",
    )
