"""The agent as its container starts, asks and ends it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from node_b.agent.health import ask
from node_b.agent.serving import serve
from node_b.agent.settings import WRONG_SETTINGS, read_settings
from shared.environment import ConfigurationProblems
from tests.node_b.agent.agents import FUTURE, TOKEN, a_key, a_running_agent, a_state, an_environment, in_file, keys_of
from tests.programs import free_port
from tests.waiting import until

_COMMAND = [sys.executable, "-m", "node_b.agent"]


@contextmanager
def _a_process(directory: Path, environment: dict[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    with (directory / "log").open("ab") as log, subprocess.Popen(_COMMAND, env=_whole(environment), stderr=log) as one:
        try:
            until(lambda: one.poll() is not None or ask("127.0.0.1", int(environment["AGENT_PORT"])) is None)
            yield one
        finally:
            one.kill()


def _whole(environment: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"]} | environment


def _run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [*_COMMAND, *arguments]
    return subprocess.run(command, env=_whole(environment), capture_output=True, text=True, timeout=60, check=False)


def test_it_ends_in_order_when_told_to_and_its_log_keeps_secrets(tmp_path: Path) -> None:
    environment = an_environment(tmp_path)
    with _a_process(tmp_path, environment) as process:
        assert _run(environment, "healthy").returncode == 0
        address, headers = f"http://127.0.0.1:{environment['AGENT_PORT']}", {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=address, headers=headers, trust_env=False) as calls:
            assert calls.put("/v1/users/q_one", json=a_state().model_dump()).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    assert in_file(tmp_path / "agent") == keys_of("q_one")
    sick = _run(environment, "healthy")
    assert (sick.returncode, "does not answer" in sick.stderr) == (1, True)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {line["event"] for line in lines} >= {"the agent answers", "Xray runs", "stopping"}
    assert TOKEN not in str(lines)
    assert a_key("q_one") not in str(lines)


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    """Killed in the middle of many changes: the next agent has each that was answered 200, everywhere."""
    environment = an_environment(tmp_path)
    answered: list[str] = []
    with _a_process(tmp_path, environment) as process:
        address, headers = f"http://127.0.0.1:{environment['AGENT_PORT']}", {"Authorization": f"Bearer {TOKEN}"}

        def work(number: int) -> None:
            with httpx.Client(base_url=address, headers=headers, trust_env=False) as calls:
                for turn in range(1_000):
                    name = f"q_{number}_{turn}"
                    try:
                        if calls.put(f"/v1/users/{name}", json=a_state(name).model_dump()).status_code == 200:
                            answered.append(name)
                    except httpx.TransportError:
                        return

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(answered) > 40)
        process.kill()
        process.wait()
        for thread in threads:
            thread.join()

    with a_running_agent(tmp_path) as agent:
        assert agent.in_xray() == agent.in_file() == agent.in_database()
        assert agent.in_database().items() >= keys_of(*answered).items()


def test_wrong_settings_end_it_with_a_sentence_each(tmp_path: Path) -> None:
    done = _run({"AGENT_STATE": str(tmp_path), "AGENT_TOKEN": "change-me"})

    assert done.returncode == WRONG_SETTINGS
    assert "Traceback" not in done.stderr
    assert "AGENT_XRAY_CONFIG is not set" in done.stderr
    assert _run({"AGENT_PORT": "x"}, "healthy").returncode == WRONG_SETTINGS


def test_damage_ends_it_with_a_sentence(tmp_path: Path) -> None:
    environment = an_environment(tmp_path)
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "users.db").write_bytes(b"no database at all" * 100)

    done = _run(environment)

    assert done.returncode == WRONG_SETTINGS
    assert "Traceback" not in done.stderr
    assert "move it and its -wal and -shm files away" in done.stderr


def _refusal(environment: dict[str, str]) -> str:
    with pytest.raises(ConfigurationProblems) as refused:
        serve(read_settings(environment), threading.Event())
    return str(refused.value)


def test_two_agents_never_share_a_directory(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        agent.put("q_one")
        assert "in use by another agent" in _refusal(an_environment(tmp_path))
        assert agent.in_xray() == keys_of("q_one")  # the first one's Xray is left alone


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        other = an_environment(tmp_path, AGENT_STATE=str(tmp_path / "other"), AGENT_PORT=str(agent.settings.port))
        assert "AGENT_PORT" in _refusal(other)


def test_a_state_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "AGENT_STATE cannot be used" in _refusal(an_environment(tmp_path, AGENT_STATE=str(tmp_path / "file")))


def test_a_garbled_skeleton_is_named(tmp_path: Path) -> None:
    environment = an_environment(tmp_path)
    Path(environment["AGENT_XRAY_CONFIG"]).write_text("{")
    assert "render it anew" in _refusal(environment)


def test_health_says_what_is_wrong(tmp_path: Path) -> None:
    dying = tmp_path / "xray"
    dying.write_text("#!/bin/sh\nexit 2\n")
    dying.chmod(0o755)
    with a_running_agent(tmp_path, healthy=False, AGENT_XRAY=str(dying)) as agent:
        until(lambda: "xray_down" in (ask("127.0.0.1", agent.settings.port) or ""))
    assert "does not answer" in (ask("127.0.0.1", free_port()) or "")


def test_a_database_that_breaks_while_it_is_used_does_not_end_the_service(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        agent.put("q_one")
        with closing(sqlite3.connect(agent.settings.state / "users.db")) as somebody:
            somebody.execute("DROP TABLE tombstones")
        answer = agent.calls.put("/v1/users/q_two", json=a_state("q_two", expires_at=FUTURE).model_dump())

        assert answer.status_code == 503
        assert agent.is_healthy()
        assert agent.in_xray() == keys_of("q_one")
