"""Puts the stand-in together: one application for the Bot API, the chat page and `/sandbox/`."""

from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.store import Store
from sandbox.telegram.api import BotApi, cut
from sandbox.telegram.bell import Bell
from sandbox.telegram.callbacks import Callbacks
from sandbox.telegram.chats import Chats
from sandbox.telegram.control import Control
from sandbox.telegram.photos import Photos
from sandbox.telegram.profile import Profile
from sandbox.telegram.rates import Rates
from sandbox.telegram.sending import Sending
from sandbox.telegram.updates import Updates
from sandbox.troubles import Troubles

_PAGE = Path(__file__).with_name("page")
_LARGEST_REQUEST = 50 * 1024 * 1024  # as the original
# Nothing from outside; only Mini Apps are framed, and they may be anywhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " frame-src http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(
    *,
    token: str,
    store: Store,
    troubles: Troubles,
    bot_name: str = "QentVPN",
    bot_username: str = "qentvpn_bot",
    chat_burst: int = 20,
    chat_per_second: float = 1.0,
    overall_per_second: float = 30.0,
) -> web.Application:
    """`token` is `<bot id>:<secret>`; the last three are Telegram's limits in messages (429 above them)."""
    bot = {"id": int(token.partition(":")[0]), "is_bot": True, "first_name": bot_name, "username": bot_username}
    bell = Bell()
    chats = Chats(store, bell)
    updates = Updates(store, bell)
    callbacks = Callbacks(bell, updates)
    photos = Photos(store)
    profile = Profile(bot, store, chats)
    rates = Rates(chat_burst=chat_burst, chat_per_second=chat_per_second, overall_per_second=overall_per_second)
    sending = Sending(bot, chats, photos, rates)
    parts = (updates, callbacks, photos, profile, sending)
    methods = {name: method for part in parts for name, method in part.methods().items()}
    api = BotApi(token=token, troubles=troubles, methods=methods)

    async def download(request: web.Request) -> web.Response:
        if troubles.telegram_down:
            return cut(request)
        found = photos.content(path=request.match_info["path"])
        if found is None or not api.knows(request.match_info["token"]):
            body = {"ok": False, "error_code": 404, "description": "Not Found"}
            return web.json_response(body, status=404)
        return web.Response(body=found[0], content_type=found[1])

    async def end_long_polls(app: web.Application) -> None:
        bell.close()

    app = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[_uncached])
    app.on_shutdown.append(end_long_polls)
    control = Control(
        token=token,
        api=api,
        bell=bell,
        callbacks=callbacks,
        chats=chats,
        photos=photos,
        profile=profile,
        troubles=troubles,
        updates=updates,
    )
    app.add_routes(control.routes())
    app.router.add_route("GET", "/bot{token}/{method}", api.handle)
    app.router.add_route("POST", "/bot{token}/{method}", api.handle)
    app.router.add_get("/file/bot{token}/{path:.+}", download)
    app.router.add_get("/", _page)
    for file in sorted(_PAGE.iterdir()):
        app.router.add_get(f"/{file.name}", _file(file))
    # What t.me/NAME is to the original: a way from any browser into the chat. Here there is one chat.
    app.router.add_get(r"/{name:[A-Za-z]\w+}", _to_the_chat)
    return app


async def _to_the_chat(request: web.Request) -> web.Response:
    raise web.HTTPFound("/")


async def _page(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(_PAGE / "index.html", headers={"Content-Security-Policy": _POLICY})


def _file(path: Path) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    return serve


@web.middleware
async def _uncached(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page from an earlier start must not meet the answers of a later one."""
    response = await handler(request)
    if not response.prepared:
        response.headers.setdefault("Cache-Control", "no-cache")
    return response
