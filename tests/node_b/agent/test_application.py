"""What the agent's API says to those who do it wrong, and that it never tells what it must not."""

import http.client
import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from node_b.agent.host import Host
from node_b.agent.metrics import Metrics
from shared.agent_contract import Problem
from tests.node_b.agent.agents import TOKEN, Agent, a_key, a_running_agent, a_state
from tests.node_b.agent.keepers import nothing_can_be_saved
from tests.waiting import until


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with a_running_agent(tmp_path_factory.mktemp("agent")) as agent:
        yield agent


def _problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, Problem.model_validate_json(answer.content).error


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (404, "no_such_call")),
        ("GET", "/v1/users/", (404, "no_such_call")),
        ("GET", "//v1//users", (404, "no_such_call")),
        ("GET", "/v1/users/q_one/more", (404, "no_such_call")),
        ("POST", "/v1/users", (405, "no_such_call")),
        ("POST", "/v1/users/q_one", (405, "no_such_call")),
        ("OPTIONS", "/v1/status", (405, "no_such_call")),
        ("DELETE", "/healthz", (405, "no_such_call")),
        ("GET", "/v1/users?limit=0", (400, "bad_request")),
        ("DELETE", "/v1/users/q_one?revision=9223372036854775808", (400, "bad_request")),
        ("DELETE", "/v1/users/q_one", (400, "bad_request")),
    ],
)
def test_a_wrong_call_is_a_problem(agent: Agent, method: str, path: str, expected: tuple[int, str]) -> None:
    assert _problem(agent.calls.request(method, path)) == expected


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b"", "application/json", (400, "bad_request")),
        (b"{", "application/json", (400, "bad_request")),
        (b"null", "application/json", (400, "bad_request")),
        (b"\xff", "application/json", (400, "bad_request")),
        (b"key=1", "application/x-www-form-urlencoded", (415, "not_json")),
        (b"{" + b" " * 5_000 + b"}", "application/json", (413, "too_large")),
        (b" " * 100_000, "application/json", (413, "too_large")),
    ],
    ids=["nothing", "half", "null", "no text", "a form", "too large", "much too large"],
)
def test_a_wrong_body_is_a_problem(agent: Agent, content: bytes, kind: str, expected: tuple[int, str]) -> None:
    answer = agent.calls.put("/v1/users/q_one", content=content, headers={"Content-Type": kind})

    assert _problem(answer) == expected


@pytest.mark.parametrize(
    "change",
    [{"traffic_limit": 2**63}, {"revision": 2**63}, {"traffic_limit": 10**400}, {"key": a_key("q_one")[:-1] + "!"}],
    ids=["limit", "revision", "monstrous", "key"],
)
def test_numbers_that_no_database_holds_are_refused_without_repeating_them(
    agent: Agent, change: dict[str, Any]
) -> None:
    state = a_state("secret").model_dump() | change
    answer = agent.calls.put("/v1/users/q_one", content=json.dumps(state).encode())

    assert _problem(answer) == (400, "bad_request")
    assert state["key"] not in answer.text


@pytest.mark.parametrize("path", ["/", "/v1/nothing", "/metrics", "/v1/users", "/healthz/more", "//healthz"])
@pytest.mark.parametrize("authorization", [None, f"Bearer {TOKEN}x", f"bearer {TOKEN}", f"Bearer  {TOKEN}", TOKEN])
def test_without_the_token_not_even_paths_are_told(agent: Agent, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with httpx.Client(base_url=agent.calls.base_url, headers=headers, trust_env=False) as stranger:
        assert _problem(stranger.get(path)) == (401, "unauthorized")


def test_what_is_no_http_is_a_problem_too(agent: Agent) -> None:
    with closing(socket.create_connection(("127.0.0.1", agent.settings.port))) as connection:
        connection.sendall(b"PUT /v1/users/q_one HTTP/1.1\r\nContent-Length: minus one\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = answer.read()

    assert answer.status == 400
    assert Problem.model_validate_json(body).error == "bad_request"


def test_many_waiting_callers_do_not_keep_others_from_asking(agent: Agent) -> None:
    """Slow bodies hold no thread: sixty-five of them are more than there are."""
    slow = []
    try:
        for _ in range(65):
            connection = socket.create_connection(("127.0.0.1", agent.settings.port))
            connection.sendall(b"PUT /v1/users/q_one HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
            slow.append(connection)
        began = time.monotonic()
        assert agent.is_healthy()
        assert time.monotonic() - began < 5
    finally:
        for connection in slow:
            connection.close()


def test_metrics_name_the_node_and_no_customer(agent: Agent) -> None:
    agent.put("q_metrics")
    page = agent.calls.get("/metrics")

    assert page.headers["Content-Type"].startswith("text/plain")
    assert agent.metric("xray_up") == 1
    assert agent.metric("users") >= 1
    assert agent.metric("enabled_users") >= 1
    assert agent.metric("batch_seconds_count") >= 1
    assert agent.metric("host_memory_total_bytes") > 0
    assert "q_metrics" not in page.text


def test_two_who_ask_for_the_metrics_first_and_at_once_both_get_them(agent: Agent) -> None:
    status, usual = agent.status(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            for _ in range(100):
                metrics, together = Metrics(), threading.Barrier(2)

                def ask(metrics: Metrics = metrics, together: threading.Barrier = together) -> bytes:
                    together.wait()
                    return metrics.page(status, enabled=0, dummies=0, refused=False, unsaved=False)

                pages = [threads.submit(ask) for _ in range(2)]
                assert all(b"qentvpn_agent_xray_up 1.0" in page.result() for page in pages)
    finally:
        sys.setswitchinterval(usual)


def test_that_nothing_can_be_saved_is_a_metric(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        assert agent.metric("save_problem") == 0
        with nothing_can_be_saved(agent.settings.state):
            answer = agent.calls.put("/v1/users/q_one", json=a_state("q_one").model_dump())
            assert _problem(answer) == (503, "not_durable")
            until(lambda: agent.metric("save_problem") == 1)
        agent.put("q_one")
        until(lambda: agent.metric("save_problem") == 0)


def test_how_busy_the_processors_are_is_told_whoever_asks(tmp_path: Path) -> None:
    """Each of waitress' threads asks in turn."""
    host = Host(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as burner:
        try:
            for _ in range(3):
                threading.Event().wait(1.1)  # a sample takes a second
                with ThreadPoolExecutor(1) as another_thread:
                    percent = another_thread.submit(lambda: host.status().cpu_percent).result()
                assert 50 / (psutil.cpu_count() or 1) < percent <= 100
        finally:
            burner.kill()


def test_the_host_is_told(agent: Agent) -> None:
    host = agent.status().host

    assert 0 <= host.cpu_percent <= 100
    assert 0 < host.memory_used < host.memory_total
    assert 0 < host.disk_used < host.disk_total
    assert host.network_received >= 0 <= host.network_sent


def test_a_failure_of_our_own_is_a_500_that_says_nothing(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        agent.put("q_one")
        # The table goes away under the agent's feet.
        with closing(sqlite3.connect(agent.settings.state / "users.db")) as somebody:
            somebody.execute("ALTER TABLE users RENAME TO elsewhere")

        answer = agent.calls.get("/v1/users")
        assert _problem(answer) == (500, "failed")
        assert "elsewhere" not in answer.text
        assert _problem(agent.calls.put("/v1/users/q_two", json=a_state("q_two").model_dump())) == (503, "not_durable")
