"""Xray is kept running, or it is said why not."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from node_b.agent.running import await_start
from node_b.agent.xray_api import XrayApi
from node_b.agent.xray_process import XrayProcess
from tests.node_b.agent.agents import (
    Agent,
    a_running_agent,
    a_skeleton,
    an_environment,
    api_port,
    in_file,
    keys_of,
    seconds_until,
)
from tests.node_b.agent.xrays import pid_of_xray, pids_of_xray
from tests.programs import free_port, is_open, program
from tests.waiting import until


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with a_running_agent(tmp_path) as agent:
        yield agent


def _port(agent: Agent) -> int:
    return int(json.loads(agent.settings.skeleton.read_text())["inbounds"][0]["port"])


def _an_xray(directory: Path, script: str) -> str:
    """A program that does `script` and then is Xray; `$XRAY` is the real one."""
    path = directory / "xray"
    path.write_text(f'#!/bin/sh\nXRAY={program("xray")}\n{script}\nexec $XRAY "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_a_killed_xray_is_back_within_a_second_with_the_same_users(agent: Agent) -> None:
    agent.put("q_one")
    until(lambda: time.time() - (agent.status().xray.started_at or 0) > 3)  # not just after a start
    killed = pid_of_xray(agent)

    os.kill(killed, signal.SIGKILL)
    took = seconds_until(lambda: is_open(_port(agent)) and pids_of_xray(agent) not in ([], [killed]))

    assert took < 1
    until(lambda: agent.status().xray.running)
    assert agent.in_xray() == keys_of("q_one")
    assert agent.metric("xray_restarts_total") == 1
    agent.put("q_two")
    assert agent.in_xray() == agent.in_file() == keys_of("q_one", "q_two")


def test_a_change_made_while_xray_is_down_is_durable_and_not_lost(tmp_path: Path) -> None:
    slow = _an_xray(tmp_path, f'[ -e {tmp_path}/slow ] && [ "$2" != -test ] && sleep 1')
    with a_running_agent(tmp_path, AGENT_XRAY=slow) as agent:
        agent.put("q_one")
        (tmp_path / "slow").touch()
        for pid in _all_xrays(tmp_path):
            os.kill(pid, signal.SIGKILL)
        agent.put("q_two")
        agent.delete("q_one")

        assert agent.in_file() == agent.in_database() == keys_of("q_two")
        until(lambda: agent.status().xray.running)
        assert agent.in_xray() == keys_of("q_two")


def _all_xrays(directory: Path) -> list[int]:
    config = str(directory / "agent" / "xray.json")
    found = psutil.process_iter(["cmdline", "name"])
    return [one.pid for one in found if config in (one.info["cmdline"] or []) and one.info["name"].startswith("xray")]


def test_an_xray_that_dies_again_and_again_is_started_slower_and_slower(tmp_path: Path) -> None:
    dying = _an_xray(tmp_path, f'[ "$1" = run ] && [ "$2" != -test ] && date +%s.%N >> {tmp_path}/starts && exit 2')
    with a_running_agent(tmp_path, healthy=False, AGENT_XRAY=dying) as agent:
        starts = tmp_path / "starts"
        until(lambda: starts.exists() and len(starts.read_text().split()) >= 5)

        moments = [float(moment) for moment in starts.read_text().split()]
        pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
        assert [pause > least for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8), strict=False)] == [True] * 4
        status = agent.status().xray
        assert (status.running, status.started_at) == (False, None)
        assert status.problem == "Xray has ended with 2: it gave no reason"
        answer = agent.calls.get("/healthz")
        assert (answer.status_code, answer.json()["error"]) == (503, "xray_down")


def test_the_reason_of_a_crash_is_told_however_much_is_said_after_it(tmp_path: Path) -> None:
    """Go lists every goroutine, of which a busy Xray has thousands."""
    crashing = _an_xray(
        tmp_path,
        """[ "$1" = run ] && [ "$2" != -test ] && echo 'Xray 1.2.3' && echo 'fatal error: concurrent map writes' &&
        seq -f 'goroutine %g [running]:' 5000 && exit 2""",
    )
    with a_running_agent(tmp_path, healthy=False, AGENT_XRAY=crashing) as agent:
        until(lambda: agent.status().xray.problem not in {None, "starting"})
        assert agent.status().xray.problem == "Xray has ended with 2: fatal error: concurrent map writes"


def test_a_start_that_fails_in_an_unforeseen_way_leaves_no_xray_on_the_port(tmp_path: Path) -> None:
    config = tmp_path / "xray.json"
    config.write_text(json.dumps(a_skeleton(free_port())))
    process = XrayProcess(program("xray"), config, lambda: None)
    try:
        with pytest.raises(OverflowError):
            await_start(process, port=1, api_port=2**16, users={}, placeholder=("", ""))
        assert process.code is not None
    finally:
        process.stop()


def test_an_xray_that_nobody_can_listen_to_is_not_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "xray.json"
    config.write_text(json.dumps(a_skeleton(free_port())))
    usual = threading.stack_size(2**47)  # no machine has room for such a thread
    try:
        with pytest.raises(RuntimeError):
            XrayProcess(program("xray"), config, lambda: None)
    finally:
        threading.stack_size(usual)
    mine = [one for one in psutil.process_iter(["cmdline"]) if str(config) in (one.info["cmdline"] or [])]
    for process in mine:
        process.kill()
    assert mine == []


def test_a_refused_configuration_is_said_and_not_looped_on(tmp_path: Path) -> None:
    refusing = _an_xray(
        tmp_path,
        f"""[ "$1" = run ] && [ "$2" != -test ] && [ ! -e {tmp_path}/good ] && echo x >> {tmp_path}/starts &&
        echo 'Xray 1.2.3' && echo 'Failed to start: main: no such thing' && exit 23""",
    )
    with a_running_agent(tmp_path, healthy=False, AGENT_XRAY=refusing) as agent:
        until(lambda: agent.metric("xray_config_refused") == 1)
        assert "Failed to start: main: no such thing" in (agent.status().xray.problem or "")
        assert agent.metric("xray_refused_configs_total") == 1
        time.sleep(1.5)  # it would have been tried several times
        assert (tmp_path / "starts").read_text() == "x\n"
        assert not agent.is_healthy()

        (tmp_path / "good").touch()
        agent.put("q_one")

        until(agent.is_healthy)
        assert agent.in_xray() == keys_of("q_one")
        assert (agent.metric("xray_config_refused"), agent.status().xray.problem) == (0, None)


def test_an_xray_that_hangs_is_replaced_and_nobody_is_told_a_lie(agent: Agent) -> None:
    agent.put("q_one")
    hung = pid_of_xray(agent)
    os.kill(hung, signal.SIGSTOP)

    agent.put("q_two")

    until(lambda: hung not in pids_of_xray(agent) and agent.status().xray.running)
    assert agent.in_xray() == agent.in_file() == agent.in_database() == keys_of("q_one", "q_two")


def test_a_taken_api_port_is_exchanged_for_another(agent: Agent) -> None:
    agent.put("q_one")
    taken = api_port(agent.settings.state)
    os.kill(pid_of_xray(agent), signal.SIGKILL)
    with closing(socket.socket()) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: _bound(thief, taken))
        thief.listen()

        until(lambda: api_port(agent.settings.state) != taken and agent.status().xray.running)
        assert agent.in_xray() == keys_of("q_one")


def _bound(thief: socket.socket, port: int) -> bool:
    try:
        thief.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@contextmanager
def _left_behind(directory: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """What a killed agent would leave where the kernel does not end its child."""
    with a_running_agent(directory) as agent:
        agent.put("q_removed")
    command = [str(agent.settings.xray), "run", "-c", str(agent.settings.state / "xray.json")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: is_open(_port(agent)))
            yield process
        finally:
            process.kill()


def test_an_xray_that_a_killed_agent_left_behind_is_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with _left_behind(tmp_path) as stale:
        with a_running_agent(tmp_path, healthy=False) as agent:
            assert stale.wait(10) == 0
            until(agent.is_healthy)
            assert pid_of_xray(agent) != stale.pid
            agent.delete("q_removed")
            assert agent.in_xray() == {}
        assert f"pid={stale.pid}" in capsys.readouterr().out


def test_an_xray_that_was_left_behind_and_does_not_end_is_said(tmp_path: Path) -> None:
    """Here because its parent takes no note of its end; one that hangs in the kernel looks the same from outside."""
    with a_running_agent(tmp_path) as agent:
        agent.put("q_one")
    command = [str(agent.settings.xray), "run", "-c", str(agent.settings.state / "xray.json")]
    careless = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=2).pid, flush=True); input()"
    parent = [sys.executable, "-c", careless, *command]
    with subprocess.Popen(parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        until(lambda: is_open(_port(agent)))
        with a_running_agent(tmp_path, healthy=False) as agent:
            until(lambda: agent.status().xray.problem not in {None, "starting"})
            assert f"does not end (pid {pid})" in (agent.status().xray.problem or "")
            until(agent.is_healthy)  # nothing is left of it but its entry
            assert agent.in_xray() == keys_of("q_one")
        process.kill()


def test_beside_a_stranger_on_the_port_no_xray_is_started(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "shadowsocks_2022.json").write_text(json.dumps(a_skeleton(port)))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(a_skeleton(port)))
    with subprocess.Popen([program("xray"), "run", "-c", other], stdout=subprocess.DEVNULL) as stranger:
        try:
            until(lambda: is_open(port))
            with a_running_agent(tmp_path, healthy=False) as agent:
                until(lambda: f"pid {stranger.pid}" in (agent.status().xray.problem or ""))
                assert (agent.metric("xray_problem"), agent.metric("xray_up")) == (1, 0)
                assert pids_of_xray(agent) == []
                agent.put("q_one")  # durable all the same
                assert agent.in_file() == keys_of("q_one")

                stranger.kill()
                until(agent.is_healthy)
                assert agent.in_xray() == keys_of("q_one")
                assert (agent.metric("xray_problem"), agent.metric("xray_up")) == (0, 1)
        finally:
            stranger.kill()


def test_an_xray_that_cannot_be_executed_is_said(tmp_path: Path) -> None:
    nothing = tmp_path / "xray"
    nothing.write_text("no program")
    with a_running_agent(tmp_path, healthy=False, AGENT_XRAY=str(nothing)) as agent:
        until(lambda: agent.status().xray.problem not in {None, "starting"})
        assert agent.status().xray.version == "unknown"
        assert not agent.is_healthy()

        nothing.write_text(f'#!/bin/sh\nexec {program("xray")} "$@"\n')
        nothing.chmod(0o755)
        until(agent.is_healthy)
        assert agent.status().xray.version != "unknown"


def test_on_a_full_disk_xray_starts_from_the_file_that_is_there_and_is_corrected(tmp_path: Path) -> None:
    with a_running_agent(tmp_path) as agent:
        agent.put("q_one")
        agent.put("q_two", expires_at=agent.status().time + 2)
        assert in_file(agent.settings.state) == keys_of("q_one", "q_two")
        end = time.time() + 2
    obstacle = agent.settings.state / "new-xray.json"
    obstacle.mkdir()
    until(lambda: time.time() > end)

    with a_running_agent(tmp_path) as agent:
        until(lambda: agent.in_xray() == keys_of("q_one"))
        obstacle.rmdir()
        until(lambda: agent.in_file() == keys_of("q_one"))


def test_xray_does_not_outlive_a_killed_agent(tmp_path: Path) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed: an Xray that is left behind is ended by the next agent only")
    environment = an_environment(tmp_path)
    command = [sys.executable, "-m", "node_b.agent"]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL) as process:
        until(lambda: len(_all_xrays(tmp_path)) == 1 and is_open(int(environment["AGENT_PORT"])))
        process.kill()
    until(lambda: _all_xrays(tmp_path) == [])


def test_the_api_is_asked_again_after_each_restart(agent: Agent) -> None:
    """Xray on the same port as before: the first call must not meet the old connection."""
    for number in range(3):
        os.kill(pid_of_xray(agent), signal.SIGKILL)
        until(lambda: not agent.status().xray.running)
        until(lambda: agent.status().xray.running)
        agent.put(f"q_{number}")
    api = XrayApi(api_port(agent.settings.state))
    assert len(api.users()) == 4
    api.close()
