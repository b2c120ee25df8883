"""The border to YooKassa's SDK: its global state, its missing timeouts and its errors end here."""

import threading
from typing import Any, Final

import requests
from yookassa import Configuration
from yookassa.client import ApiClient
from yookassa.domain.exceptions import (
    ApiError,
    BadRequestError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
)

from node_a.domain.errors import PaymentRefused, ProviderUnavailable, ShopError

# What the SDK raises, tried with 3.13: a connection that is refused, reset or timed out ends as an AttributeError (it
# asks the missing answer for its status), an answer that is no JSON as a ValueError.
SDK_ERRORS: Final = (ApiError, requests.RequestException, AttributeError, ValueError, TypeError)

# Our request, our credentials or our shop: the same call will never work.
_OURS: Final = (BadRequestError, UnauthorizedError, ForbiddenError, NotFoundError, GoneError)

_configuring = threading.Lock()


class TimedClient(ApiClient):  # type: ignore[misc]  # the SDK is untyped
    """The SDK's client with socket timeouts, without retries of its own and without its log.

    `configure` is class-level state of the SDK, each call of it resets all that is not passed, and a client copies
    what it needs when it is made. So both happen here, under one lock, and a second shop in the same process (as in
    the tests) does not disturb the first.
    """

    def __init__(
        self, *, shop_id: str, secret_key: str, api_url: str, connect_timeout: float, read_timeout: float
    ) -> None:
        with _configuring:
            Configuration.configure(shop_id, secret_key, api_url=api_url)
            super().__init__()
        self._timeouts = (connect_timeout, read_timeout)

    def get_session(self) -> requests.Session:
        # The SDK's own session would try three times more, with pauses, and outlive the lease of the attempt.
        # The worker repeats, with the same idempotence key.
        return _TimedSession(self._timeouts)

    def log_request(self, *_: object, **__: object) -> None:
        """Nothing: the SDK would write the Authorization header into its log."""

    def log_response(self, *_: object, **__: object) -> None:
        """Nothing: answers hold the pay link."""


class _TimedSession(requests.Session):
    def __init__(self, timeouts: tuple[float, float]) -> None:
        super().__init__()
        self._timeouts = timeouts
        self.trust_env = False  # no .netrc: requests would put its password in place of our credentials
        self.max_redirects = 0  # the API has none; a captive portal has

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", self._timeouts)
        return super().request(*args, **kwargs)


def translated(error: Exception) -> ShopError:
    """Ours for one of SDK_ERRORS; to be raised `from` it."""
    if isinstance(error, _OURS):
        return PaymentRefused(f"YooKassa refuses: {_told(error)}")
    if isinstance(error, TooManyRequestsError):
        return ProviderUnavailable("YooKassa asks us to wait", retry_after=_pause(error))
    if isinstance(error, ApiError):
        return ProviderUnavailable(f"YooKassa failed: {_told(error)}")
    # The SDK hides the failure of the connection behind its own; the first one names the reason.
    cause = error.__context__ or error
    return ProviderUnavailable(f"YooKassa did not answer usefully: {type(cause).__name__}")


def _told(error: ApiError) -> str:
    content = error.content or {}
    parts = (content.get(name) for name in ("code", "parameter", "description"))
    return ", ".join(str(part)[:200] for part in parts if part)


def _pause(error: ApiError) -> float | None:
    milliseconds = (error.content or {}).get("retry_after")
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int) or milliseconds < 0:
        return None
    return milliseconds / 1000
