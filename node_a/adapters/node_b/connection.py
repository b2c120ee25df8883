"""The way to one node: its own certificate pinned, nothing read from the environment, transport errors made ours."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final, TypeVar

import httpx

from node_a.adapters.pinning import pinned
from node_a.domain.errors import NodeUnavailable

T = TypeVar("T")

# Each is for one wait only: a node that drips a byte a second never meets them. Hence PATIENCE.
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
# Seconds for one attempt or one look with all their calls; shorter than any lease.
PATIENCE: Final = 60.0
# Marzban closes a connection after 5 s of idleness (FACTS: Marzban, Calls), so ours goes first. More than a few side by
# side only queue inside the panel.
LIMITS: Final = httpx.Limits(max_connections=8, max_keepalive_connections=8, keepalive_expiry=2.5)


class BrokenOff(NodeUnavailable):
    """The other side failed or hung up in the middle: outcome unknown, and worth one repetition at once."""


def open_client(url: str, certificate: str | None) -> httpx.AsyncClient:
    """A client for the node at `url`. `certificate`: the node's own, PEM. Plain http is for loopback addresses only.

    Raises ValueError for an address or certificate that must not be used.
    """
    address = httpx.URL(url)
    if address.scheme == "http":
        if not _is_loopback(address.host):
            raise ValueError("a node is reached over https; plain http is for loopback addresses only")
        verify: ssl.SSLContext | bool = False
    elif address.scheme == "https":
        if certificate is None:
            raise ValueError("a node reached over https needs its own certificate to be pinned")
        verify = pinned(certificate)
    else:
        raise ValueError("a node's address starts with https://")
    return httpx.AsyncClient(base_url=address, verify=verify, trust_env=False, timeout=_TIMEOUT, limits=LIMITS)


async def send(client: httpx.AsyncClient, part: str, method: str, path: str, **content: Any) -> httpx.Response:
    """`part`: "panel" or "agent", for people. Raises BrokenOff and NodeUnavailable, with no word of what was sent."""
    try:
        return await client.request(method, path, **content)
    except (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError) as error:
        raise BrokenOff(f"{part}: the connection broke off ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise NodeUnavailable(f"{part}: no answer ({type(error).__name__})") from error


async def repeated_once(call: Callable[[], Awaitable[T]]) -> T:
    """For calls of absolute facts. A time-out is not repeated here: the worker comes back when it suits."""
    try:
        return await call()
    except BrokenOff as first:
        try:
            return await call()
        except BrokenOff as second:
            # The panel hangs up after a 500 (FACTS: Marzban, Calls): that is no sign that it is gone.
            second.answered = second.answered or first.answered
            raise


@asynccontextmanager
async def bounded(part: str, patience: float, *, since: float | None = None) -> AsyncIterator[None]:
    """What is inside ends within `patience` seconds (from now, or from `since` on the monotonic clock), however many
    calls it makes. Raises NodeUnavailable."""
    left = patience if since is None else since + patience - monotonic()
    try:
        async with asyncio.timeout(left):
            yield
    except TimeoutError as error:
        raise NodeUnavailable(f"{part}: no complete answer within {patience:g} s") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
