"""The border to YooKassa's SDK: its global state, its missing timeouts and its errors end here."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
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

# Seconds. With the time to connect shorter than OpenPayment leaves a creation alone, and than any lease.
ANSWER_TIMEOUT: Final = 30.0

_configuring = threading.Lock()


class TimedClient(ApiClient):  # type: ignore[misc]  # the SDK is untyped
    """The SDK's client with timeouts (for each wait and the whole answer), without retries and log of its own.

    `configure` is class-level state of the SDK, each call of it resets all that is not passed, and a client copies
    what it needs when it is made. So both happen here, under one lock, and a second shop in the same process (as in
    the tests) does not disturb the first.
    """

    def __init__(
        self,
        *,
        shop_id: str,
        secret_key: str,
        api_url: str,
        connect_timeout: float,
        read_timeout: float,
        answer_timeout: float = ANSWER_TIMEOUT,
    ) -> None:
        with _configuring:
            Configuration.configure(shop_id, secret_key, api_url=api_url)
            super().__init__()
        self._timeouts = (connect_timeout, read_timeout)
        self._answer_timeout = answer_timeout

    def get_session(self) -> requests.Session:
        # The SDK's own session would try three times more, with pauses, and outlive the lease of the attempt.
        # The worker repeats, with the same idempotence key.
        return _TimedSession(self._timeouts, self._answer_timeout)

    def log_request(self, *_: object, **__: object) -> None:
        """Nothing: the SDK would write the Authorization header into its log."""

    def log_response(self, *_: object, **__: object) -> None:
        """Nothing: answers hold the pay link."""


class _TimedSession(requests.Session):
    """For one request. `answer_timeout`: seconds from the connection to the last byte, which `timeouts`, being for one
    wait each, would not bound."""

    def __init__(self, timeouts: tuple[float, float], answer_timeout: float) -> None:
        super().__init__()
        self._timeouts = timeouts
        self._answer_timeout = answer_timeout
        self._timers: list[threading.Timer] = []
        for scheme in ("https://", "http://"):
            self.mount(scheme, _WatchedAdapter(self._watch))
        self.trust_env = False  # no .netrc: requests would put its password in place of our credentials
        self.max_redirects = 0  # the API has none; a captive portal has

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", self._timeouts)
        try:
            return super().request(*args, **kwargs)  # with its whole body
        finally:
            for timer in self._timers:
                timer.cancel()

    def _watch(self, connected: socket.socket) -> None:
        timer = threading.Timer(self._answer_timeout, _break_off, (connected,))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()


class _WatchedAdapter(HTTPAdapter):
    def __init__(self, watch: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._watch = watch

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _watched(pool.ConnectionCls, self._watch)
        return pool


def _watched(kind: Any, watch: Callable[[socket.socket], None]) -> Any:
    """A class of connections that show their socket as soon as they have one."""

    class Watched(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            watch(self.sock)

    return Watched


def _break_off(connected: socket.socket) -> None:
    """Whoever waits for data gets the end of it. Not SSLSocket's own method, which takes its state away meanwhile."""
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


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
