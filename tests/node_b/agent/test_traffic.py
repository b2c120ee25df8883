"""What customers use is counted to the byte, survives everything planned, and ends who has used too much."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from shared.agent_contract import UserPage
from tests.node_b.agent.agents import Agent, a_key, a_running_agent, api_port, keys_of, seconds_until
from tests.node_b.agent.customers import Customers, brings, customers_of
from tests.node_b.agent.xrays import pid_of_xray
from tests.programs import program
from tests.waiting import until

MEGABYTE = 1_000_000


@pytest.fixture
def node(tmp_path: Path) -> "Iterator[tuple[Agent, Customers]]":
    with ExitStack() as running:
        agent = running.enter_context(a_running_agent(tmp_path))
        keys = keys_of("q_one", "q_two") | {"stranger": a_key("stranger")}
        yield agent, running.enter_context(customers_of(_port(agent), keys, tmp_path))


def _port(agent: Agent) -> int:
    return int(json.loads(agent.settings.skeleton.read_text())["inbounds"][0]["port"])


def _used(agent: Agent, name: str) -> int:
    page = UserPage.model_validate_json(agent.calls.get("/v1/users").content)
    return next(user.used_traffic for user in page.users if user.name == name)


def _is_megabyte(used: int, times: int) -> bool:
    """And the few bytes that asked for it."""
    return times * MEGABYTE <= used < times * MEGABYTE + 100


def test_each_pays_for_its_own_and_a_stranger_gets_nothing(node: tuple[Agent, Customers]) -> None:
    agent, customers = node
    agent.put("q_one")
    agent.put("q_two")

    assert customers.get("q_one", MEGABYTE)
    assert customers.get("q_two", 2 * MEGABYTE)
    assert not customers.get("stranger", 1)

    until(lambda: _used(agent, "q_one") + _used(agent, "q_two") >= 3 * MEGABYTE)
    assert _is_megabyte(_used(agent, "q_one"), 1)
    assert _is_megabyte(_used(agent, "q_two"), 2)
    carried = [line for line in agent.calls.get("/metrics").text.splitlines() if "traffic_bytes_total{" in line]
    assert len(carried) == 2
    assert all("q_" not in line for line in carried)


def test_who_is_connected_now(node: tuple[Agent, Customers]) -> None:
    agent, customers = node
    agent.put("q_one")
    with closing(customers.connected("q_one")) as connection:
        assert brings(connection, 10)
        until(lambda: agent.status().connected_users == 1)
        connection.sendall(b"0\n")
    until(lambda: agent.status().connected_users == 0)


def test_traffic_survives_a_restart_to_the_byte(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent, customers_of(_port(agent), keys_of("q_one"), tmp_path) as customers:
        agent.put("q_one")
        assert customers.get("q_one", MEGABYTE)  # and nobody waits for the second to pass
    with a_running_agent(tmp_path) as agent, customers_of(_port(agent), keys_of("q_one"), tmp_path) as customers:
        assert _is_megabyte(_used(agent, "q_one"), 1)
        assert customers.get("q_one", MEGABYTE)
        until(lambda: _is_megabyte(_used(agent, "q_one"), 2))


def test_traffic_survives_the_death_of_xray(node: tuple[Agent, Customers]) -> None:
    agent, customers = node
    agent.put("q_one")
    assert customers.get("q_one", MEGABYTE)
    until(lambda: _is_megabyte(_used(agent, "q_one"), 1))

    os.kill(pid_of_xray(agent), signal.SIGKILL)
    until(lambda: customers.get("q_one", MEGABYTE))

    until(lambda: _is_megabyte(_used(agent, "q_one"), 2))


def test_traffic_is_not_lost_while_the_disk_takes_nothing(node: tuple[Agent, Customers]) -> None:
    agent, customers = node
    agent.put("q_one")
    other = sqlite3.connect(agent.settings.state / "users.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # the agent can commit nothing now
    try:
        assert customers.get("q_one", MEGABYTE)
        assert _used(agent, "q_one") == 0
    finally:
        other.execute("ROLLBACK")
        other.close()

    until(lambda: _is_megabyte(_used(agent, "q_one"), 1))


def test_somebody_who_sets_the_counters_back_takes_nothing_away(node: tuple[Agent, Customers]) -> None:
    """`xray api statsquery -reset` is what an operator types at night."""
    agent, customers = node
    agent.put("q_one")
    assert customers.get("q_one", 2 * MEGABYTE)
    until(lambda: _is_megabyte(_used(agent, "q_one"), 2))
    server = f"--server=127.0.0.1:{api_port(agent.settings.state)}"
    subprocess.run([program("xray"), "api", "statsquery", server, "-reset"], check=True, capture_output=True)

    assert customers.get("q_one", MEGABYTE)
    until(lambda: _is_megabyte(_used(agent, "q_one"), 3))
    agent.put("q_two")


def test_who_is_at_the_limit_is_out_and_comes_back_with_a_larger_one(node: tuple[Agent, Customers]) -> None:
    agent, customers = node
    agent.put("q_one", traffic_limit=MEGABYTE)
    agent.put("q_two")

    assert customers.get("q_one", MEGABYTE)
    assert seconds_until(lambda: agent.in_xray() == agent.in_file() == keys_of("q_two")) < 2.5
    assert not customers.get("q_one", 1)
    assert customers.get("q_two", 1)

    agent.put("q_one", traffic_limit=5 * MEGABYTE, revision=2)
    assert customers.get("q_one", 1)
    assert _used(agent, "q_one") >= MEGABYTE


def test_a_removed_or_rotated_key_opens_no_connection(node: tuple[Agent, Customers]) -> None:
    agent, customers = node
    agent.put("q_one")
    agent.put("q_two")
    assert customers.get("q_one", 1)

    agent.put("q_one", key=a_key("rotated"), revision=2)
    assert not customers.get("q_one", 1)
    agent.delete("q_two")
    assert not customers.get("q_two", 1)

    agent.put("q_one", revision=3)
    assert customers.get("q_one", 1)
