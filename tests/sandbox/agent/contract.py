"""What Node A relies on in an agent, the real one and the stand-in alike.

A test module puts an agent through it by a class that inherits `AgentContract` and gives the fixture `agent`: a client
whose base URL is an agent without users (`…/agent` behind a proxy) and which sends its token.
"""

import asyncio
import base64
import time
from typing import Any

import httpx
import pytest

from shared.agent_contract import AgentStatus, Problem, UserPage, UserReport

FUTURE = 4_102_444_800  # 2100: the same in every process, as it stands in names of tests


def user_key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 16).decode()


def a_state(**changes: Any) -> dict[str, Any]:
    return {"key": user_key(1), "expires_at": FUTURE, "traffic_limit": 0, "revision": 1} | changes


async def _put(agent: httpx.AsyncClient, name: str, **changes: Any) -> httpx.Response:
    return await agent.put(f"v1/users/{name}", json=a_state(**changes))


async def _names(agent: httpx.AsyncClient) -> list[str]:
    page = UserPage.model_validate_json((await agent.get("v1/users")).content)
    return [user.name for user in page.users]


class AgentContract:
    async def test_a_user_is_held_as_it_was_put(self, agent: httpx.AsyncClient) -> None:
        answer = await _put(agent, "q_one", traffic_limit=5_000, revision=3)

        assert answer.status_code == 200
        expected = UserReport(
            name="q_one",
            key=user_key(1),
            expires_at=FUTURE,
            traffic_limit=5_000,
            revision=3,
            used_traffic=0,
            enabled=True,
        )
        assert UserReport.model_validate_json(answer.content) == expected
        page = UserPage.model_validate_json((await agent.get("v1/users")).content)
        assert page == UserPage(users=(expected,), next_after=None)

    async def test_the_same_put_again_changes_nothing(self, agent: httpx.AsyncClient) -> None:
        first = await _put(agent, "q_one", revision=3)
        again = await _put(agent, "q_one", revision=3)

        assert (again.status_code, again.json()) == (200, first.json())
        assert await _names(agent) == ["q_one"]

    async def test_a_newer_revision_replaces_everything(self, agent: httpx.AsyncClient) -> None:
        await _put(agent, "q_one", revision=3, traffic_limit=7)
        answer = await _put(agent, "q_one", revision=4, key=user_key(2), expires_at=FUTURE + 60)

        report = UserReport.model_validate_json(answer.content)
        assert (report.key, report.expires_at, report.traffic_limit, report.revision) == (
            user_key(2),
            FUTURE + 60,
            0,
            4,
        )

    async def test_an_older_revision_is_refused_and_told_the_held_one(self, agent: httpx.AsyncClient) -> None:
        await _put(agent, "q_one", revision=3)

        late_put = await _put(agent, "q_one", revision=2, key=user_key(9))
        late_delete = await agent.delete("v1/users/q_one", params={"revision": 2})

        for answer in (late_put, late_delete):
            assert answer.status_code == 409
            assert Problem.model_validate_json(answer.content).revision == 3
        page = UserPage.model_validate_json((await agent.get("v1/users")).content)
        assert [user.key for user in page.users] == [user_key(1)]

    async def test_a_deleted_user_is_gone_and_deleting_again_is_no_error(self, agent: httpx.AsyncClient) -> None:
        await _put(agent, "q_one")

        for _ in range(2):
            answer = await agent.delete("v1/users/q_one", params={"revision": 2})
            assert (answer.status_code, answer.content) == (204, b"")
        assert await _names(agent) == []

    async def test_a_put_that_a_delete_overtook_does_not_bring_the_user_back(self, agent: httpx.AsyncClient) -> None:
        await agent.delete("v1/users/q_one", params={"revision": 5})  # absent, and remembered all the same

        late = await _put(agent, "q_one", revision=4)
        newer = await _put(agent, "q_one", revision=6)

        assert late.status_code == 409
        assert Problem.model_validate_json(late.content).revision == 5
        assert newer.status_code == 200
        assert await _names(agent) == ["q_one"]

    async def test_a_user_past_its_end_is_held_but_not_enabled(self, agent: httpx.AsyncClient) -> None:
        ended = UserReport.model_validate_json((await _put(agent, "q_one", expires_at=1)).content)
        extended = UserReport.model_validate_json((await _put(agent, "q_one", revision=2)).content)

        assert not ended.enabled
        assert extended.enabled

    async def test_pages_hold_every_user_once_in_order(self, agent: httpx.AsyncClient) -> None:
        names = [f"q_{number:02}" for number in range(7)]
        await asyncio.gather(*(_put(agent, name, key=user_key(10 + index)) for index, name in enumerate(names)))

        seen: list[str] = []
        after: str | None = ""
        sizes = []
        while after is not None:
            answer = await agent.get("v1/users", params={"limit": 3, **({"after": after} if after else {})})
            page = UserPage.model_validate_json(answer.content)
            seen += [user.name for user in page.users]
            sizes.append(len(page.users))
            after = page.next_after

        assert seen == names
        assert sizes == [3, 3, 1]

    async def test_an_exactly_full_last_page_is_the_last(self, agent: httpx.AsyncClient) -> None:
        for index, name in enumerate(("q_1", "q_2")):
            await _put(agent, name, key=user_key(10 + index))

        page = UserPage.model_validate_json((await agent.get("v1/users", params={"limit": 2})).content)

        assert page.next_after is None

    @pytest.mark.parametrize("limit", ["0", "1001", "many"])
    async def test_a_page_of_an_impossible_size_is_refused(self, agent: httpx.AsyncClient, limit: str) -> None:
        answer = await agent.get("v1/users", params={"limit": limit})

        assert answer.status_code == 400
        Problem.model_validate_json(answer.content)

    @pytest.mark.parametrize(
        "changes",
        [
            {"key": "c2hvcnQ="},
            {"key": user_key(1).rstrip("=")},
            {"key": "not base64 at all, but long"},
            {"expires_at": 0},
            {"expires_at": 1_798_000_000_000},
            {"expires_at": 1_798_000_000.5},
            {"expires_at": "1798000000"},
            {"traffic_limit": -1},
            {"traffic_limit": None},
            {"revision": 0},
            {"surprise": 1},
        ],
        ids=lambda changes: "-".join(f"{name}={value}" for name, value in changes.items()),
    )
    async def test_what_is_no_user_state_is_refused_and_not_stored(
        self, agent: httpx.AsyncClient, changes: dict[str, Any]
    ) -> None:
        answer = await _put(agent, "q_one", **changes)

        assert answer.status_code == 400
        Problem.model_validate_json(answer.content)
        assert await _names(agent) == []

    @pytest.mark.parametrize("missing", ["key", "expires_at", "traffic_limit", "revision"])
    async def test_a_state_with_a_part_missing_is_refused(self, agent: httpx.AsyncClient, missing: str) -> None:
        state = a_state()
        del state[missing]

        answer = await agent.put("v1/users/q_one", json=state)

        assert answer.status_code == 400

    async def test_a_refusal_does_not_repeat_the_key(self, agent: httpx.AsyncClient) -> None:
        answer = await _put(agent, "q_one", key="U0VDUkVUIQ==")

        assert answer.status_code == 400
        assert "U0VDUkVUIQ" not in answer.text

    async def test_a_body_that_is_no_json_is_refused(self, agent: httpx.AsyncClient) -> None:
        answer = await agent.put("v1/users/q_one", content=b'{"key": ')

        assert answer.status_code == 400

    @pytest.mark.parametrize("name", ["ab", "Q_ONE", "q-one", "q.one", "a" * 33, "q_one%0A", "%D0%B8%D0%BC%D1%8F"])
    async def test_a_name_outside_the_pattern_is_refused(self, agent: httpx.AsyncClient, name: str) -> None:
        answer = await _put(agent, name)

        assert answer.status_code == 400
        assert await _names(agent) == []

    @pytest.mark.parametrize("query", ["", "?revision=0", "?revision=last"])
    async def test_a_delete_must_name_its_revision(self, agent: httpx.AsyncClient, query: str) -> None:
        await _put(agent, "q_one")

        answer = await agent.delete(f"v1/users/q_one{query}")

        assert answer.status_code == 400
        assert await _names(agent) == ["q_one"]

    async def test_the_status_counts_users_and_tells_the_time(self, agent: httpx.AsyncClient) -> None:
        await _put(agent, "q_one")

        answer = await agent.get("v1/status")

        status = AgentStatus.model_validate_json(answer.content)
        assert status.users == 1
        assert status.connected_users == 0
        assert abs(status.time - time.time()) < 5
        assert 0 < status.host.memory_used <= status.host.memory_total
        assert 0 < status.host.disk_used <= status.host.disk_total
        assert (status.xray.started_at is None) == (not status.xray.running)

    @pytest.mark.parametrize("authorization", [None, b"Bearer wrong", b"Bearer", b"Basic YTpi", b"Bearer \xff"])
    @pytest.mark.parametrize(
        ("method", "path"),
        [("PUT", "v1/users/q_one"), ("DELETE", "v1/users/q_one?revision=1"), ("GET", "v1/users"), ("GET", "v1/status")],
    )
    async def test_without_the_token_nothing_is_told_or_done(
        self, agent: httpx.AsyncClient, method: str, path: str, authorization: bytes | None
    ) -> None:
        request = agent.build_request(method, path, json=a_state() if method == "PUT" else None)
        del request.headers["Authorization"]
        if authorization is not None:
            request.headers = httpx.Headers([*request.headers.raw, (b"Authorization", authorization)])

        answer = await agent.send(request)

        assert answer.status_code == 401
        Problem.model_validate_json(answer.content)
        assert await _names(agent) == []

    async def test_health_needs_no_token(self, agent: httpx.AsyncClient) -> None:
        request = agent.build_request("GET", "healthz")
        del request.headers["Authorization"]

        answer = await agent.send(request)

        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
