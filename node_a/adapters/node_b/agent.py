"""The agent's API: users with Shadowsocks keys, and the host. What is said is `shared/agent_contract.py`."""

from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from node_a.adapters.node_b.connection import BrokenOff, repeated_once, send
from node_a.adapters.node_b.listing import AgentPage, held_by_agent
from node_a.adapters.node_b.payloads import checked_name, end_in_seconds, limit_in_bytes
from node_a.domain.access import HeldPage, WantedAccess
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable
from shared.agent_contract import AgentStatus, Problem, UserReport, UserState
from shared.inbounds import AGENT_PREFIX

Reply = TypeVar("Reply", bound=BaseModel)

# The database's column holds 2**31 - 1, and subscriptions must still be able to go on from there.
LATEST_REVISION: Final = 2**30
_PAGE: Final = 100


class Agent:
    """The agent of one node, over the node's client. Every call may be repeated."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def apply(self, wanted: WantedAccess) -> None:
        """Make the agent hold exactly this user, or none. Raises NodeUnavailable, NodeRefused and NodeIsAhead."""
        path = f"/v1/users/{checked_name(wanted)}"
        if wanted.present:
            state = _user_state(wanted)
            content = state.model_dump(mode="json")
            answer = await repeated_once(lambda: self._call("PUT", path, json=content))
            _check_not_ahead(answer, wanted.revision)
            _compare(wanted.user_name, state, _parsed(UserReport, answer))
        else:
            query = {"revision": wanted.revision}
            answer = await repeated_once(lambda: self._call("DELETE", path, params=query))
            _check_not_ahead(answer, wanted.revision)

    async def held(self, after: str | None) -> HeldPage:
        """Raises NodeUnavailable."""
        query = {"limit": _PAGE} | ({} if after is None else {"after": after})
        page = _parsed(AgentPage, await repeated_once(lambda: self._call("GET", "/v1/users", params=query)))
        if page.next_after is not None and page.next_after <= (after or ""):
            raise NodeUnavailable("agent: its pages go round in circles", answered=True)
        return HeldPage([held_by_agent(user) for user in page.users], page.next_after)

    async def remove_user(self, name: str, revision: int) -> None:
        """Remove it if it is still as old as `revision`. Raises NodeUnavailable, NodeRefused and NodeIsAhead."""
        answer = await repeated_once(lambda: self._call("DELETE", f"/v1/users/{name}", params={"revision": revision}))
        _check_not_ahead(answer, revision)

    async def status(self) -> AgentStatus:
        return _parsed(AgentStatus, await self._call("GET", "/v1/status"))

    async def _call(self, method: str, path: str, **content: Any) -> httpx.Response:
        path = AGENT_PREFIX + path
        return _translated(await send(self._client, "agent", method, path, headers=self._headers, **content))


def _user_state(wanted: WantedAccess) -> UserState:
    expires_at, traffic_limit = end_in_seconds(wanted), limit_in_bytes(wanted)
    try:
        return UserState(
            key=wanted.credential, expires_at=expires_at, traffic_limit=traffic_limit, revision=wanted.revision
        )
    except ValidationError:
        # Without its cause, which repeats the key.
        raise NodeRefused("agent: the access makes no user that the agent would take") from None


def _translated(answer: httpx.Response) -> httpx.Response:
    """The agent's statuses become our errors, except 409, whose number must be compared with what was sent."""
    status = answer.status_code
    if status in {200, 204, 409}:
        return answer
    if status in {401, 403}:
        raise NodeUnavailable(f"agent: our credentials are refused ({status})")
    if status == 400:
        raise NodeRefused("agent: the request is refused (400)")
    if status == 500:
        raise BrokenOff("agent: it failed (500)", answered=True)
    raise NodeUnavailable(f"agent: unexpected answer ({status})")


def _check_not_ahead(answer: httpx.Response, sent: int) -> None:
    if answer.status_code != 409:
        return
    try:
        held = Problem.model_validate_json(answer.content).revision
    except ValidationError:
        held = None
    # A number that the ledger will adopt: not from a node that makes it up.
    if held is None or not sent < held <= LATEST_REVISION:
        raise NodeRefused("agent: it says that it holds a newer revision (409), and names none to believe")
    raise NodeIsAhead(f"agent: it holds a newer revision ({held})", revision=held)


def _parsed(model: type[Reply], answer: httpx.Response) -> Reply:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        # Without its cause, which repeats what was received.
        raise NodeUnavailable(f"agent: an answer that is no {model.__name__}", answered=True) from None


def _compare(name: str, wanted: UserState, held: UserReport) -> None:
    differing = [field for field in UserState.model_fields if getattr(held, field) != getattr(wanted, field)]
    if held.name != name or differing:
        story = f"agent: it holds something else than it was sent: {', '.join(differing) or 'name'}"
        raise NodeUnavailable(story, answered=True)
