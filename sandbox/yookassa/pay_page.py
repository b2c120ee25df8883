"""The page on which a customer pays, is declined, or walks away."""

import html
from pathlib import Path
from string import Template

from aiohttp import web

from sandbox.store import Document
from sandbox.yookassa.problems import Problem
from sandbox.yookassa.shop import Shop

_PAGES = Path(__file__).parent / "pages"
_FRAME = Template((_PAGES / "frame.html").read_text(encoding="utf-8"))
_CHOICES = (_PAGES / "choices.html").read_text(encoding="utf-8")
_STATE = Template((_PAGES / "state.html").read_text(encoding="utf-8"))

# No form-action: Chromium applies it to the redirect after the form too, and the shop is elsewhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_STATES = {
    "succeeded": ("good", "Оплачено", "Paid"),
    "waiting_for_capture": ("good", "Деньги заморожены", "Authorised, waiting for the shop"),
    "canceled": ("bad", "Платёж отменён", "Canceled"),
}
_REASONS = {
    "insufficient_funds": "На карте недостаточно средств.",
    "expired_on_confirmation": "Время на оплату вышло.",
}


class PayPage:
    """Coming back adds nothing to the return address, as with the original: it proves nothing."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/pay/{id}", self._show), web.post("/pay/{id}", self._choose)]

    async def _show(self, request: web.Request) -> web.Response:
        payment_id = request.match_info["id"]
        try:
            payment = self._shop.payment(payment_id)
            back = self._shop.return_url(payment_id)
        except Problem as problem:
            text = _page("—", "", _state("bad", "Платёж не найден", "No such payment", "", None))
            return _answer(text, status=problem.status)
        if payment["status"] == "pending":
            choices = _CHOICES
        else:
            reason = payment.get("cancellation_details", {}).get("reason", "")
            choices = _state(*_STATES[payment["status"]], _REASONS.get(reason, ""), back)
        return _answer(_page(_rubles(payment), payment.get("description", ""), choices))

    async def _choose(self, request: web.Request) -> web.Response:
        payment_id = request.match_info["id"]
        choice = (await request.post()).get("choice")
        try:
            back = self._shop.return_url(payment_id)
            if choice == "pay":
                self._shop.pay(payment_id)
            elif choice == "decline":
                self._shop.decline(payment_id)
        except Problem:
            return _redirect(request.path)  # final meanwhile, or never there: the page says so itself
        return _redirect(back or request.path)


def _redirect(url: str) -> web.Response:
    # Not aiohttp's own exception: that one normalises the address, and it must come back exactly as it was given.
    return web.Response(status=303, headers={"Location": url})


def _rubles(payment: Document) -> str:
    whole, _, rest = payment["amount"]["value"].partition(".")
    grouped = f"{int(whole):,}".replace(",", "\u00a0")
    return f"{grouped}\u00a0₽" if rest == "00" else f"{grouped},{rest}\u00a0₽"


def _state(mood: str, russian: str, english: str, detail: str, back: str | None) -> str:
    link = ""
    if back is not None:
        link = f'<a class="button plain" data-testid="back" href="{html.escape(back)}">Вернуться в магазин</a>'
    return _STATE.substitute(mood=mood, russian=russian, english=english, detail=detail, back=link)


def _page(title: str, description: str, choices: str) -> str:
    return _FRAME.substitute(title=html.escape(title), description=html.escape(description), choices=choices)


def _answer(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
