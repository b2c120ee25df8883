"""How the original refuses: its texts, its 422 object, its 500 that closes the connection, its redirect."""

from json import JSONDecodeError
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.marzban.listing import BadSort
from sandbox.marzban.panel import Broken, Conflict, ProtocolOff
from sandbox.marzban.payloads import Refused
from sandbox.marzban.tokens import Tokens

LOGIN_PATH = "/api/admin/token"


def translated(tokens: Tokens) -> Middleware:
    """The middleware that checks the token, and turns what went wrong into the original's answers."""

    @web.middleware
    async def translate(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            # A body that is no JSON is refused before anything else is looked at.
            if request.path != LOGIN_PATH and request.can_read_body:
                await request.json()
            if request.path != LOGIN_PATH and request.match_info.http_exception is None:
                _check_token(tokens, request)
            return await handler(request)
        except Broken:
            return await broken(request)
        except web.HTTPNotFound:
            return await _not_found(request)
        except (Refused, JSONDecodeError, ProtocolOff, BadSort, Conflict, KeyError, web.HTTPException) as error:
            return _answer(error)

    return translate


def _check_token(tokens: Tokens, request: web.Request) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise web.HTTPUnauthorized(text="Not authenticated")
    if not tokens.is_valid(token):
        raise web.HTTPUnauthorized(text="Could not validate credentials")


def _answer(error: Exception) -> web.Response:
    match error:
        case JSONDecodeError():
            response = _refused({str(error.pos): "JSON decode error"})
        case Refused():
            response = _refused(error.detail)
        case ProtocolOff() | BadSort():
            response = detail(400, str(error))
        case Conflict():
            response = detail(409, "User already exists")
        case KeyError():
            response = detail(404, "User not found")
        case web.HTTPUnauthorized():
            response = unauthorized(error.text or "")
        case web.HTTPMethodNotAllowed():
            response = detail(405, "Method Not Allowed")
            response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        case _:
            raise error
    return response


def detail(status: int, text: str) -> web.Response:
    return web.json_response({"detail": text}, status=status)


def _refused(detail: dict[str, str]) -> web.Response:
    return web.json_response({"detail": detail}, status=422)


def unauthorized(text: str) -> web.Response:
    return web.json_response({"detail": text}, status=401, headers={"WWW-Authenticate": "Bearer"})


async def _not_found(request: web.Request) -> web.Response:
    """Without its last slash there may be such a call; then the original redirects."""
    if request.path != "/" and request.path.endswith("/"):
        stripped = request.rel_url.with_path(request.path.rstrip("/")).with_query(request.query)
        resolved = await request.app.router.resolve(request.clone(rel_url=stripped))
        if resolved.http_exception is None:
            address = urlsplit(str(request.url))
            location = address._replace(path=stripped.path).geturl()
            return web.Response(status=307, headers={"Location": location})
    return detail(404, "Not Found")


async def broken(request: web.Request) -> web.Response:
    """500 as plain text, then the connection is closed without a `Connection: close`."""
    response = web.Response(status=500, text="Internal Server Error")
    await response.prepare(request)
    await response.write_eof()
    if request.transport is not None:
        request.transport.close()
    return response
