"""A route: one way to Telegram, and what comes of a call over it."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError

# Seconds until a connection stands, TLS and a proxy's own handshake in it: two lost packets are forgiven.
CONNECT_TIMEOUT: Final = 8.0
# Calls at once over one route; as in the library.
_MOST_CALLS: Final = 50


@dataclass(frozen=True, slots=True)
class Route:
    """`name`: for people and logs, without a secret. `api_url`: where the Bot API is, without a slash at the end.
    `proxy`: http://… or socks5://… on the way there. `tls`: whom to trust instead of the authorities."""

    name: str
    api_url: str
    proxy: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)


class NotReached(aiohttp.ClientError):
    """Nothing came back. `sent`: whether Telegram may have the call all the same."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    """`response` is read to its end. `is_telegrams`: it is an answer of the Bot API, good or bad, and not some page of
    a proxy or of a network that shows its own."""

    response: aiohttp.ClientResponse
    is_telegrams: bool


class OpenRoute:
    """The connections of one route, in one event loop; made when they are first needed. `authorities`: whom to trust
    where the route does not say it."""

    def __init__(self, route: Route, authorities: ssl.SSLContext) -> None:
        self.route = route
        self._authorities = authorities
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, path: str, *, data: Any = None, seconds: float | None) -> Reply:
        """Raises NotReached. `data`: as for aiohttp; it is not used up as long as nothing was sent."""
        trace = SimpleNamespace(sent=False)
        route, timeout = self.route, aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT)
        proxy = route.proxy if route.proxy and not _is_socks(route) else None
        with _told(trace):
            response = await self._opened().request(
                method, route.api_url + path, data=data, timeout=timeout, proxy=proxy, trace_request_ctx=trace
            )
            async with response:
                body = await response.read()  # kept: whoever asks for it later gets it
        return Reply(response, _is_telegrams(body))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            tls = self.route.tls or self._authorities
            connector: aiohttp.TCPConnector
            if _is_socks(self.route):
                # The names are looked up at the proxy's end: here they may be answered with lies.
                connector = ProxyConnector.from_url(self.route.proxy or "", rdns=True, ssl=tls, limit=_MOST_CALLS)
            else:
                connector = aiohttp.TCPConnector(ssl=tls, limit=_MOST_CALLS)
            self._session = aiohttp.ClientSession(connector=connector, trace_configs=[_noting_what_was_sent()])
        return self._session


def _is_socks(route: Route) -> bool:
    return route.proxy is not None and route.proxy.startswith("socks5:")


def _noting_what_was_sent() -> aiohttp.TraceConfig:
    """aiohttp's errors do not say whether a call has left us; its tracing does. A proxy's CONNECT is not the call."""

    async def note(session: aiohttp.ClientSession, context: SimpleNamespace, headers: object) -> None:
        context.trace_request_ctx.sent = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(note)
    return config


@contextmanager
def _told(trace: SimpleNamespace) -> Iterator[None]:
    """Whatever keeps a call from its answer, as NotReached: the error's name alone, for its text may hold the call."""
    try:
        yield
    # EOFError: a proxy that hangs up in the middle of its own handshake.
    except (aiohttp.ClientError, OSError, EOFError, ProxyError, ProxyConnectionError, ProxyTimeoutError) as error:
        raise NotReached(type(error).__name__, sent=trace.sent) from error


def _is_telegrams(body: bytes) -> bool:
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and isinstance(answer.get("ok"), bool)
