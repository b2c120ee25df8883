"""API v3 over HTTP: authentication, the journal, faults, and the routes."""

import asyncio
import base64
import binascii
import hmac
import json
from collections import deque
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.store import Document
from sandbox.yookassa.faults import Fault, Faults
from sandbox.yookassa.idempotence import HEADER, Answers
from sandbox.yookassa.lists import page
from sandbox.yookassa.problems import Problem, invalid, not_found, unauthorized
from sandbox.yookassa.refunds import Refunds
from sandbox.yookassa.shop import Shop
from sandbox.yookassa.validation import PAYMENT_METHODS, Fiscal

# Never the Authorization header: the journal is shown to whoever asks.
_JOURNALLED_HEADERS = (HEADER, "Content-Type", "YM-User-Agent")

_HTML = "<!doctype html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"


class Api:
    """`closing` ends the calls that hang; without it a stop would wait for them."""

    def __init__(
        self,
        *,
        shop: Shop,
        refunds: Refunds,
        answers: Answers,
        faults: Faults,
        fiscal: Fiscal,
        shop_id: str,
        secret_key: str,
    ) -> None:
        self.journal: deque[Document] = deque(maxlen=1000)
        self.closing = asyncio.Event()
        self._shop = shop
        self._refunds = refunds
        self._fiscal = fiscal
        self._answers = answers
        self._faults = faults
        self._shop_id = shop_id
        self._credentials = f"{shop_id}:{secret_key}".encode()

    def application(self) -> web.Application:
        api = web.Application(middlewares=[self._exchange])
        api.add_routes(
            [
                web.post("/payments", self._create_payment),
                web.get("/payments", self._list_payments),
                web.get("/payments/{id}", self._find_payment),
                web.post("/payments/{id}/capture", self._capture),
                web.post("/payments/{id}/cancel", self._cancel),
                web.post("/refunds", self._create_refund),
                web.get("/refunds", self._list_refunds),
                web.get("/refunds/{id}", self._find_refund),
                web.get("/me", self._me),
            ]
        )
        return api

    @web.middleware
    async def _exchange(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        text = await _text(request)
        entry: Document = {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "headers": {name: request.headers[name] for name in _JOURNALLED_HEADERS if name in request.headers},
            "request": _parsed(text),
            "fault": None,
            "status": None,
            "response": None,
        }
        self.journal.append(entry)
        fault = self._faults.take()
        if fault is None:
            answer = await self._worked(request, handler)
        else:
            entry["fault"] = fault.kind
            if fault.after_work:
                await self._worked(request, handler)
            answer = await self._misbehaved(request, fault)
        if isinstance(answer, web.Response):
            entry["status"] = answer.status
            entry["response"] = _parsed(answer.text or "")
        return answer

    async def _worked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._authenticate(request)
            return await handler(request)
        except Problem as problem:
            return _refusal(problem)
        except web.HTTPNotFound:
            return _refusal(not_found("Such a method"))
        except web.HTTPMethodNotAllowed:
            return _refusal(Problem(405, "invalid_request", "This HTTP method is not known here"))

    async def _misbehaved(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault.kind:
            case "500":
                return _refusal(Problem(500, "internal_server_error", "Internal server error"))
            case "429":
                return _refusal(Problem(429, "too_many_requests", "Too many requests"))
            case "html" | "html_200":
                status = 502 if fault.kind == "html" else 200
                return web.Response(status=status, text=_HTML, content_type="text/html")
            case "redirect":
                return web.Response(status=302, headers={"Location": "/v3/me"})
            case "hang":
                await self.closing.wait()
            case "drop":
                pass
        if request.transport is not None:
            request.transport.abort()
        return web.StreamResponse()  # to nobody: the connection is gone

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise unauthorized() from error
        if scheme.lower() != "basic" or not hmac.compare_digest(given, self._credentials):
            raise unauthorized()

    async def _once(self, request: web.Request, work: Callable[[Document], Document]) -> web.Response:
        text = await _text(request)
        body = _parsed(text) if text else {}
        if not isinstance(body, dict):
            raise invalid("Request body must be a JSON object")
        target = f"{request.method} {request.path}"
        key = request.headers.get(HEADER)
        return web.json_response(self._answers.once(key, target, body, lambda: work(body)))

    async def _create_payment(self, request: web.Request) -> web.Response:
        return await self._once(request, self._shop.create_payment)

    async def _capture(self, request: web.Request) -> web.Response:
        return await self._once(request, lambda body: self._shop.capture(request.match_info["id"], body))

    async def _cancel(self, request: web.Request) -> web.Response:
        return await self._once(request, lambda _: self._shop.cancel(request.match_info["id"]))

    async def _create_refund(self, request: web.Request) -> web.Response:
        return await self._once(request, self._refunds.create)

    async def _find_payment(self, request: web.Request) -> web.Response:
        return web.json_response(self._shop.payment(request.match_info["id"]))

    async def _find_refund(self, request: web.Request) -> web.Response:
        return web.json_response(self._refunds.find(request.match_info["id"]))

    async def _list_payments(self, request: web.Request) -> web.Response:
        return web.json_response(page(self._shop.payments(), request.query))

    async def _list_refunds(self, request: web.Request) -> web.Response:
        return web.json_response(page(self._refunds.all(), request.query))

    async def _me(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "account_id": self._shop_id,
                "status": "enabled",
                "test": True,
                "fiscalization_enabled": self._fiscal.required,
                "payment_methods": list(PAYMENT_METHODS),
            }
        )


async def _text(request: web.Request) -> str:
    return (await request.read()).decode(errors="replace")


def _refusal(problem: Problem) -> web.Response:
    return web.json_response(problem.body(), status=problem.status)


def _parsed(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
