"""Marzban's API: users with VLESS keys. Marzban's facts are from FACTS.md and its recordings."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from json import JSONDecodeError
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from node_a.adapters.node_b.connection import BrokenOff, bounded, repeated_once, send
from node_a.adapters.node_b.listing import PanelPage, held_by_panel, is_fitting_status
from node_a.adapters.node_b.payloads import (
    CoreState,
    SeenUsers,
    SystemState,
    Token,
    UserHeld,
    UserWanted,
    as_json,
    checked_name,
    user_wanted,
)
from node_a.adapters.node_b.tokens import SharedToken
from node_a.application.ports import Clock
from node_a.domain.access import HeldPage, WantedAccess
from node_a.domain.errors import NodeRefused, NodeUnavailable

Reply = TypeVar("Reply", bound=BaseModel)

_NO_USER: Final = "User not found"
_PAGE: Final = 100
# On one page; if it fails on more rows than these, it fails.
_MOST_UNREADABLE: Final = 3
# Counting who is online means reading every user; beyond this many it costs the panel more than it tells us.
_MOST_COUNTED: Final = 1_000
_ONLINE_FOR: Final = timedelta(seconds=30)


class Marzban:
    """The panel of one node, over the node's client. Every call may be repeated. `patience`: seconds for a login, which
    outlives the caller that began it and so is bounded by itself."""

    def __init__(
        self, client: httpx.AsyncClient, *, username: str, password: str, clock: Clock, patience: float
    ) -> None:
        self._client = client
        self._clock = clock
        self._patience = patience
        self._username = username
        self._password = password
        self._token = SharedToken(self._log_in)

    async def apply(self, wanted: WantedAccess) -> None:
        """Make the panel hold exactly this user, or none. Raises NodeUnavailable and NodeRefused."""
        name = checked_name(wanted)
        if wanted.present:
            await self._hold(name, user_wanted(wanted))
        else:
            await repeated_once(lambda: self._remove(name))

    async def held(self, after: str | None) -> HeldPage:
        """`after`: how many were on the pages before. Raises NodeUnavailable.

        Pages by number shift while users come and go: somebody may stand on two pages, or on none. Nobody loses by it:
        whoever seems to be missing is told the same facts again, and nobody is removed for being on no page.
        """
        offset = int(after or 0)
        following = offset + _PAGE
        pages = await self._readable(offset)
        users = [held_by_panel(user, self._clock()) for page in pages for user in page.users]
        return HeldPage(users, str(following) if following < pages[-1].total else None)

    async def remove_user(self, name: str) -> None:
        """Raises NodeUnavailable and NodeRefused."""
        await repeated_once(lambda: self._remove(name))

    async def _readable(self, offset: int) -> Sequence[PanelPage]:
        """One page, in pieces where the panel fails on one: a single row that it cannot show spoils every page with it
        (FACTS: Marzban, Calls). Such a row is left out; ours is then missing, and whoever puts it right heals it."""
        pages: list[PanelPage] = []
        pieces, unreadable = [(offset, _PAGE)], 0
        while pieces:
            start, count = pieces.pop()
            try:
                pages.append(await repeated_once(partial(self._page, start, count)))
            except BrokenOff as error:
                unreadable += count == 1
                if not error.answered or unreadable > _MOST_UNREADABLE:
                    raise
                half = count // 2
                pieces += [(start + half, count - half), (start, half)] if half else []
        return pages

    async def _page(self, offset: int, limit: int) -> PanelPage:
        query = {"offset": offset, "limit": limit, "sort": "username"}
        return _parsed(PanelPage, await self._call("GET", "/api/users", params=query))

    async def core_started(self) -> bool:
        """Whether the panel's Xray runs. For 0.2 s after a bad start this is not true (FACTS)."""
        return _parsed(CoreState, await self._call("GET", "/api/core")).started

    async def system(self) -> SystemState:
        return _parsed(SystemState, await self._call("GET", "/api/system"))

    async def online_users(self) -> int | None:
        """Users with traffic in the last 30 s; None when there are too many users to count. The panel's own
        `online_users` is about the last day."""
        since = self._clock().astimezone(UTC).replace(tzinfo=None) - _ONLINE_FOR
        online, offset, total = 0, 0, 1
        while offset < total:
            query = {"offset": offset, "limit": _PAGE}
            page = _parsed(SeenUsers, await self._call("GET", "/api/users", params=query))
            online += sum(1 for user in page.users if user.online_at and user.online_at > since)
            offset, total = offset + _PAGE, page.total
            if total > _MOST_COUNTED:
                return None
        return online

    async def _hold(self, name: str, body: UserWanted) -> None:
        try:
            # Outcome unknown after a failure half-way: asking again is what `_put` begins with.
            held = await repeated_once(lambda: self._put(name, body))
        except NodeRefused as error:
            if body.proxies.shadowsocks is None:
                raise
            # Whoever looks for the reason looks at what is seldom there.
            raise NodeRefused(f"{error}; it was asked for a key for Outline: has it that inbound?") from error
        _compare(name, body, held, self._clock())

    async def _put(self, name: str, body: UserWanted) -> UserHeld:
        """Modify; create if it is absent; modify if it has appeared meanwhile. Modifying also brings back a user that a
        restart of the core has lost, and repairs a row that cannot be shown."""
        content = as_json(body)
        answer = await self._call("PUT", f"/api/user/{name}", json=content)
        if answer.status_code == 404:
            answer = await self._call("POST", "/api/user", json=content | {"username": name})
        if answer.status_code == 409:
            answer = await self._call("PUT", f"/api/user/{name}", json=content)
        return _parsed(UserHeld, answer)

    async def _remove(self, name: str) -> None:
        answer = await self._call("DELETE", f"/api/user/{name}")
        if answer.status_code not in {200, 404}:
            raise _unexpected(answer)

    async def _call(self, method: str, path: str, **content: Any) -> httpx.Response:
        """200, 409 or the panel's own 404 of a user; everything else is translated."""
        token = await self._token.get()
        answer = await self._authorized(token, method, path, **content)
        if answer.status_code == 401:
            token = await self._token.renewed(token)
            answer = await self._authorized(token, method, path, **content)
        return _translated(answer)

    async def _authorized(self, token: str, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await send(self._client, "panel", method, path, headers=headers, **content)

    async def _log_in(self) -> str:
        form = {"username": self._username, "password": self._password}
        try:
            async with bounded("panel", self._patience):
                answer = await repeated_once(lambda: send(self._client, "panel", "POST", "/api/admin/token", data=form))
            return _parsed(Token, _translated(answer)).access_token
        except NodeUnavailable as error:
            error.answered = False  # no matter of one user: without a login nobody is served
            raise


def _translated(answer: httpx.Response) -> httpx.Response:
    """The one place where the panel's statuses become our errors; no word of a body gets into them."""
    status = answer.status_code
    if status == 200 or _is_about_a_user(answer):
        return answer
    if status in {401, 403}:
        raise NodeUnavailable(f"panel: our credentials are refused ({status})")
    if status in {400, 422}:
        detail = _detail(answer)
        fields = ", ".join(sorted(detail)) if isinstance(detail, dict) else "no field named"
        raise NodeRefused(f"panel: the request is refused ({status}: {fields})")
    if status == 500:
        # The panel hangs up after this without saying so, and may have done the work.
        raise BrokenOff("panel: it failed (500)", answered=True)
    raise _unexpected(answer)


def _unexpected(answer: httpx.Response) -> NodeUnavailable:
    """What is not the panel's own, such as a 404 without its words, comes from a proxy and proves nothing."""
    status = answer.status_code
    return NodeUnavailable(f"panel: unexpected answer ({status})", answered=_is_about_a_user(answer))


def _is_about_a_user(answer: httpx.Response) -> bool:
    """The panel's own word that the name is taken, or that there is none."""
    return answer.status_code == 409 or (answer.status_code == 404 and _detail(answer) == _NO_USER)


def _detail(answer: httpx.Response) -> Any:
    try:
        body = answer.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return None
    return body.get("detail") if isinstance(body, dict) else None


def _parsed(model: type[Reply], answer: httpx.Response) -> Reply:
    if answer.status_code != 200:
        raise _unexpected(answer)
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        # Without its cause, which repeats what was received.
        raise NodeUnavailable(f"panel: an answer that is no {model.__name__}", answered=True) from None


def _compare(name: str, wanted: UserWanted, held: UserHeld, now: datetime) -> None:
    differing = [
        word
        for word, same in (
            ("name", held.username == name),
            ("id", held.proxies.vless.id == wanted.proxies.vless.id),
            ("flow", held.proxies.vless.flow == wanted.proxies.vless.flow),
            ("outline", held.proxies.shadowsocks == wanted.proxies.shadowsocks),
            ("inbounds", held.inbounds == wanted.inbounds),
            ("end", held.expire == wanted.expire),
            ("limit", (held.data_limit or 0) == wanted.data_limit),
            ("status", is_fitting_status(held, now)),
        )
        if not same
    ]
    if differing:
        story = f"panel: it holds something else than it was sent: {', '.join(differing)}"
        raise NodeUnavailable(story, answered=True)
