"""The Bot API's border: token, method, journal, and the shape of every answer."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.telegram import parameters
from sandbox.telegram.parameters import Parameters
from sandbox.telegram.refusal import Refusal
from sandbox.troubles import Troubles

JOURNAL_LENGTH = 5000


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method; `broken()` once nobody can receive the answer any more."""

    parameters: Parameters
    broken: Callable[[], bool]


Method = Callable[[Call], Awaitable[Any]]


class BotApi:
    def __init__(self, *, token: str, troubles: Troubles, methods: Mapping[str, Method]) -> None:
        self.journal: deque[dict[str, Any]] = deque(maxlen=JOURNAL_LENGTH)
        self._token = token
        self._troubles = troubles
        self._methods = {name.lower(): (name, method) for name, method in methods.items()}

    def knows(self, token: str) -> bool:
        return token == self._token

    def _down(self) -> bool:
        return self._troubles.telegram_down

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked_for = request.match_info["method"]
        # The original does not care about the case of a method's name.
        name, method = self._methods.get(asked_for.lower(), (asked_for, None))
        entry: dict[str, Any] = {"method": name, "params": {}, "status": None, "result": None}
        try:
            given = await parameters.read(request)
            entry["params"] = given.journalled()
            if self._down():
                return cut(request)
            if not self.knows(request.match_info["token"]):
                raise Refusal(401, "Unauthorized")
            if method is None:
                raise Refusal(404, "Not Found")
            result = await method(Call(given, lambda: self._down() or _hung_up(request)))
            if self._down():
                return cut(request)
            entry |= {"status": 200, "result": result}
            return web.json_response({"ok": True, "result": result})
        except Refusal as refusal:
            entry |= {"status": refusal.code, "result": refusal.body()}
            return web.json_response(refusal.body(), status=refusal.code)
        finally:
            self.journal.append(entry)


def cut(request: web.Request) -> web.Response:
    """Close the connection without an answer; the response returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _hung_up(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
