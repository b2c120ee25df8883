"""Telegram's errors in our words, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
from telebot.asyncio_helper import ApiException, ApiTelegramException, RequestTimeout

from node_a.domain.errors import MessageRefused, MessengerUnavailable, ShopError, Unreachable

# Telegram says these with 400, but they mean the same as 403: nobody reads there.
_NOBODY_THERE: Final = ("chat not found", "user is deactivated", "peer_id_invalid", "bot was blocked by the user")


@contextmanager
def translated() -> Iterator[None]:
    """What pyTelegramBotAPI raises inside leaves as MessengerUnavailable, Unreachable or MessageRefused."""
    try:
        yield
    except ApiTelegramException as error:
        raise _translation(error) from error
    except ApiException as error:  # no answer of Telegram's: a proxy's page, half a JSON
        raise MessengerUnavailable("Telegram's answer was not readable") from error
    except (RequestTimeout, aiohttp.ClientError, OSError) as error:
        raise MessengerUnavailable(f"Telegram did not answer ({type(error).__name__})") from error


def _translation(error: ApiTelegramException) -> ShopError:
    code, description = int(error.error_code), str(error.description)
    if code == 429:
        wait = error.result_json.get("parameters", {}).get("retry_after")
        return MessengerUnavailable("Telegram asks us to wait", retry_after=float(wait) if wait else None)
    if code == 403 or (code == 400 and any(sign in description.lower() for sign in _NOBODY_THERE)):
        return Unreachable(f"Telegram: {description}")
    if code in {401, 404}:
        # Our token, or the address: no customer's fault, and the message is as good as before once that is mended.
        return MessengerUnavailable(f"Telegram does not know this bot ({code}): check the token and the API address")
    if code >= 500:
        return MessengerUnavailable(f"Telegram answered {code}")
    return MessageRefused(f"Telegram: {code} {description}")
