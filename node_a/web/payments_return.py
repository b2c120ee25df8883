"""Where the provider sends a customer after the pay page: a browser that is not Telegram and proves nothing."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flask import Blueprint, request

from node_a.application.overview import PaymentStage, PaymentView
from node_a.domain.customer import Language
from node_a.domain.errors import UnknownPayment
from node_a.domain.payment import PaymentId
from node_a.web.needs import Web
from node_a.web.pages import Pages

# The page loads itself anew while the payment may still change: often at first, and not for ever.
_OFTEN_FOR: Final = timedelta(minutes=3)
_REFRESHED_FOR: Final = timedelta(hours=1)
# Seconds. The provider sends the customer back before it tells us: the first look is nearly always too early.
_AT_FIRST, _OFTEN, _RARELY = 1, 3, 15


def payments_return(web: Web, pages: Pages) -> Blueprint:
    blueprint = Blueprint("payments_return", __name__)

    @blueprint.get("/pay/return")
    def back() -> str:
        language = pages.requested_language()
        view = _found(request.args.get("payment", ""), language)
        stage = view.stage if view else None
        refresh = _refresh(view)
        if refresh and "again" not in request.args:
            refresh = _AT_FIRST
        return pages("return.html", language, stage=stage, refresh=refresh, payment=view and view.payment.id)

    def _found(text: str, language: Language) -> PaymentView | None:
        try:
            return web.show_payment(PaymentId(UUID(text)), None, language)
        except (ValueError, UnknownPayment):
            return None

    def _refresh(view: PaymentView | None) -> int | None:
        """Seconds."""
        if view is None or view.stage is not PaymentStage.WAITING:
            return None
        age = web.clock() - view.payment.opened_at
        if age >= _REFRESHED_FOR:
            return None
        return _OFTEN if age < _OFTEN_FOR else _RARELY

    return blueprint
