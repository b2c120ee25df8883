"""The agent's API: users with Shadowsocks keys, and the host. What is said is `shared/agent_contract.py`."""

from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from node_a.adapters.node_b.connection import BrokenOff, repeated_once, send
from node_a.adapters.node_b.payloads import checked_name, end_in_seconds, limit_in_bytes
from node_a.domain.access import WantedAccess
from node_a.domain.errors import NodeRefused, NodeUnavailable
from shared.agent_contract import AgentStatus, Problem, UserReport, UserState
from shared.inbounds import AGENT_PREFIX

Reply = TypeVar("Reply", bound=BaseModel)


class Agent:
    """The agent of one node, over the node's client. Every call may be repeated."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def apply(self, wanted: WantedAccess) -> None:
        """Make the agent hold exactly this user, or none. Raises NodeUnavailable and NodeRefused, the latter also when
        the agent holds a newer revision."""
        path = f"/v1/users/{checked_name(wanted)}"
        if wanted.present:
            state = _user_state(wanted)
            content = state.model_dump(mode="json")
            report = _parsed(UserReport, await repeated_once(lambda: self._call("PUT", path, json=content)))
            _compare(wanted.user_name, state, report)
        else:
            query = {"revision": wanted.revision}
            await repeated_once(lambda: self._call("DELETE", path, params=query))

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
    """The one place where the agent's statuses become our errors."""
    status = answer.status_code
    if status in {200, 204}:
        return answer
    if status in {401, 403}:
        raise NodeRefused(f"agent: our credentials are refused ({status})")
    if status == 409:
        raise NodeRefused(f"agent: it holds a newer revision ({_parsed(Problem, answer).revision})")
    if status == 400:
        raise NodeRefused("agent: the request is refused (400)")
    if status == 500:
        raise BrokenOff("agent: it failed (500)")
    raise NodeUnavailable(f"agent: unexpected answer ({status})")


def _parsed(model: type[Reply], answer: httpx.Response) -> Reply:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        # Without its cause, which repeats what was received.
        raise NodeUnavailable(f"agent: an answer that is no {model.__name__}") from None


def _compare(name: str, wanted: UserState, held: UserReport) -> None:
    differing = [field for field in UserState.model_fields if getattr(held, field) != getattr(wanted, field)]
    if held.name != name or differing:
        raise NodeUnavailable(f"agent: it holds something else than it was sent: {', '.join(differing) or 'name'}")
