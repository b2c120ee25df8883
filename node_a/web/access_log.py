"""One line for each request, with the route's rule instead of its path, so that no token is ever in it."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import structlog
from flask import Response, g, request

from shared.logs import bind, new_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Supervisors ask for health all day: lines that nobody reads.
_SILENT: Final = {"health.alive"}
# Who looked at a subscription, and when, is nobody's business but the customer's.
_UNSEEN: Final = "/sub/"

log = structlog.get_logger("web.access")


class WithId:
    """Gives every request an id that all of its log lines carry."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with bind(id=new_id()):
            return self._app(environ, start_response)


def start_clock() -> None:
    """A `before_request` function."""
    g.started = time.perf_counter()


def write_line(response: Response) -> Response:
    """An `after_request` function."""
    if request.endpoint in _SILENT or request.path.startswith(_UNSEEN):
        return response
    rule = request.url_rule.rule if request.url_rule else None
    milliseconds = round((time.perf_counter() - g.started) * 1000, 1) if "started" in g else None
    customer = g.get("customer_id")
    who = {} if customer is None else {"customer": customer}
    log.info("request", method=request.method, route=rule, status=response.status_code, ms=milliseconds, **who)
    return response
