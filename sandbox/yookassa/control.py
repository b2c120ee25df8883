"""The strings behind the stage, for tests and the demo: pay, look at the journals, forge, move time, break things."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta

from aiohttp import web

from sandbox.store import Document
from sandbox.yookassa.api import Api
from sandbox.yookassa.clock import Clock, written
from sandbox.yookassa.faults import Faults
from sandbox.yookassa.problems import Problem
from sandbox.yookassa.refunds import FATES, Refunds
from sandbox.yookassa.shop import Shop
from sandbox.yookassa.validation import Fiscal
from sandbox.yookassa.webhooks import Odds, Webhooks


class Control:
    """Everything under /sandbox. Answers 400 with a sentence to what it does not understand."""

    def __init__(
        self,
        *,
        shop: Shop,
        refunds: Refunds,
        api: Api,
        webhooks: Webhooks,
        clock: Clock,
        faults: Faults,
        fiscal: Fiscal,
    ) -> None:
        self._shop = shop
        self._refunds = refunds
        self._fiscal = fiscal
        self._api = api
        self._webhooks = webhooks
        self._clock = clock
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/sandbox/payments/{id}/pay", self._pay),
            web.post("/sandbox/payments/{id}/decline", self._decline),
            web.post("/sandbox/payments/{id}/refund", self._refund),
            web.post("/sandbox/refunds", self._decide),
            web.post("/sandbox/refunds/{id}/finish", self._finish),
            web.post("/sandbox/receipts", self._require_receipts),
            web.get("/sandbox/requests", self._requests),
            web.get("/sandbox/webhooks", self._deliveries),
            web.post("/sandbox/webhooks", self._forge),
            web.post("/sandbox/webhooks/odds", self._set_odds),
            web.post("/sandbox/clock", self._advance),
            web.post("/sandbox/faults", self._break),
        ]

    async def _pay(self, request: web.Request) -> web.Response:
        return _done(lambda: self._shop.pay(request.match_info["id"]))

    async def _decline(self, request: web.Request) -> web.Response:
        reason = (await _body(request)).get("reason", "insufficient_funds")
        return _done(lambda: self._shop.decline(request.match_info["id"], reason))

    async def _refund(self, request: web.Request) -> web.Response:
        """By hand, as in the shop's account: {"amount": {"value": "50.00", "currency": "RUB"}} or all that is left."""
        money = (await _body(request)).get("amount")
        return _done(lambda: self._refunds.make_by_hand(request.match_info["id"], money))

    async def _decide(self, request: web.Request) -> web.Response:
        """What becomes of refunds from now on."""
        self._refunds.fate = _fate(await _body(request), "become", FATES)
        return web.json_response({})

    async def _finish(self, request: web.Request) -> web.Response:
        body = await _body(request)
        fate, reason = _fate(body, "status", ("succeeded", "canceled")), body.get("reason", "insufficient_funds")
        return _done(lambda: self._refunds.finish(request.match_info["id"], fate, reason))

    async def _require_receipts(self, request: web.Request) -> web.Response:
        required = (await _body(request)).get("required")
        if not isinstance(required, bool):
            raise web.HTTPBadRequest(text='expected {"required": true}')
        self._fiscal.required = required
        return web.json_response({})

    async def _requests(self, _: web.Request) -> web.Response:
        return web.json_response(list(self._api.journal))

    async def _deliveries(self, _: web.Request) -> web.Response:
        return web.json_response(list(self._webhooks.journal))

    async def _forge(self, request: web.Request) -> web.Response:
        body = await _body(request)
        event, subject = body.get("event"), body.get("object")
        if not isinstance(event, str) or not isinstance(subject, dict):
            raise web.HTTPBadRequest(text='expected {"event": "payment.succeeded", "object": {}}')
        return web.json_response({"status": await self._webhooks.send_once(event, subject)})

    async def _set_odds(self, request: web.Request) -> web.Response:
        body = await _body(request)
        try:
            seed = int(body.pop("seed", 0))
            self._webhooks.set_odds(Odds(**body), seed)
        except (TypeError, ValueError) as error:
            wanted = 'expected {"lost": 0.1, "twice": 0.1, "late": 0.1, "latest_seconds": 5, "seed": 1}'
            raise web.HTTPBadRequest(text=wanted) from error
        return web.json_response({})

    async def _advance(self, request: web.Request) -> web.Response:
        seconds = (await _body(request)).get("advance_seconds")
        if not isinstance(seconds, int | float) or seconds < 0:
            raise web.HTTPBadRequest(text='expected {"advance_seconds": 3600}')
        self._clock.advance(timedelta(seconds=seconds))  # wakes whatever waited for that time
        return web.json_response({"now": written(self._clock.now())})

    async def _break(self, request: web.Request) -> web.Response:
        body = await _body(request)
        if body.get("next") is None:
            self._faults.clear()
            return web.json_response({})
        try:
            self._faults.add(str(body["next"]), int(body.get("count", 1)))
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response({})


def _done(work: Callable[[], Document]) -> web.Response:
    try:
        return web.json_response(work())
    except Problem as problem:
        return web.json_response(problem.body(), status=problem.status)


def _fate(body: Document, name: str, known: Sequence[str]) -> str:
    fate = body.get(name)
    if fate not in known:
        raise web.HTTPBadRequest(text=f"expected {name}: one of {', '.join(known)}")
    return str(fate)


async def _body(request: web.Request) -> Document:
    text = await request.text()
    try:
        body = json.loads(text) if text else {}
    except ValueError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="expected an object")
    return body
