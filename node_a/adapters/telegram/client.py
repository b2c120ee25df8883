"""The one place that touches pyTelegramBotAPI's global state: where Telegram is, how long we wait, the session."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

import structlog
from telebot import asyncio_helper, types
from telebot.async_telebot import AsyncTeleBot

from node_a.adapters.telegram.line import Line
from node_a.adapters.telegram.probing import Sight, look_at
from node_a.adapters.telegram.routes import OpenRoute, Route

_log = structlog.stdlib.get_logger("telegram")

# Seconds for a whole call; the library's own default is five minutes. A long poll brings its own.
CALL_TIMEOUT: Final = 30

_LIBRARYS_OWN: Final = asyncio_helper.session_manager
_AUTHORITIES: Final = _LIBRARYS_OWN.ssl_context


class _Bot(AsyncTeleBot):
    """The library's bot without two of its habits, and with the number of the update on what it hands on."""

    def __init__(self, token: str, line: Line) -> None:
        super().__init__(token)
        self.line = line

    @staticmethod
    async def close_session() -> None:
        """Polling calls this the moment it ends, under the hands of handlers that still answer: `close_bot` does it."""

    async def get_updates(self, *args: Any, **kwargs: Any) -> list[types.Update]:
        """An update that the library cannot read is passed over; by itself it would be asked for again for ever."""
        updates = []
        raw = await asyncio_helper.get_updates(self.token, *args, **kwargs)  # type: ignore[no-untyped-call]
        for one in raw:
            try:
                updates.append(types.Update.de_json(one))  # type: ignore[no-untyped-call]
            except Exception:  # whatever its parsers stumble over
                _log.exception("update could not be read", update_id=one["update_id"])
        if raw and not updates:
            self.offset = raw[-1]["update_id"] + 1
        return updates

    async def process_new_updates(self, updates: list[types.Update]) -> None:
        """A handler sees only the message or the press: it finds there, as `update_id`, which delivery brought it."""
        for update in updates:
            carried: Any  # an attribute of ours on an object of the library's
            for carried in (update.message, update.callback_query):
                if carried is not None:
                    carried.update_id = update.update_id
        await super().process_new_updates(updates)


def open_bot(token: str, routes: Sequence[Route]) -> AsyncTeleBot:
    """A client that reaches the Bot API over the first of `routes` that works, no network yet.

    The library keeps all of this once per process, so a process has one bot. ValueError for what cannot be a token.
    """
    line = Line([OpenRoute(route, _AUTHORITIES) for route in routes], token)
    asyncio_helper.session_manager = line  # type: ignore[assignment] # all that the library asks it for is a session
    asyncio_helper.API_URL = "/bot{0}/{1}"
    asyncio_helper.REQUEST_TIMEOUT = CALL_TIMEOUT
    # It reports each failure twice, as an error, to a handler of its own, and then raises what we report ourselves.
    logging.getLogger("TeleBot").setLevel(logging.CRITICAL)
    return _Bot(token, line)


async def close_bot(bot: AsyncTeleBot) -> None:
    """Close the connections; fine if there never were any. Called in the event loop that used the bot."""
    if isinstance(bot, _Bot):
        await bot.line.close()
        installed: object = asyncio_helper.session_manager
        if installed is bot.line:
            asyncio_helper.session_manager = _LIBRARYS_OWN


async def look_at_routes(token: str, routes: Sequence[Route]) -> list[tuple[Route, Sight]]:
    """What comes of asking each of them, in the same order; all are asked at once."""
    opened = [OpenRoute(route, _AUTHORITIES) for route in routes]
    try:
        return list(zip(routes, await asyncio.gather(*(look_at(route, token) for route in opened)), strict=True))
    finally:
        for route in opened:
            await route.close()
