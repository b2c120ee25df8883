"""Polling that lives as long as the process: through network failures, a second poller, Telegram's own bad hours."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from telebot.async_telebot import AsyncTeleBot, ExceptionHandler
from telebot.asyncio_helper import ApiException, ApiTelegramException, RequestTimeout

_log = structlog.stdlib.get_logger("bot")

# Seconds. Telegram holds a poll that long; the call may take a little longer.
LONG_POLL: Final = 25
POLL_TIMEOUT: Final = LONG_POLL + 15
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
# A polling that lasted so long was healthy: the next trouble is a new one.
HEALTHY_AFTER: Final = 60.0
# The same trouble is logged again after this.
REPEATED_AFTER: Final = 300.0

_LISTENED_TO: Final = ["message", "callback_query"]

_MEANING: Final = {
    401: "telegram does not know this token: check it",
    404: "telegram does not know this token: check it and the API address",
    409: "another process polls with this token: stop it",
}


class Troubles(ExceptionHandler):
    """Logs what goes wrong while polling: each kind once, then every few minutes while it lasts."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._logged_at: dict[str, float] = {}

    async def handle(self, exception: Exception) -> bool:
        """The library's hook. False: polling ends, and `keep_polling` decides how to go on."""
        self.note(exception)
        return False

    def note(self, error: Exception) -> None:
        code = error.error_code if isinstance(error, ApiTelegramException) else None
        event = _MEANING.get(code or 0, "telegram does not answer")
        kind = f"{type(error).__name__} {code}"
        if not isinstance(error, RequestTimeout | ApiException | OSError):
            _log.error("update failed outside of its handler", exc_info=error)
        elif self._now() >= self._logged_at.get(kind, float("-inf")) + REPEATED_AFTER:
            self._logged_at[kind] = self._now()
            _log.warning(event, error=type(error).__name__, code=code)


async def keep_polling(
    bot: AsyncTeleBot,
    first: Callable[[], Awaitable[None]],
    troubles: Troubles,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Until cancelled. `first` is done once, as soon as Telegram answers."""
    bot.exception_handler = troubles
    introduced, pause = False, FIRST_PAUSE
    while True:
        started = now()
        try:
            if not introduced:
                me = await bot.get_me()
                await first()
                introduced = True
                _log.info("bot is listening", username=me.username)
            # non_stop=False: it ends at the first trouble instead of pausing up to a minute by itself.
            await bot.polling(
                non_stop=False, timeout=LONG_POLL, request_timeout=POLL_TIMEOUT, allowed_updates=_LISTENED_TO
            )
        except Exception as error:  # whatever it is: a bot that stops listening helps nobody
            troubles.note(error)
        # The library's polling swallows the cancellation and returns.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        if now() - started >= HEALTHY_AFTER:
            pause = FIRST_PAUSE
        await sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
