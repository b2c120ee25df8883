"""The one place that touches pyTelegramBotAPI's global state: where Telegram is, how long we wait, the session."""

import logging
from typing import Any, Final

import structlog
from telebot import asyncio_helper, types
from telebot.async_telebot import AsyncTeleBot

_log = structlog.stdlib.get_logger("telegram")

# Seconds for a whole call; the library's own default is five minutes. A long poll brings its own.
CALL_TIMEOUT: Final = 30


class _Bot(AsyncTeleBot):
    """The library's bot without two of its habits, and with the number of the update on what it hands on."""

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


def open_bot(token: str, api_url: str, proxy: str | None = None) -> AsyncTeleBot:
    """A client for the Bot API at `api_url` ("https://api.telegram.org"), no network yet. `proxy`: an http(s) address.

    The library keeps all of this once per process, so a process has one bot. ValueError for what cannot be a token.
    """
    asyncio_helper.API_URL = api_url.rstrip("/") + "/bot{0}/{1}"
    asyncio_helper.REQUEST_TIMEOUT = CALL_TIMEOUT
    asyncio_helper.proxy = proxy  # type: ignore[assignment] # declared by its default, which is None
    # It reports each failure twice, as an error, to a handler of its own, and then raises what we report ourselves.
    logging.getLogger("TeleBot").setLevel(logging.CRITICAL)
    return _Bot(token)


async def close_bot(bot: AsyncTeleBot) -> None:
    """Close the connections; fine if there never were any. Called in the event loop that used the bot."""
    session = asyncio_helper.session_manager.session
    if session is not None:
        await session.close()
        asyncio_helper.session_manager.session = None
