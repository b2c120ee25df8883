"""The strings behind the stage, for tests and the demo: pay, look at the journals, forge, move time, break things."""

import json
from datetime import timedelta

from aiohttp import web

from sandbox.store import Document
from sandbox.yookassa.api import Api
from sandbox.yookassa.clock import Clock, written
from sandbox.yookassa.faults import Faults
from sandbox.yookassa.problems import Problem
from sandbox.yookassa.shop import Shop
from sandbox.yookassa.webhooks import Webhooks


class Control:
    """Everything under /sandbox. Answers 400 with a sentence to what it does not understand."""

    def __init__(self, *, shop: Shop, api: Api, webhooks: Webhooks, clock: Clock, faults: Faults) -> None:
        self._shop = shop
        self._api = api
        self._webhooks = webhooks
        self._clock = clock
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/sandbox/payments/{id}/pay", self._pay),
            web.post("/sandbox/payments/{id}/decline", self._decline),
            web.get("/sandbox/requests", self._requests),
            web.get("/sandbox/webhooks", self._deliveries),
            web.post("/sandbox/webhooks", self._forge),
            web.post("/sandbox/clock", self._advance),
            web.post("/sandbox/faults", self._break),
        ]

    async def _pay(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(self._shop.pay(request.match_info["id"]))
        except Problem as problem:
            return web.json_response(problem.body(), status=problem.status)

    async def _decline(self, request: web.Request) -> web.Response:
        reason = (await _body(request)).get("reason", "insufficient_funds")
        try:
            return web.json_response(self._shop.decline(request.match_info["id"], reason))
        except Problem as problem:
            return web.json_response(problem.body(), status=problem.status)

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


async def _body(request: web.Request) -> Document:
    text = await request.text()
    try:
        body = json.loads(text) if text else {}
    except ValueError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="expected an object")
    return body
