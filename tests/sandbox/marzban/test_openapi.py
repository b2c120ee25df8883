"""The check against Marzban's OpenAPI document finds what is wrong, and nothing else."""

from typing import Any

import pytest

from tests.sandbox.marzban.openapi import check_exchange

USER: dict[str, Any] = {
    "username": "q_one",
    "proxies": {"vless": {"id": "3f2b8a10-0000-4000-8000-000000000001", "flow": "xtls-rprx-vision"}},
    "inbounds": {"vless": ["VLESS TCP REALITY"]},
    "expire": 1797947512,
    "data_limit": 0,
    "status": "active",
}
CREATED: dict[str, Any] = {
    "method": "POST",
    "path": "/api/user",
    "query": {},
    "request": USER,
    "status": 200,
    "response": USER | {"used_traffic": 0, "created_at": "2026-11-22T13:51:52.619522"},
}


def test_a_right_exchange_has_no_problems() -> None:
    assert check_exchange(CREATED) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"request": USER | {"expire": "soon"}}, "request expire"),
        ({"request": USER | {"data_limit": -1}}, "request data_limit"),
        ({"request": USER | {"status": "disabled"}}, "request status"),
        ({"request": {"expire": 1}}, "'username' is a required property"),
        ({"request": None}, "request (whole)"),
        ({"response": USER}, "'used_traffic' is a required property"),
        ({"response": "Internal Server Error"}, "response (whole)"),
        ({"query": {"dry_run": ["1"]}}, "unknown query parameter dry_run"),
        ({"path": "/api/people"}, "no such call"),
        ({"method": "PATCH"}, "no such call"),
        ({"status": 418}, "undocumented status 418"),
        ({"status": 409, "response": {"detail": 7}}, "response detail"),
    ],
)
def test_a_wrong_exchange_is_found(changes: dict[str, Any], complaint: str) -> None:
    problems = check_exchange(CREATED | changes)

    assert any(complaint in problem for problem in problems), problems


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 500, "response": "Internal Server Error"},
        {"status": 422, "request": {}, "response": {"detail": {"username": "Field required"}}},
        {"status": None, "response": None},
        {"path": "/api/nothing", "status": 404, "response": {"detail": "Not Found"}},
    ],
)
def test_what_the_original_does_beside_its_document_is_no_problem(changes: dict[str, Any]) -> None:
    assert check_exchange(CREATED | changes) == []
