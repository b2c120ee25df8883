"""File, database and the running Xray say the same, whatever happens; and what was answered is never lost."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from node_b.agent.xray_api import XrayApi
from tests.node_b.agent.agents import (
    PLACEHOLDER,
    Agent,
    a_key,
    a_running_agent,
    a_state,
    api_port,
    keys_of,
    seconds_until,
)
from tests.node_b.agent.xrays import pids_of_xray
from tests.programs import program
from tests.waiting import until


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with a_running_agent(tmp_path) as agent:
        yield agent


def _agree(agent: Agent, users: Mapping[str, str]) -> bool:
    return agent.in_file() == agent.in_xray() == users


def test_when_a_caller_is_answered_everything_is_done(agent: Agent) -> None:
    agent.put("q_one")
    assert agent.in_xray() == agent.in_file() == agent.in_database() == keys_of("q_one")

    agent.put("q_one", key=a_key("rotated"), revision=2)
    assert agent.in_xray() == agent.in_file() == agent.in_database() == {"q_one": a_key("rotated")}

    agent.delete("q_one", revision=3)
    assert agent.in_xray() == agent.in_file() == agent.in_database() == {}


def test_two_users_may_swap_their_keys_one_after_the_other(agent: Agent) -> None:
    agent.put("q_one")
    agent.put("q_two")
    agent.put("q_one", key=a_key("between"), revision=2)
    agent.put("q_two", key=a_key("q_one"), revision=2)
    agent.put("q_one", key=a_key("q_two"), revision=3)

    assert agent.in_xray() == agent.in_file() == {"q_one": a_key("q_two"), "q_two": a_key("q_one")}


def test_a_key_of_somebody_else_or_of_the_placeholder_is_refused(agent: Agent) -> None:
    agent.put("q_one")
    for key in (a_key("q_one"), a_key("placeholder-of-the-tests")):
        answer = agent.calls.put("/v1/users/q_two", json=a_state(key=key).model_dump())
        assert (answer.status_code, answer.json()["error"]) == (400, "key_in_use")

    assert agent.in_xray() == agent.in_file() == agent.in_database() == keys_of("q_one")


def test_many_callers_at_once_leave_nothing_different(agent: Agent) -> None:
    """Each name has its own order of revisions; what is left is the newest of each."""
    last: dict[str, str] = {}
    lock = threading.Lock()

    def work(number: int) -> None:
        for revision in range(1, 9):
            name, key = f"q_{number % 6}", a_key(f"{number}/{revision}")
            if revision % 4 == 3:
                answer = agent.calls.delete(f"/v1/users/{name}", params={"revision": revision})
            else:
                answer = agent.calls.put(f"/v1/users/{name}", json=a_state(key=key, revision=revision).model_dump())
            assert answer.status_code in {200, 204, 409}
            if revision == 8 and answer.status_code == 200:
                with lock:
                    last.setdefault(name, key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert agent.in_xray() == agent.in_file() == agent.in_database()
    assert set(agent.in_xray()) == {f"q_{number}" for number in range(6)} == set(last)
    assert agent.metric("changes_not_durable_total") == 0


def test_of_a_storm_on_one_name_the_newest_revision_is_left(agent: Agent) -> None:
    def put(revision: int) -> None:
        state = a_state(key=a_key(revision), revision=revision)
        answer = agent.calls.put("/v1/users/q_one", json=state.model_dump())
        assert answer.status_code in {200, 409}

    threads = [threading.Thread(target=put, args=(revision,)) for revision in range(1, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert agent.in_xray() == agent.in_file() == agent.in_database() == {"q_one": a_key(24)}


def test_a_removed_user_leaves_a_dummy_and_never_a_hole(agent: Agent) -> None:
    for name in ("q_one", "q_two", "q_three"):
        agent.put(name)
    agent.delete("q_one")
    agent.put("q_two", key=a_key("rotated"), revision=2)

    until(lambda: agent.metric("dummy_users") == 2)
    assert agent.in_xray() == {"q_two": a_key("rotated"), "q_three": a_key("q_three")}


def test_the_same_users_are_there_after_a_restart(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        agent.put("q_one", traffic_limit=7, revision=3)
        agent.put("q_ended", expires_at=1)
        agent.delete("q_gone", revision=9)
    with a_running_agent(tmp_path) as agent:
        assert agent.in_xray() == agent.in_file() == keys_of("q_one")
        assert agent.put("q_one", traffic_limit=7, revision=3).used_traffic == 0
        late = agent.calls.put("/v1/users/q_gone", json=a_state("q_gone", revision=8).model_dump())
        assert (late.status_code, late.json()["revision"]) == (409, 9)
        assert agent.status().users == 2


def test_what_was_committed_reaches_the_file_even_if_the_agent_died_in_between(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        agent.put("q_one")
        old_file = (agent.settings.state / "xray.json").read_bytes()
        agent.put("q_two")
        agent.delete("q_one")
    (agent.settings.state / "xray.json").write_bytes(old_file)

    with a_running_agent(tmp_path) as agent:
        assert agent.in_xray() == agent.in_file() == keys_of("q_two")


def test_a_change_that_cannot_be_written_is_not_made_and_says_so(agent: Agent) -> None:
    agent.put("q_one")
    obstacle = agent.settings.state / "new-xray.json"
    obstacle.mkdir()
    (obstacle / "in the way").touch()

    added = agent.calls.put("/v1/users/q_two", json=a_state("q_two").model_dump())
    removed = agent.calls.delete("/v1/users/q_one", params={"revision": 2})
    for answer in (added, removed):
        assert (answer.status_code, answer.json()["error"]) == (503, "not_durable")
    assert agent.in_xray() == agent.in_file() == agent.in_database() == keys_of("q_one")
    assert agent.metric("changes_not_durable_total") == 2

    (obstacle / "in the way").unlink()
    obstacle.rmdir()
    agent.put("q_two")
    assert agent.in_xray() == agent.in_file() == agent.in_database() == keys_of("q_one", "q_two")


def test_who_has_ended_is_out_even_if_the_file_cannot_be_written(agent: Agent) -> None:
    ends_soon = agent.status().time + 2
    agent.put("q_one", expires_at=ends_soon)
    agent.put("q_two")
    obstacle = agent.settings.state / "new-xray.json"
    obstacle.mkdir()

    until(lambda: agent.in_xray() == keys_of("q_two"))
    assert agent.in_file() == keys_of("q_one", "q_two")

    obstacle.rmdir()
    until(lambda: _agree(agent, keys_of("q_two")))


def test_a_configuration_that_xray_refuses_changes_nothing(tmp_path: Path) -> None:
    """An Xray that takes no new configuration, and goes on running."""
    refusing = tmp_path / "xray"
    shutil.copy(program("xray"), refusing)
    with a_running_agent(tmp_path, AGENT_XRAY=str(refusing)) as agent:
        agent.put("q_one")
        refusing.unlink()
        refusing.write_text("#!/bin/sh\necho 'Failed to start: in a bad mood'\nexit 23\n")
        refusing.chmod(0o755)

        answers: list[httpx.Response] = []

        def put(name: str) -> None:
            answers.append(agent.calls.put(f"/v1/users/{name}", json=a_state(name).model_dump()))

        threads = [threading.Thread(target=put, args=(f"q_{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [answer.status_code for answer in answers] == [503] * 4
        assert "in a bad mood" in answers[0].json()["detail"]
        assert agent.in_xray() == agent.in_file() == agent.in_database() == keys_of("q_one")


def test_xray_is_put_right_after_somebody_else_has_changed_it(agent: Agent) -> None:
    agent.put("q_one")
    agent.put("q_two")
    somebody = XrayApi(api_port(agent.settings.state))
    somebody.remove("q_one")
    somebody.add("q_three", a_key("stranger"))
    somebody.close()

    agent.put("q_three")  # "already exists": what we believed was wrong

    assert agent.in_xray() == agent.in_file() == keys_of("q_one", "q_two", "q_three")
    assert agent.metric("xray_restarts_total") == 0


def test_an_xray_without_its_placeholder_is_replaced(agent: Agent) -> None:
    agent.put("q_one")
    somebody = XrayApi(api_port(agent.settings.state))
    somebody.remove(PLACEHOLDER)
    somebody.remove("q_one")
    somebody.close()

    agent.delete("q_one")

    until(agent.is_healthy)
    until(lambda: agent.metric("xray_restarts_total") == 1 and agent.status().xray.running)
    assert agent.in_xray() == agent.in_file() == {}


def test_an_ended_user_is_out_within_two_seconds_and_comes_back_when_renewed(agent: Agent) -> None:
    agent.put("q_two")
    end = agent.status().time + 2
    agent.put("q_one", expires_at=end)
    assert agent.in_xray() == keys_of("q_one", "q_two")

    until(lambda: time.time() >= end)
    assert seconds_until(lambda: _agree(agent, keys_of("q_two"))) < 2
    assert agent.in_database() == keys_of("q_one", "q_two")

    agent.put("q_one", revision=2)
    assert agent.in_xray() == agent.in_file() == keys_of("q_one", "q_two")


def test_an_xray_that_is_killed_again_and_again_meanwhile_makes_no_difference(agent: Agent) -> None:
    done, answered = threading.Event(), [0]

    def work(number: int) -> None:
        for revision in range(1, 40):
            name, key = f"q_{number}", a_key(f"{number}/{revision}")
            if revision % 3 == 0:
                answer = agent.calls.delete(f"/v1/users/{name}", params={"revision": revision})
            else:
                answer = agent.calls.put(f"/v1/users/{name}", json=a_state(key=key, revision=revision).model_dump())
            assert answer.status_code in {200, 204}
            answered[0] += 1

    def kill() -> None:
        while not done.wait(0.15):
            for pid in pids_of_xray(agent):
                os.kill(pid, signal.SIGKILL)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    killer = threading.Thread(target=kill)
    for thread in (killer, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    killer.join()

    assert answered == [6 * 39]
    assert agent.in_file() == agent.in_database() == {}
    until(lambda: agent.status().xray.running and agent.in_xray() == {})
    agent.put("q_after")
    assert agent.in_xray() == keys_of("q_after")
