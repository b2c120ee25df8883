"""What both stand-ins of a node have in common: the journal, the faults made on request, and the switch "down"."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

Clock = Callable[[], float]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Exchange = dict[str, Any]

_JOURNAL_LENGTH: Final = 2_000
_LONGEST_HANG: Final = 120.0
_MASK: Final = "***"
_SECRET_FIELDS: Final = frozenset({"password", "access_token", "client_secret"})
FAULTS: Final = frozenset({"500_after_work", "401", "hang", "hang_after_work", "drop", "drop_after_work"})


@dataclass(frozen=True, slots=True)
class Part:
    """A stand-in in pieces, so that it can stand alone or behind the address of a whole node. Each call makes new
    routes over the same state."""

    api: Callable[[], web.Application]
    control: Callable[[], web.Application]


PART: Final = web.AppKey("part", Part)


@dataclass(slots=True)
class Journal:
    """The newest exchanges, oldest first: method, path, query (name → values), request (JSON or form, or null), status
    (null: not answered) and response (JSON or text). Passwords and tokens are masked."""

    exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=_JOURNAL_LENGTH))

    async def note(self, request: web.Request, response: web.StreamResponse | None) -> None:
        self.exchanges.append(
            {
                "method": request.method,
                "path": request.path,
                "query": {name: request.query.getall(name) for name in request.query},
                "request": _masked(await _sent(request)),
                "status": None if response is None else response.status,
                "response": _masked(_answered(response)),
            }
        )


@dataclass(slots=True)
class Faults:
    """What goes wrong with the next calls; counts down."""

    kind: str | None = None
    left: int = 0
    method: str | None = None  # None: every one

    def take(self, method: str, *, spare_401: bool) -> str | None:
        """The fault of this call. `spare_401`: a login is never answered with the fault "401"."""
        if not self.left or (spare_401 and self.kind == "401") or self.method not in {None, method}:
            return None
        self.left -= 1
        return self.kind


async def hang(request: web.Request) -> None:
    """Keeps the caller waiting until it gives up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_HANG):
            # aiohttp does not tell a handler that its caller has gone.
            while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def drop(request: web.Request) -> web.Response:
    """Closes the connection; what is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def supervised(
    journal: Journal,
    faults: Faults,
    *,
    clock: Clock,
    is_down: Callable[[], bool],
    refused: Callable[[], web.Response],
    broken: Callable[[web.Request], Awaitable[web.Response]],
    is_login: Callable[[web.Request], bool] = lambda request: False,
) -> Middleware:
    """The middleware that writes the journal and makes the trouble. `clock`: what answers are dated by; `refused` makes
    the answer 401, `broken` sends a 500 in the manner of the original."""

    @web.middleware
    async def supervise(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_down():
            return drop(request)
        fault = faults.take(request.method, spare_401=is_login(request))
        response: web.StreamResponse | None = None
        if fault == "401":
            response = refused()
        elif fault not in {"hang", "drop"}:
            response = await handler(request)
        if fault == "500_after_work" and response is not None and response.status < 500:
            response = await broken(request)
        if fault in {"hang", "hang_after_work", "drop", "drop_after_work"}:
            await journal.note(request, None)
            if fault.startswith("hang"):
                await hang(request)
            return drop(request)
        await journal.note(request, response)
        if response is None:
            return drop(request)
        if not response.prepared:  # whose clock is off says so in every answer
            response.headers["Date"] = formatdate(clock(), usegmt=True)
        return response

    return supervise


def control_app(
    journal: Journal,
    faults: Faults,
    *,
    users: Callable[[], dict[str, Any]],
    set_core: Callable[[bool, str | None], None],
    add_traffic: Callable[[str, int], bool],
    wipe: Callable[[], None],
) -> web.Application:
    """The paths below `/sandbox` with which a test or the chat page looks and meddles. `set_core` is
    told whether the core runs, and what is said to be wrong with it; `add_traffic` answers whether there is such a
    user."""

    async def show_requests(request: web.Request) -> web.Response:
        return web.json_response(list(journal.exchanges))

    async def show_users(request: web.Request) -> web.Response:
        return web.json_response(users())

    async def core(request: web.Request) -> web.Response:
        wanted = await request.json()
        set_core(bool(wanted["started"]), wanted.get("problem"))
        return web.json_response({})

    async def traffic(request: web.Request) -> web.Response:
        body = await request.json()
        known = add_traffic(body["name"], int(body["bytes"]))
        return web.json_response({} if known else {"detail": "no such user"}, status=200 if known else 404)

    async def set_faults(request: web.Request) -> web.Response:
        body = await request.json()
        if body["next"] not in FAULTS:
            return web.json_response({"detail": f"one of {sorted(FAULTS)}"}, status=400)
        faults.kind, faults.left, faults.method = body["next"], int(body.get("count", 1)), body.get("method")
        return web.json_response({})

    async def forget(request: web.Request) -> web.Response:
        wipe()
        journal.exchanges.clear()
        faults.left = 0
        return web.json_response({})

    app = web.Application()
    app.add_routes(
        [
            web.get("/requests", show_requests),
            web.get("/users", show_users),
            web.post("/core", core),
            web.post("/traffic", traffic),
            web.post("/faults", set_faults),
            web.post("/wipe", forget),
        ]
    )
    return app


async def _sent(request: web.Request) -> Any:
    raw = await request.read()
    if not raw:
        return None
    if request.content_type == "application/x-www-form-urlencoded":
        return dict((await request.post()).items())
    try:
        return await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return raw.decode(errors="replace")


def _answered(response: web.StreamResponse | None) -> Any:
    if not isinstance(response, web.Response) or response.text is None:
        return None
    if response.content_type != "application/json":
        return response.text
    return json.loads(response.text)


def _masked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _MASK if name in _SECRET_FIELDS else inner for name, inner in value.items()}
