"""Reading requests to `/sandbox/`, and refusing them with a reason."""

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from aiohttp import web

from sandbox.store import Document


def refuse(status: int, reason: str) -> NoReturn:
    refusal = web.HTTPNotFound if status == 404 else web.HTTPBadRequest
    raise refusal(text=json.dumps({"error": reason}), content_type="application/json")


async def object_in(request: web.Request) -> Document:
    try:
        body = json.loads(await request.text())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        refuse(400, "a JSON object is expected")
    return body


def field(body: Document, name: str, kind: type[Any], default: Any) -> Any:
    value = body.get(name, default)
    if not isinstance(value, kind):
        refuse(400, f"{name} must be {kind.__name__}")
    return value


def number(request: web.Request, name: str) -> float:
    """A number of the query that is 0 when it is absent."""
    try:
        value = float(request.query.get(name, "0"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        refuse(400, f"{name} must be a number")
    return value


def hung_up(request: web.Request) -> Callable[[], bool]:
    return lambda: request.transport is None or request.transport.is_closing()
